#!/usr/bin/env bash
# check_release.sh BINARY ARCH [EMULATOR]: the release binary is what the images rely on.
set -euo pipefail
binary=$1 arch=$2 emulator=${3:-}
bad=0
fail() {
    echo "FAIL: $*"
    bad=1
}

header=$(readelf -hW "$binary")
segments=$(readelf -lW "$binary")
dynamic=$(readelf -dW "$binary")
sections=$(readelf -SW "$binary")
size=$(stat -c %s "$binary")

grep -q 'Type: *DYN' <<<"$header" || fail "not position independent"
case $arch in x86_64) machine=X86-64 ;; *) machine=AArch64 ;; esac
grep -q "Machine: .*$machine" <<<"$header" || fail "not for $arch"
if grep -q INTERP <<<"$segments"; then fail "has an interpreter segment"; fi
if grep -q NEEDED <<<"$dynamic"; then fail "needs shared libraries"; fi
grep -q GNU_RELRO <<<"$segments" || fail "no RELRO"
grep -Eq 'GNU_STACK .* RW ' <<<"$segments" || fail "no non-executable stack"
if grep -Eq 'LOAD .* RWE ' <<<"$segments"; then fail "a segment is writable and executable"; fi
if grep -q TEXTREL <<<"$dynamic"; then fail "has text relocations"; fi
if grep -Eq '\.(symtab|debug_[a-z]+) ' <<<"$sections"; then fail "not stripped"; fi
[ "$size" -le 6500000 ] || fail "$size bytes is over 6.5 MB"
echo "$binary: $size bytes"

# the switches of the test-only binary (src/core/protection.h) are not in this one
if grep -aqF protections-off "$binary"; then fail "its protections can be switched off"; fi

# what the machine it was built on is called has no place in it
for path in "${XDG_CACHE_HOME:-${HOME:-/nonexistent}/.cache}/" "$(cd "$(dirname "$0")/../.." && pwd)/"; do
    if grep -aqF -- "$path" "$binary"; then fail "holds paths of the machine it was built on: $path"; fi
done

if [ "$arch" = "$(uname -m)" ] || [ -n "$emulator" ]; then
    ${emulator:+"$emulator"} "$binary" version >/dev/null || fail "'version' does not run"
else
    echo "not run: no emulator for $arch"
fi
exit $bad
