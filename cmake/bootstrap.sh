#!/usr/bin/env bash
# bootstrap.sh LIST...: installs the Debian packages of cmake/packages/LIST that are missing. Where all are there it
# does nothing and needs neither network nor rights.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)

missing=()
for list in "$@"; do
    while read -r package instead; do
        case $package in '' | '#'*) continue ;; esac
        [ "$(dpkg-query -W -f='${db:Status-Status}' "$package" 2>/dev/null)" != installed ] || continue
        [ -z "$instead" ] || ! sh -c "$instead" >/dev/null 2>&1 || continue
        missing+=("$package")
    done <"$here/packages/$list"
done
[ ${#missing[@]} -gt 0 ] || exit 0

if ! command -v apt-get >/dev/null; then
    echo "error: this is not a Debian machine; install what these packages hold: ${missing[*]}" >&2
    exit 1
fi
as_root=()
if [ "$(id -u)" != 0 ]; then
    # sudo may ask, where somebody is there to answer
    if ! command -v sudo >/dev/null || ! { sudo -n true 2>/dev/null || [ -t 0 ]; }; then
        echo "error: packages are missing and this user cannot install them; as root: apt-get install ${missing[*]}" >&2
        exit 1
    fi
    as_root=(sudo)
fi
echo "installing: ${missing[*]}" >&2
# the package lists may be as old as the machine
"${as_root[@]}" apt-get -qq -o DPkg::Lock::Timeout=300 update >&2
"${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get -qq -o Dpkg::Use-Pty=0 -o DPkg::Lock::Timeout=300 \
    install -y --no-install-recommends "${missing[@]}" >&2
