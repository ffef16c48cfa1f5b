#!/bin/sh
# plain_repositories.sh ROOT: well-behaved bare repositories for the tests of the checkout. Prints "NAME=COMMIT" lines.
set -eu
root=$1
export GIT_AUTHOR_NAME=Tester GIT_AUTHOR_EMAIL=tester@example.test GIT_AUTHOR_DATE=2026-01-01T00:00:00Z
export GIT_COMMITTER_NAME=Tester GIT_COMMITTER_EMAIL=tester@example.test GIT_COMMITTER_DATE=2026-01-01T00:00:00Z
export GIT_CONFIG_GLOBAL=/dev/null GIT_CONFIG_SYSTEM=/dev/null HOME=/nonexistent

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

start() {
    rm -rf "${work:?}/$1"
    git init --quiet --initial-branch=main "$work/$1"
    cd "$work/$1"
}
finish() {
    git add --all
    git commit --quiet --allow-empty --message "$2"
    git clone --quiet --bare . "$root/$1.git"
}

# main: two commits, a link, a program, odd names; branches, tags of both kinds, a tag of a blob
start plain
mkdir -p src/deep
echo one >src/deep/file
ln -s src/deep/file link
echo '#!/bin/sh' >'prögram x'
chmod 755 'prögram x'
git add --all
git commit --quiet --message 'First'
echo FIRST="$(git rev-parse HEAD)"
git branch develop
echo two >second
git add --all
git commit --quiet --message 'Sécond ☺ subject

body'
echo SECOND="$(git rev-parse HEAD)"
git tag light
git tag --annotate --message 'release' v1.0
git tag blob "$(git rev-parse HEAD:second)"
git checkout --quiet -b feature/x
echo three >third
finish plain 'Third'
git -C "$root/plain.git" symbolic-ref HEAD refs/heads/main
echo THIRD="$(git rev-parse HEAD)"

# the same, but commits may be asked for by id
cp -R "$root/plain.git" "$root/any.git"
git -C "$root/any.git" config uploadpack.allowAnySHA1InWant true

git init --quiet --bare "$root/empty.git"

# the default branch is none
cp -R "$root/plain.git" "$root/headless.git"
git -C "$root/headless.git" symbolic-ref HEAD refs/heads/nowhere

start attributes
printf '* text=auto\n*.bat eol=crlf\n*.txt ident\n' >.gitattributes
printf 'a\r\nb\r\n' >run.bat
printf '$Id$\n' >id.txt
printf 'a\nb\n' >plain.js
finish attributes 'Attributes'

start large-files
printf '*.psd filter=lfs diff=lfs merge=lfs -text\n' >.gitattributes
mkdir art
printf 'version https://git-lfs.github.com/spec/v1\noid sha256:%064d\nsize 12345\n' 0 >art/logo.psd
echo '[submodule "lib"]' >.gitmodules
git add --all
git update-index --add --cacheinfo 160000,1111111111111111111111111111111111111111,vendor/lib
git commit --quiet --message 'Large files'
git clone --quiet --bare . "$root/large-files.git"
