# Shared by the scripts of this folder; sourced, never run.
# shellcheck shell=bash

deps_dir=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
cache=${XDG_CACHE_HOME:-$HOME/.cache}/caisson

say() { printf '[deps] %s\n' "$*" >&2; }
die() {
    printf '[deps] error: %s\n' "$*" >&2
    exit 1
}

case $cache in
*[[:space:]]*) die "the cache folder '$cache' has a space in it, which OpenSSL's build cannot take: set XDG_CACHE_HOME" ;;
/*) ;;
*) die "the cache folder '$cache' is not an absolute path; set XDG_CACHE_HOME" ;;
esac

sha256_of() { sha256sum <"$1" | cut -d' ' -f1; }

# lock_lines FILE [NAME]: the data lines of a lock
lock_lines() { awk -v n="${2:-}" '!/^#/ && NF && (n == "" || $1 == n)' "$deps_dir/$1"; }
