#!/bin/sh
# Look for known vulnerabilities in an image: `tools/docker/scan.sh IMAGE`.
# Debian's packages against its security archive (what an upgrade would replace), Python's by
# pip-audit against the public advisories. Exits 0 clean, 1 found some, 75 a service cannot be
# reached.
set -eu

say() { echo "scan: $*" >&2; }
[ $# = 1 ] || {
    say "usage: tools/docker/scan.sh IMAGE"
    exit 2
}
image=$1
cd "$(dirname "$0")/../.."
tools/docker/daemon.sh
result=0

found=$(docker run --rm --user 0 --entrypoint sh "$image" -c '
    grep -rqs security /etc/apt/sources.list /etc/apt/sources.list.d || echo no-archive
    apt-get update -qq >/dev/null 2>&1 && apt-get upgrade --simulate -qq || echo no-archive') || {
    say "$image cannot be run"
    exit 1
}
case "$found" in
    *no-archive*)
        say "Debian: the image names no security archive, or it cannot be reached"
        result=75
        ;;
    *Inst*)
        say "Debian: a newer base image has fixes for these"
        echo "$found" | sed -n 's/^Inst //p'
        result=1
        ;;
    *) say "Debian: every package is the newest" ;;
esac

packages=$(mktemp -d)
trap 'rm -rf "$packages"' EXIT
trap 'exit 130' INT TERM
docker run --rm --entrypoint /opt/trackstack/bin/python "$image" -c '
from importlib.metadata import distributions
for one in distributions():
    if one.name != "trackstack":
        print(f"{one.name}=={one.version}")' >"$packages/requirements.txt"
# Asked first: where it is not reached, pip-audit says of each package that PyPI does not have it.
if ! "${UV:-uv}" tool run --quiet pip-audit --version >/dev/null 2>&1; then
    say "Python: pip-audit cannot be had by uv"
    [ "$result" = 1 ] || result=75
elif "${UV:-uv}" tool run --quiet pip-audit --disable-pip --no-deps --progress-spinner off \
    --strict -r "$packages/requirements.txt" >"$packages/found" 2>&1; then
    say "Python: no known vulnerability in $(wc -l <"$packages/requirements.txt") packages"
elif grep -q "^Found .* known vulnerabilit" "$packages/found"; then
    cat "$packages/found"
    result=1
else
    say "Python: the advisories cannot be reached: $(tail -n 1 "$packages/found")"
    [ "$result" = 1 ] || result=75
fi
exit "$result"
