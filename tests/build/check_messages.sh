#!/usr/bin/env bash
# check_messages.sh SOURCE: the golden file of every error message agrees with the sources.
set -euo pipefail
source=$1
if ! diff -u "$source/tests/vectors/error-messages.txt" <(python3 "$source/tests/build/messages.py" "$source"); then
    echo "FAIL: read the new messages once more, then: tests/build/messages.py . > tests/vectors/error-messages.txt"
    exit 1
fi
