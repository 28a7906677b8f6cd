#!/bin/sh
# Make sure that a Docker daemon answers: `tools/docker/daemon.sh`. Does nothing where one does.
# Else starts dockerd, installing it from Debian first where it is missing (root only).
set -eu

say() { echo "docker daemon: $*" >&2; }

if docker version --format '{{.Server.Version}}' >/dev/null 2>&1; then
    exit 0
fi
if [ -n "${DOCKER_HOST:-}" ]; then
    say "DOCKER_HOST=$DOCKER_HOST does not answer; start that daemon, or unset DOCKER_HOST"
    exit 1
fi
if [ "$(id -u)" != 0 ]; then
    say "none answers; start Docker, or run this as root to have one started"
    exit 1
fi
if ! command -v dockerd >/dev/null 2>&1 || ! command -v iptables >/dev/null 2>&1; then
    command -v apt-get >/dev/null 2>&1 || {
        say "no dockerd on PATH; install Docker and run this again"
        exit 1
    }
    say "installing docker.io and iptables"
    apt-get update -qq >&2
    DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends \
        docker.io iptables >/dev/null
fi

log=/var/log/dockerd.log
say "starting dockerd (log: $log)"
setsid dockerd >>"$log" 2>&1 </dev/null &
pid=$!
waited=0
until docker version --format '{{.Server.Version}}' >/dev/null 2>&1; do
    if [ "$waited" -ge 60 ] || ! kill -0 "$pid" 2>/dev/null; then
        # A second caller may have won the race for the daemon's lock file.
        docker version >/dev/null 2>&1 && exit 0
        say "dockerd did not come up; its last words:"
        tail -n 5 "$log" >&2
        exit 1
    fi
    sleep 1
    waited=$((waited + 1))
done
