#!/usr/bin/env bash
# check_lint.sh SOURCE: shellcheck over every shell script, hadolint over the Dockerfiles, actionlint and zizmor over the
# workflows, and that every action is pinned by a commit and no workflow has a permission that it did not ask for. A
# linter that cannot be had is skipped, counted and loud.
set -euo pipefail
cd "$1"
bad=0
fail() {
    echo "FAIL: $*"
    bad=1
}
skip() { echo "SKIPPED: lint: $*"; }

if venv=$(tests/tools/ensure-venv 2>/tmp/lint.$$); then PATH=$venv/bin:$PATH; else tail -n 3 "/tmp/lint.$$"; fi
rm -f "/tmp/lint.$$"

# what is in the repository, or about to be: not what was built, nor what fixtures hold
mapfile -t files < <(git ls-files --cached --others --exclude-standard 2>/dev/null | grep -v /fixtures/ || true)
[ "${#files[@]}" -gt 0 ] || mapfile -t files < <(find . -name build -prune -o -type f -not -path '*/fixtures/*' -print)
scripts=()
for file in "${files[@]}"; do
    [ -f "$file" ] || continue
    # what has no first line of its own is run, and read, by another
    ! head -c 64 "$file" | head -n 1 | grep -aqE '^#!.*[/ ](ba|da)?sh\b' || scripts+=("$file")
done

if command -v shellcheck >/dev/null; then
    # cmake/deps/prefix is part of the libraries' key, so it says nothing to shellcheck; its words are wanted
    shellcheck --severity=warning --external-sources --source-path=SCRIPTDIR --exclude=SC2046 cmake/deps/prefix ||
        fail "shellcheck: cmake/deps/prefix"
    printf '%s\0' "${scripts[@]}" | grep -zvxF cmake/deps/prefix | xargs -0 -n 20 -P 2 \
        shellcheck --severity=warning --external-sources --source-path=SCRIPTDIR || fail shellcheck
    [ "${#scripts[@]}" -ge 30 ] || fail "only ${#scripts[@]} scripts were found"
else
    skip "no shellcheck: ${#scripts[@]} scripts are not read"
fi

if command -v hadolint >/dev/null; then
    hadolint builder-images/*/Dockerfile || fail hadolint
else
    skip "no hadolint: the Dockerfiles are not read"
fi

workflows=(.github/workflows/*.yml)
if actionlint=$(tests/tools/ensure-go-tool actionlint); then
    "$actionlint" "${workflows[@]}" || fail "actionlint"
else
    skip "no actionlint: the workflows are not read"
fi
if command -v zizmor >/dev/null; then
    zizmor --offline --no-progress --quiet "${workflows[@]}" || fail "zizmor"
else
    skip "no zizmor: the workflows are not read"
fi

for file in "${workflows[@]}"; do
    grep -qxF 'permissions: {}' "$file" || fail "$file gives its jobs permissions that they did not ask for"
    grep -q '^concurrency:' "$file" || fail "$file has no concurrency group"
    jobs=$(grep -c '^    runs-on:' "$file")
    [ "$(grep -c '^    timeout-minutes:' "$file")" = "$jobs" ] || fail "a job of $file has no time limit"
    [ "$(grep -c '^    permissions:' "$file")" = "$jobs" ] || fail "a job of $file does not say its permissions"
    if grep -E 'uses: ' "$file" | grep -vE 'uses: [a-z-]+/[a-z-]+@[0-9a-f]{40} # v[0-9.]+$'; then
        fail "an action of $file is not pinned by its commit and version"
    fi
    # these run a fork's pull request with what is this repository's
    if grep -nE '\b(pull_request_target|workflow_run|issue_comment)\b' "$file"; then fail "$file may run for a fork with our rights"; fi
    if grep -nE '\bsecrets\.' "$file"; then fail "$file uses a secret that lives longer than a job"; fi
    # what a job does is a make target; the rest is of Git
    if grep -E '^ *(- )?run: ' "$file" | grep -vE 'run: (make [a-z -]+( >>"\$GITHUB_OUTPUT")?|git checkout --quiet --detach "\$REF")$'; then
        fail "$file does something that is no make target"
    fi
done
echo "${#scripts[@]} scripts, ${#workflows[@]} workflows"
exit $bad
