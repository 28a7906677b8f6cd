#!/bin/sh
# Bring a stack up and say how to use it: `tools/up.sh STACK`, in the environment of `. ./env`.
set -eu
stack=$1

if [ ! -f "stacks/Pulumi.$stack.yaml" ]; then
    echo "up: there is no stacks/Pulumi.$stack.yaml; there are:" >&2
    ls stacks | sed -n 's/^Pulumi\.\(.*\)\.yaml$/  \1/p' >&2
    exit 2
fi
if ! said=$(pulumi stack select --create "$stack" 2>&1); then
    echo "$said" >&2
    case $said in *passphrase*)
        echo "up: encryptionsalt in stacks/Pulumi.$stack.yaml belongs to another passphrase than" >&2
        echo "up: this machine's; put that one into .trackstack/passphrase, or remove the line" >&2
        echo "up: (and every secure: value) to begin a stack of your own" >&2
        ;;
    esac
    exit 1
fi
refresh=""
if ! grep -q '^ *trackstack:cloud: *.\{0,1\}\(azure\|oci\)' "stacks/Pulumi.$stack.yaml"; then
    # On this machine: it costs nothing and is soon gone again, so nothing is asked. Containers that
    # somebody stopped are seen by a refresh alone; processes are looked at in every update.
    if grep -q '^ *trackstack:compute: *.\{0,1\}container' "stacks/Pulumi.$stack.yaml"; then
        refresh=--refresh
    fi
    pulumi up --yes --skip-preview $refresh --stack "$stack" --suppress-outputs
elif [ -t 0 ]; then
    pulumi up --stack "$stack" --suppress-outputs
else
    pulumi up --yes --skip-preview --stack "$stack" --suppress-outputs
fi
python -m infra.operations.status "$stack"
