#!/bin/sh
# Install what a stack's file asks for and others do not, where it is missing: `tools/sdk.sh STACK`.
# The provider SDKs of its cloud, and what keeps artifacts or backups elsewhere than on this machine.
set -eu
cd "$(dirname "$0")/.."
file="stacks/Pulumi.$1.yaml"

value() {
    sed -n "s/^ *trackstack:$1: *[\"']\{0,1\}\([a-z]*\).*/\1/p" "$file" 2>/dev/null
}

# destination's scheme | extra | a package of it
while IFS="|" read -r scheme extra package; do
    if grep -q "^ *trackstack:.*Destination: *[\"']\{0,1\}$scheme://" "$file" 2>/dev/null &&
        ! ls -d .venv/lib/python*/site-packages/$package >/dev/null 2>&1; then
        echo "setup: installing what $scheme:// needs"
        EXTRAS=$extra tools/venv.sh infra </dev/null
    fi
done <<LIST
wasbs|azure|azure/storage
oci|oci|oci
s3|s3|boto3
LIST

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
