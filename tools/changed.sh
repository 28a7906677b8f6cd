#!/bin/sh
# The Python files that differ from what was pushed last, or else from the last commit; nothing
# where there is no git.
cd "$(dirname "$0")/.."
{
    base=$(git merge-base HEAD '@{upstream}' 2>/dev/null || echo HEAD)
    git diff --name-only --diff-filter=d "$base" -- '*.py'
    git ls-files --others --exclude-standard -- '*.py'
} 2>/dev/null | sort -u
