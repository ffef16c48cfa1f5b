#!/usr/bin/env bash
# The builder to beat, as the systems we replace do it: clone, then a script that installs, builds and uploads the files
# one by one. Takes GIT_REPOSITORY__URL, PROJECT_ID, S3_ENDPOINT, S3_BUCKET, INSTALLCOMMAND, BUILDCOMMAND, OUTPUT.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
git clone --quiet "$GIT_REPOSITORY__URL" "$work/output"
OUTPUT_FOLDER=$work/output/${OUTPUT:-dist} PROJECT_FOLDER=$work/output node "$(dirname "$0")/script.js"
