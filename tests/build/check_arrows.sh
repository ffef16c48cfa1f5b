#!/usr/bin/env bash
# check_arrows.sh BUILD: tries every include between two layers with the compiler flags of the real build. One along
# the arrows compiles, one against them does not. The arrows stand here once more, so that a slip in
# cmake/layers.cmake does not move them.
set -euo pipefail
build=$1

declare -A arrows=(
    [core]="" [net]="core" [proc]="core net" [spec]="core" [git]="core proc net" [engine]="core proc net"
    [aws]="net core" [oci]="net core" [publish]="aws net core" [cache]="aws net core" [bus]="net core" [detect]="core"
    [report]="aws bus net core" [profiles]="spec report aws bus net core"
    [job]="core net proc spec git engine aws oci publish cache bus detect report profiles"
    [cli]="core net proc spec git engine aws oci publish cache bus detect report profiles job"
    [dispatch]="core net aws bus spec report profiles"
)

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 - "$build" "$work" "${!arrows[@]}" <<'EOF'
# the compiler line of one source a layer, and one header a layer
import json, os, pathlib, shlex, sys
build, work, layers = sys.argv[1], pathlib.Path(sys.argv[2]), sys.argv[3:]
commands = {}
for entry in json.load(open(os.path.join(build, "compile_commands.json"))):
    parts = pathlib.Path(entry["file"]).parts
    if len(parts) >= 3 and parts[-3] == "src" and parts[-2] in layers and parts[-1] != "main.c":
        commands.setdefault(parts[-2], entry)
for layer, entry in commands.items():
    words = shlex.split(entry["command"])
    keep, skip = [], False
    for word in words:
        if skip:
            skip = False
        elif word in ("-o", "-c", "-MT", "-MF"):
            skip = True
        elif word not in ("-MD",):
            keep.append(word)
    (work / (layer + ".flags")).write_text("\0".join(keep) + "\0")
    headers = sorted(pathlib.Path(entry["file"]).parent.glob("*.h"))
    if headers:
        (work / (layer + ".header")).write_text(headers[0].name)
EOF

tried=0 bad=0
for from in "${!arrows[@]}"; do
    [ -f "$work/$from.flags" ] || continue
    mapfile -d '' -t compile <"$work/$from.flags"
    for to in "${!arrows[@]}"; do
        [ -f "$work/$to.header" ] && [ "$from" != "$to" ] || continue
        header=$to/$(cat "$work/$to.header")
        printf '#include "%s"\n' "$header" >"$work/probe.c"
        tried=$((tried + 1))
        allowed=no compiles=no
        case " ${arrows[$from]} " in *" $to "*) allowed=yes ;; esac
        if "${compile[@]}" -fsyntax-only "$work/probe.c" 2>"$work/err"; then compiles=yes; fi
        if [ $allowed != $compiles ]; then
            echo "FAIL: $from including $header: allowed $allowed, compiles $compiles"
            head -n 3 "$work/err"
            bad=1
        elif [ $allowed = no ] && ! grep -q "$header: No such file" "$work/err" && ! grep -q "'$header' file not found" "$work/err"; then
            echo "FAIL: $from including $header failed for another reason:"
            head -n 3 "$work/err"
            bad=1
        fi
    done
done
echo "$tried includes tried"
[ $tried -ge 50 ] || { echo "FAIL: too few layers to check"; bad=1; }
exit $bad
