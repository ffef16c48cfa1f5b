#!/usr/bin/env bash
# check_layers.sh SOURCE BUILD: builds a small tree with this project's own CMake files: a right include builds, one
# against an arrow, one around the arrows ("../") and one by an absolute path do not.
set -euo pipefail
source=$1
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
tree="$work/a tree"
mkdir -p "$tree/src/core" "$tree/src/net"
cp -R "$source/CMakeLists.txt" "$source/cmake" "$tree/"

header() { printf '#ifndef %s_H\n#define %s_H\nint %s(void);\n#endif\n' "$1" "$1" "$1"; }
body() { printf '#include "%s"\nint %s(void) {\n    return 0;\n}\n' "$1" "$2"; }
header core_one >"$tree/src/core/one.h"
header net_two >"$tree/src/net/two.h"
body core/one.h core_one >"$tree/src/core/one.c"

build() { # writes the log, fails as the build does
    cmake -G Ninja -S "$tree" -B "$work/build" -DBUILD_TESTING=OFF -DCAISSON_WERROR=ON >"$work/log" 2>&1 &&
        cmake --build "$work/build" >>"$work/log" 2>&1
}
refused() { # NAME PATTERN
    if build; then
        echo "FAIL: $1 was built"
        exit 1
    fi
    if ! grep -q -- "$2" "$work/log"; then
        echo "FAIL: $1 was refused for another reason:"
        tail -n 20 "$work/log"
        exit 1
    fi
    echo "refused: $1"
}

printf '#include "net/two.h"\n\n#include "core/one.h"\nint net_two(void) {\n    return core_one();\n}\n' >"$tree/src/net/two.c"
build || { echo "FAIL: an include along the arrow was not built"; tail -n 20 "$work/log"; exit 1; }

printf '#include "core/one.h"\n\n#include "net/two.h"\nint core_one(void) {\n    return net_two();\n}\n' >"$tree/src/core/one.c"
refused "an include against the arrow" 'net/two.h: No such file'
printf '#include "core/one.h"\n\n#include "../net/two.h"\nint core_one(void) {\n    return net_two();\n}\n' >"$tree/src/core/one.c"
refused "an include around the arrows" 'Includes of ours are written'
printf '#include "core/one.h"\n\n#include "%s/src/net/two.h"\nint core_one(void) {\n    return net_two();\n}\n' "$tree" >"$tree/src/core/one.c"
refused "an include by an absolute path" 'Includes of ours are written'
