#!/usr/bin/env bash
# check_sources.sh SOURCE: rules of the house that a compiler does not know.
set -euo pipefail
cd "$1"
bad=0
fail() {
    echo "FAIL: $*"
    bad=1
}

while IFS= read -r -d '' file; do
    lines=$(wc -l <"$file")
    [ "$lines" -le 500 ] || fail "$file has $lines lines, over 500"
    if grep -nP '\t| +$' "$file" | head -n 1 | grep .; then fail "$file: tabs or trailing blanks"; fi
    if grep -nwE '(strcpy|strcat|sprintf|vsprintf|gets|alloca|system|popen|tmpnam|mktemp|strtok) ?\(' "$file"; then
        fail "$file: a function that the house does not use"
    fi
    if grep -nwE 'TODO|FIXME|XXX|HACK' "$file"; then fail "$file: unfinished"; fi
done < <(find src tests -name '*.[ch]' -not -path '*/node_modules/*' -not -path '*/fixtures/*' -print0)

# getenv: the command line and the credential chain hand the environment down to everybody else
while IFS= read -r file; do
    case $file in src/cli/* | src/aws/credentials*) ;; *) fail "$file reads the environment" ;; esac
done < <(grep -lwE '(secure_)?getenv ?\(|environ\b' -r src --include='*.c' || true)
exit $bad
