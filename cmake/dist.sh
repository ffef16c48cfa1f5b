#!/usr/bin/env bash
# dist.sh BINARY ARCH FOLDER: what a release offers for download, for one architecture: the binary with its man page and
# licences in an archive, and its SPDX document. The same binary makes the same bytes.
set -euo pipefail
binary=$1 arch=$2 out=$3
root=$(cd "$(dirname "$0")/.." && pwd)
version=${VERSION:-$(sed -nE 's/^project\(.*VERSION ([0-9.]+).*/\1/p' "$root/CMakeLists.txt" | head -n 1)}
[ -n "$version" ] || { echo "dist: CMakeLists.txt names no version" >&2; exit 1; }
export SOURCE_DATE_EPOCH=${SOURCE_DATE_EPOCH:-$(git -C "$root" log -1 --format=%ct)}

name=caisson-$version-linux-$arch
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
umask 022
mkdir -p "$out" "$work/$name"
install -m 755 "$binary" "$work/$name/caisson"
install -m 644 "$root/docs/caisson.1" "$work/$name/"
"$root/cmake/deps/notices" "$work/$name/doc"
tar -C "$work" --sort=name --owner=0 --group=0 --numeric-owner --mtime="@$SOURCE_DATE_EPOCH" -cf - "$name" |
    gzip -9n >"$out/$name.tar.gz"
"$root/builder-images/sbom" "$version" >"$out/$name.spdx.json"
(cd "$out" && sha256sum "$name".*)
