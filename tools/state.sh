#!/bin/sh
# Make the place of Pulumi's state and the passphrase of its secrets, where they are missing.
set -eu
cd "$(dirname "$0")/.."
mkdir -p .trackstack/state
chmod 700 .trackstack
if [ ! -s .trackstack/passphrase ]; then
    (umask 077 && .venv/bin/python -c 'import secrets; print(secrets.token_urlsafe(32))' \
        >.trackstack/passphrase)
fi
