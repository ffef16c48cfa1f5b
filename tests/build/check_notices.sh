#!/usr/bin/env bash
# check_notices.sh SOURCE: every library of the lock has its licence in what goes with the binary, and stands in NOTICE.
set -euo pipefail
source=$1
list=$source/cmake/deps/licences/list
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
bad=0
fail() {
    echo "FAIL: $*"
    bad=1
}
names_of() { awk '!/^#/ && NF { print $1 }' "$1" | sort -u; }

mapfile -t listed < <(names_of "$list")
mapfile -t locked < <({ names_of "$source/cmake/deps/sources.lock" && printf '%s\n' musl zig; } | sort -u)
[ "${listed[*]}" = "${locked[*]}" ] || fail "licences/list has ${listed[*]}; locked are ${locked[*]}"

# what they call themselves
declare -A called=([curl]=libcurl [zstd]=Zstandard [zig]=compiler-rt)
for name in "${locked[@]}"; do
    grep -qiE "^${called[$name]:-$name} " "$source/NOTICE" || fail "NOTICE does not name $name"
done

"$source/cmake/deps/notices" "$work/doc" >"$work/log" 2>&1 || {
    cat "$work/log"
    # the sources are not kept by everyone who has the libraries
    ! grep -q 'no carrier of' "$work/log" || { echo "SKIPPED: the sources cannot be fetched here"; exit 77; }
    exit 1
}
while read -r name expression _; do
    [ "$expression" != - ] || continue
    text=$(awk -v name="$name" '/^=+$/ && length == 100 { getline; on = $1 == name } on' "$work/doc/third-party.txt")
    [ "${#text}" -ge 700 ] || fail "the licence of $name has ${#text} characters"
    grep -qi copyright <<<"$text" || fail "the licence of $name names no copyright"
    # an expression's first word is one that the text itself uses, or close to it
    case ${expression%%[~-]*} in
    Apache) words='Apache License' ;; MIT) words='Permission is hereby granted, free of charge|The MIT License' ;;
    GPL) words='GNU GENERAL PUBLIC LICENSE' ;; BSD) words='Redistribution and use in source and binary forms' ;;
    Zlib) words="without any express or implied" ;; curl) words='Permission to use, copy, modify, and distribute' ;;
    *) words="no such licence: $expression" ;;
    esac
    grep -qE "$words" <<<"$text" || fail "the licence of $name does not read like $expression"
done < <(awk '!/^#/ && NF' "$list")
echo "${#locked[@]} libraries"
exit $bad
