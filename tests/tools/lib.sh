# Sourced by the installers beside it. They are idempotent, say what they do on standard error, print the path of what
# they installed on standard output, and keep everything but apt packages in the XDG cache.
# shellcheck shell=bash
set -eu
umask 022
export LC_ALL=C.UTF-8

# shellcheck disable=SC2034  # for who sources this
tools_dir=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
cache=${XDG_CACHE_HOME:-$HOME/.cache}/caisson/tools
mkdir -p "$cache"

say() { printf 'tools: %s\n' "$*" >&2; }
die() { say "$*"; exit 1; }

# Runs a command as root: directly, or with a sudo that asks for no password.
as_root() {
    if [ "$(id -u)" = 0 ]; then
        "$@"
    elif command -v sudo >/dev/null && sudo -n true 2>/dev/null; then
        sudo -n -- "$@"
    else
        return 77
    fi
}

apt_missing() {
    local package
    for package in "$@"; do
        dpkg-query -W -f '${db:Status-Abbrev}\n' "$package" 2>/dev/null | grep -q '^.i' || printf '%s\n' "$package"
    done
}

# Installs the Debian packages that are missing; does nothing, and needs no right, when there are none.
apt_install() {
    local missing
    command -v dpkg-query >/dev/null || die "this is not a Debian machine: install these yourself: $*"
    mapfile -t missing < <(apt_missing "$@")
    [ ${#missing[@]} -gt 0 ] || return 0
    say "installing Debian packages: ${missing[*]}"
    apt_get install "${missing[@]}" >&2 || { apt_get update >&2 && apt_get install "${missing[@]}" >&2; } ||
        die "cannot install them; as root run: apt-get install ${missing[*]}"
}

apt_get() {
    local verb=$1 status=0
    shift
    as_root env DEBIAN_FRONTEND=noninteractive apt-get "$verb" -qq -y -o DPkg::Lock::Timeout=300 \
        --no-install-recommends "$@" || status=$?
    [ $status != 77 ] || say "this needs root, or sudo without a password"
    return $status
}

# only_one NAME: waits until no other installer of NAME runs; the lock goes with this process.
only_one() {
    exec 9>"$cache/.$1.lock"
    flock 9
}

# maven_jars NAME-VERSION GROUP:ARTIFACT:VERSION...: fetches these, and all that they need to run, by Maven, and prints
# the folder of the jars.
maven_jars() {
    local to=$cache/$1 artifact group name version
    only_one "$1"
    if [ ! -e "$to/.complete" ]; then
        if ! command -v mvn >/dev/null || ! command -v javac >/dev/null; then
            apt_install maven default-jdk-headless
        fi
        say "fetching $1 by Maven"
        rm -rf "$to"
        mkdir -p "$to"
        shift
        {
            echo '<project xmlns="http://maven.apache.org/POM/4.0.0"><modelVersion>4.0.0</modelVersion>'
            echo '<groupId>tests</groupId><artifactId>tests</artifactId><version>1</version><dependencies>'
            for artifact in "$@"; do
                IFS=: read -r group name version <<<"$artifact"
                echo "<dependency><groupId>$group</groupId><artifactId>$name</artifactId><version>$version</version></dependency>"
            done
            echo '</dependencies></project>'
        } >"$to/pom.xml"
        mvn -q -B -f "$to/pom.xml" org.apache.maven.plugins:maven-dependency-plugin:3.6.1:copy-dependencies \
            -DincludeScope=runtime -DoutputDirectory="$to/lib" >&2
        touch "$to/.complete"
    fi
    printf '%s\n' "$to/lib"
}

# unpacked_packages NAME PACKAGE...: what Debian packages hold, unpacked and not installed, so that no service starts and
# no right is needed. Prints the folder.
unpacked_packages() {
    local to=$cache/$1 work
    command -v apt-get >/dev/null || die "this is not a Debian machine: install these yourself: ${*:2}"
    only_one "$1"
    if [ ! -e "$to/.complete" ]; then
        say "unpacking Debian's ${*:2}"
        work=$(mktemp -d)
        # shellcheck disable=SC2064  # the folder of now
        trap "rm -rf '$work'" EXIT
        (cd "$work" && apt-get -qq -o APT::Sandbox::User=root download "${@:2}") >&2 ||
            { apt_get update >&2 && (cd "$work" && apt-get -qq -o APT::Sandbox::User=root download "${@:2}") >&2; }
        for package in "$work"/*.deb; do dpkg-deb -x "$package" "$work/unpacked"; done
        touch "$work/unpacked/.complete"
        rm -rf "$to"
        mv "$work/unpacked" "$to"
    fi
    printf '%s\n' "$to"
}
