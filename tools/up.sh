#!/bin/sh
# Bring a stack up and say how to use it: `tools/up.sh STACK`, in the environment of `. ./env`.
set -eu
stack=$1

if [ ! -f "stacks/Pulumi.$stack.yaml" ]; then
    echo "up: there is no stacks/Pulumi.$stack.yaml; there are:" >&2
    ls stacks | sed -n 's/^Pulumi\.\(.*\)\.yaml$/  \1/p' >&2
    exit 2
fi
pulumi stack select --create "$stack" >/dev/null
# A stack on this machine costs nothing and is soon gone again; others are previewed and asked for.
if [ "$stack" = local ] || [ ! -t 0 ]; then
    pulumi up --yes --skip-preview --stack "$stack" --suppress-outputs
else
    pulumi up --stack "$stack" --suppress-outputs
fi
python -m infra.summary "$stack"
