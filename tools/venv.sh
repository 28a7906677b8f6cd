#!/bin/sh
# Make .venv hold exactly what the lock says: `tools/venv.sh GROUP...` (infra, dev, engine, ...).
# Every package is checked against its hash in requirements.lock. EXTRAS names more of the optional
# dependencies than every stack on this machine has; tests have all.
set -eu
cd "$(dirname "$0")/.."

# The newest Python that is at hand, of those that pyproject.toml allows.
find_python() {
    for candidate in python3.13 python3.12 python3.11 python3.10 python3; do
        if "$candidate" -c 'import sys; sys.exit(sys.version_info < (3, 10))' 2>/dev/null; then
            command -v "$candidate"
            return
        fi
    done
    echo "tools/venv.sh: no Python 3.10 or newer on PATH; install python3 and run this again" >&2
    exit 1
}

# uv from PATH, else from PyPI into a virtual environment of its own.
find_uv() {
    if command -v uv >/dev/null 2>&1; then
        command -v uv
        return
    fi
    if [ ! -x .trackstack/uv/bin/uv ]; then
        if ! "$python" -m venv .trackstack/uv >/dev/null 2>&1; then
            echo "tools/venv.sh: this Python has no venv module; on Debian: apt-get install python3-venv" >&2
            exit 1
        fi
        grep -A 40 '^uv==' requirements.lock | awk 'NR > 1 && !/^ / { exit } { print }' \
            >.trackstack/uv/requirements.txt
        .trackstack/uv/bin/python -m pip install --quiet --disable-pip-version-check \
            --require-hashes -r .trackstack/uv/requirements.txt >&2
    fi
    echo "$PWD/.trackstack/uv/bin/uv"
}

mkdir -p .trackstack
python=$(find_python)
uv=$(find_uv)
export UV_LINK_MODE=copy UV_NO_PROGRESS=1
[ -x .venv/bin/python ] || "$uv" venv --quiet --python "$python" .venv

groups=""
for group in "$@"; do groups="$groups --group $group"; done
case " $* " in *" dev "*) EXTRAS="azure oci s3" ;; esac
for extra in server postgresql mysql oidc ${EXTRAS:-}; do groups="$groups --extra $extra"; done
# shellcheck disable=SC2086 - one word a flag
"$uv" pip install --quiet --python .venv/bin/python --require-hashes -c requirements.lock \
    -r pyproject.toml $groups
"$uv" pip install --quiet --python .venv/bin/python --no-deps --editable .
