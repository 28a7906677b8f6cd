#!/bin/sh
# A private registry on loopback, for tests: Debian's docker-registry, TLS by a private CA, and a
# password. Keeps all it has in DIRECTORY, and has this machine's Docker daemon trust its CA.
#
#   tools/docker/registry.sh start DIRECTORY    # then see DIRECTORY/{address,username,password,ca.crt}
#   tools/docker/registry.sh stop DIRECTORY
set -eu

say() { echo "registry: $*" >&2; }
usage() {
    say "usage: tools/docker/registry.sh start|stop DIRECTORY"
    exit 2
}
[ $# = 2 ] || usage
action=$1
directory=$2
trust=/etc/docker/certs.d

runs() { [ -f "$directory/pid" ] && kill -0 "$(cat "$directory/pid")" 2>/dev/null; }

stop() {
    if runs; then
        kill "$(cat "$directory/pid")"
        while runs; do sleep 0.1; done
    fi
    if [ -f "$directory/address" ]; then
        rm -rf "${trust:?}/$(cat "$directory/address")"
    fi
    rm -f "$directory/pid"
}

install_missing() {
    packages=""
    command -v docker-registry >/dev/null 2>&1 || packages="$packages docker-registry"
    command -v htpasswd >/dev/null 2>&1 || packages="$packages apache2-utils"
    command -v openssl >/dev/null 2>&1 || packages="$packages openssl"
    [ -n "$packages" ] || return 0
    if [ "$(id -u)" != 0 ] || ! command -v apt-get >/dev/null 2>&1; then
        say "missing:$packages; install them and run this again"
        exit 1
    fi
    say "installing$packages"
    apt-get update -qq >&2
    # shellcheck disable=SC2086 - one word a package
    DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $packages >/dev/null
}

make_certificates() {
    openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 30 \
        -subj "/CN=Trackstack test CA" -keyout "$directory/ca.key" -out "$directory/ca.crt"
    openssl req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes \
        -subj "/CN=localhost" -keyout "$directory/tls.key" -out "$directory/tls.csr"
    printf '%s\n' "subjectAltName=DNS:localhost,DNS:ip6-localhost,IP:127.0.0.1,IP:::1" \
        >"$directory/san"
    openssl x509 -req -days 30 -in "$directory/tls.csr" -CA "$directory/ca.crt" \
        -CAkey "$directory/ca.key" -CAcreateserial -extfile "$directory/san" \
        -out "$directory/tls.crt"
}

start() {
    if runs; then
        say "runs at $(cat "$directory/address")"
        return
    fi
    install_missing
    mkdir -p "$directory"
    directory=$(cd "$directory" && pwd)
    chmod 700 "$directory"
    make_certificates >/dev/null 2>&1 || {
        say "openssl could not make the certificates in $directory"
        exit 1
    }
    # Docker does not check the certificate of a registry in 127.0.0.0/8: prefer ::1 under a name.
    host=localhost
    bind=127.0.0.1
    if [ "$(cat /proc/sys/net/ipv6/conf/lo/disable_ipv6 2>/dev/null)" = 0 ]; then
        if ! getent ahostsv6 ip6-localhost >/dev/null 2>&1 && [ -w /etc/hosts ]; then
            echo "::1 ip6-localhost ip6-loopback" >>/etc/hosts # Debian's own names for it
        fi
        if getent ahostsv6 ip6-localhost 2>/dev/null | grep -q '^::1 '; then
            host=ip6-localhost
            bind=::1
        fi
    fi
    port=$(python3 -c "
import socket, sys
s = socket.socket(socket.AF_INET6 if ':' in sys.argv[1] else socket.AF_INET)
s.bind((sys.argv[1], 0))
print(s.getsockname()[1])" "$bind")
    echo "$host:$port" >"$directory/address"
    echo trackstack >"$directory/username"
    (umask 077 && openssl rand -hex 16 >"$directory/password")
    htpasswd -i -B -c "$directory/htpasswd" trackstack <"$directory/password" 2>/dev/null
    cat >"$directory/config.yml" <<CONFIG
version: 0.1
log: {level: warn}
storage:
  filesystem: {rootdirectory: $directory/storage}
  delete: {enabled: true}
http:
  addr: "[$bind]:$port"
  secret: $(openssl rand -hex 16)
  tls: {certificate: $directory/tls.crt, key: $directory/tls.key}
auth:
  htpasswd: {realm: trackstack, path: $directory/htpasswd}
CONFIG
    chmod 600 "$directory/config.yml"
    mkdir -p "$trust/$host:$port"
    cp "$directory/ca.crt" "$trust/$host:$port/ca.crt"
    setsid docker-registry serve "$directory/config.yml" >"$directory/log" 2>&1 </dev/null &
    echo $! >"$directory/pid"
    waited=0
    until python3 -c "
import socket, sys
socket.create_connection((sys.argv[1], int(sys.argv[2])), 1).close()" "$bind" "$port" 2>/dev/null; do
        if [ "$waited" -ge 50 ] || ! runs; then
            say "docker-registry did not come up; its last words:"
            tail -n 5 "$directory/log" >&2
            stop
            exit 1
        fi
        sleep 0.2
        waited=$((waited + 1))
    done
    say "runs at $host:$port"
}

case "$action" in
    start) start ;;
    stop) stop ;;
    *) usage ;;
esac
