#!/bin/sh
# Install the provider SDKs that a stack's file asks for, where they are missing: `tools/sdk.sh STACK`.
set -eu
cd "$(dirname "$0")/.."
file="stacks/Pulumi.$1.yaml"

value() {
    sed -n "s/^ *trackstack:$1: *[\"']\{0,1\}\([a-z]*\).*/\1/p" "$file" 2>/dev/null
}

case "$(value cloud) $(value compute)" in
azure*) sdks="docker azure" installed="docker azure_native" ;;
oci*) sdks="docker oci" installed="docker oci" ;;
*container) sdks="docker" installed="docker" ;;
*) exit 0 ;;
esac
for name in $installed; do
    if ! ls -d .venv/lib/python*/site-packages/"pulumi_$name" >/dev/null 2>&1; then
        echo "setup: installing the provider SDKs of stack $1 ($sdks)"
        groups=""
        for sdk in $sdks; do groups="$groups infra-$sdk"; done
        # shellcheck disable=SC2086 - one word a group
        exec tools/venv.sh infra $groups
    fi
done
