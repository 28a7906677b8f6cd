#!/bin/sh
# Print the name of a slim Python base image, for `docker build --build-arg BASE_IMAGE=...`.
# The Dockerfile's own base where it is at hand or can be pulled; else Debian with its python3,
# made here by debootstrap (root only, about a minute). What was made once is used again.
set -eu
cd "$(dirname "$0")/../.."

suite=bookworm
made="trackstack/base:$suite"
official=$(sed -n 's/^ARG BASE_IMAGE=//p' runtime/Dockerfile | head -n 1)

say() { echo "base image: $*" >&2; }
have() { docker image inspect "$1" >/dev/null 2>&1; }

tools/docker/daemon.sh
for image in "$made" "$official"; do
    if have "$image"; then
        echo "$image"
        exit 0
    fi
done
say "pulling $official"
if timeout 120 docker pull --quiet "$official" >/dev/null 2>&1; then
    echo "$official"
    exit 0
fi

say "cannot be pulled; making $made by debootstrap"
if [ "$(id -u)" != 0 ]; then
    say "that takes root; run this as root, or set BASE_IMAGE to an image that can be pulled"
    exit 1
fi
if ! command -v debootstrap >/dev/null 2>&1; then
    apt-get update -qq >&2
    DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends \
        debootstrap >/dev/null
fi
root=$(mktemp -d)
trap 'rm -rf "$root"' EXIT
trap 'exit 130' INT TERM
if ! debootstrap --variant=minbase --include=ca-certificates,python3,python3-venv \
    "$suite" "$root/fs" >"$root/log" 2>&1; then
    say "debootstrap failed; its last words:"
    tail -n 5 "$root/log" >&2
    exit 1
fi
# debootstrap has taken its default mirror; the updates lie beside it.
mirror=$(sed -n 's,^deb \(http[^ ]*\)/debian .*,\1,p' "$root/fs/etc/apt/sources.list" | head -n 1)
say "adding $suite's security updates"
for archive in "debian $suite-updates" "debian-security $suite-security"; do
    echo "deb $mirror/$archive main"
done >>"$root/fs/etc/apt/sources.list"
if ! { chroot "$root/fs" apt-get update -qq &&
    DEBIAN_FRONTEND=noninteractive chroot "$root/fs" apt-get upgrade -y -qq; } >"$root/log" 2>&1; then
    say "they cannot be had; its last words:"
    tail -n 5 "$root/log" >&2
    exit 1
fi
# As slim as the official images: no package lists, documents, or translations.
rm -rf "$root"/fs/var/cache/apt/* "$root"/fs/var/lib/apt/lists/* "$root"/fs/var/log/* \
    "$root"/fs/usr/share/man/* "$root"/fs/usr/share/locale/* "$root"/fs/usr/share/info/*
find "$root/fs/usr/share/doc" -type f ! -name copyright -delete
tar -C "$root/fs" --numeric-owner --exclude='./dev/*' --exclude='./proc/*' --exclude='./sys/*' -c . |
    docker import - "$made" >/dev/null
echo "$made"
