#!/usr/bin/env bash
# check_security_doc.sh SOURCE: every test that docs/security.md names exists, every line of its tables names one, and
# every attack of the catalogue stands there.
set -euo pipefail
source=$1
document=$source/docs/security.md
catalogues=("$source/tests/e2e/attacks/catalogue.py" "$source/tests/e2e/attacks/image_catalogue.py")
failed=0

fail() {
    echo "FAIL: $*"
    failed=1
}

mapfile -t names < <(grep -o '`[^` ]*`' "$document" | tr -d '`' | grep -E '^attack:|::|^(test|fuzz|check)_.*\.(c|py|sh)$' |
    grep -v '^::' | sort -u)
[ "${#names[@]}" -gt 50 ] || fail "only ${#names[@]} tests are named"
for name in "${names[@]}"; do
    case $name in
    attack:*) grep -qF "\"${name#attack:}\"" "${catalogues[@]}" || fail "$name is not in the catalogue" ;;
    *::*) grep -q "^def ${name#*::}(" "$source/tests/e2e/${name%%::*}" || fail "$name is no test" ;;
    *) [ -n "$(find "$source/tests" -name "$name")" ] || fail "$name is not there" ;;
    esac
done

while IFS= read -r line; do
    fail "no test is named: $line"
done < <(sed -n '/^## The table/,/^## What cannot/p' "$document" | grep '^| ' | grep -v '^| what a \(build\|RUN\)\|^|--' |
    grep -vE '`(attack:[^`]*|[^`]*::[^`]*|[^`]*\.c)` *(`[^`]*` *)*\|$' || true)

while IFS= read -r attack; do
    grep -qF "\`attack:$attack\`" "$document" || fail "the attack $attack is not in docs/security.md"
done < <(sed -sn '/^\(IMAGE_\)*ATTACKS/,$p' "${catalogues[@]}" | grep -oE 'Attack\("[a-z0-9-]+"|"output-with-[a-z]+"' | sed 's/.*"\(.*\)"/\1/' | sort -u)

exit "$failed"
