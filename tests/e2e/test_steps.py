"""What the steps do between checkout and publishing, as the platform's users meet it."""

import json
import threading

import pytest

PACKAGE = {"name": "x", "version": "1.0.0", "scripts": {"build": "mkdir -p dist && echo x >dist/index.html"},
           "dependencies": {"local": "file:./local"}}
LOCAL = {"local/package.json": '{"name": "local", "version": "1.0.0"}'}


def node_spec(bed, files=(), package=PACKAGE, **build):
    repository = bed.repository({"package.json": json.dumps(package), **LOCAL, **dict(files)})
    return bed.spec(repository, build={"output": "dist", **build})


def attempts(ended, step):
    return next(item["attempts"] for item in ended.result["steps"] if item["name"] == step)


@pytest.mark.parametrize("said", [
    "npm error code ECONNRESET", "npm ERR! code ETIMEDOUT", "npm error code EAI_AGAIN",
    "npm error 503 Service Unavailable - GET https://registry.example.test/x", "npm error code E429",
])
def test_install_that_can_pass_is_tried_again(bed, said):
    flaky = f"test -e /tmp/tried && exit 0; touch /tmp/tried; echo '{said}' >&2; exit 1"
    spec = node_spec(bed, {"flaky.sh": flaky}, install="sh flaky.sh",
                     command="mkdir dist; echo x >dist/index.html")
    spec["retry"] = {"max_attempts": 3, "backoff": "100ms"}
    ended = bed.run(spec)
    assert ended.code == 0, ended
    assert attempts(ended, "install") == 2, ended


def test_install_that_cannot_pass_is_not(bed):
    spec = node_spec(bed, install="echo 'npm error code E404' >&2; exit 1")
    ended = bed.run(spec)
    assert ended.code == 30 and attempts(ended, "install") == 1, ended
    assert ended.result["retryable"] is False, ended


def test_other_node_is_a_clear_error(bed):
    ended = bed.run(node_spec(bed, {".nvmrc": "18\n"}))
    assert ended.code not in (0, 59), ended
    said = ended.result["message"] + ended.result["hint"]
    assert "18" in said and "20" in said and ".nvmrc" in said, ended
    assert "image" in said, ended


def test_package_manager_that_is_not_here(bed):
    ended = bed.run(node_spec(bed, {"pnpm-lock.yaml": "lockfileVersion: '9.0'\n"}))
    assert ended.code not in (0, 59), ended
    assert "pnpm" in ended.result["message"], ended


def test_job_without_package_json_is_published_as_it_is(bed):
    spec = bed.spec(bed.repository({"index.html": "x\n", ".env": "SECRET=1\n"}))
    ended = bed.run(spec)
    assert ended.code == 0, ended
    assert "index.html" in bed.published(spec)
    assert not [path for path in bed.published(spec) if path.startswith(".git/")]


def test_steps_leave_nothing_running(bed):
    look = "cat /proc/[0-9]*/cmdline | tr '\\0' ' ' | grep -q 'sleep 7[7]7' && echo left-$((40 + 2)); true"
    spec = node_spec(bed, {"look.sh": look}, install="(setsid sh -c 'exec sleep 777' &) ; sleep 0.3; sh look.sh",
                     command="sh look.sh; mkdir dist; echo x >dist/index.html")
    ended = bed.run(spec)
    assert ended.code == 0, ended
    assert [line.split()[1] for line in ended.text.splitlines() if "| left-42" in line] == ["install"], ended


def test_build_that_kills_all_it_can(bed):
    spec = bed.commands("mkdir dist; echo x >dist/index.html", "sleep 60 & kill -KILL 1 -1; kill -KILL $$")
    ended = bed.run(spec)
    assert ended.code == 31, ended
    assert bed.published(spec) == {}


def test_whole_job_has_a_limit(bed):
    spec = bed.commands("sleep 60", timeout="1s")
    ended = bed.run(spec)
    assert ended.code == 124 and ended.result["status"] == "timed_out", ended
    assert ended.seconds < 20


def test_checkout_has_a_limit(bed):
    free = threading.Event()
    bed.git.before = lambda request: free.wait(30)
    spec = bed.commands("true", timeouts={"checkout": "1s"}, retry={"max_attempts": 1})
    ended = bed.run(spec)
    free.set()
    assert ended.code == 124 and ended.result["step"] == "checkout", ended
    assert ended.seconds < 20


def test_lfs_pointer_and_submodule_are_named(bed):
    pointer = f"version https://git-lfs.github.com/spec/v1\noid sha256:{'0' * 64}\nsize 12345\n"
    modules = '[submodule "theme"]\n\tpath = theme\n\turl = https://git.example.test/theme\n'
    files = {"index.html": "x\n", "film.mp4": pointer, ".gitmodules": modules,
             ".gitattributes": "*.mp4 filter=lfs diff=lfs merge=lfs -text\n"}
    repository = bed.repository(files)
    repository.add(files, submodules={"theme": "1" * 40})
    spec = bed.spec(repository)
    ended = bed.run(spec)
    assert ended.code == 0, ended
    warnings = [line for line in ended.text.splitlines() if "warning:" in line]
    assert any("film.mp4" in line for line in warnings) and any("theme" in line for line in warnings), ended


@pytest.mark.parametrize("command", [
    "ln -s /etc dist", "mkdir real; echo x >real/index.html; ln -s real dist", "ln -s /tmp dist",
], ids=["system folder", "own folder", "temp folder"])
def test_output_that_is_a_link(bed, command):
    spec = bed.commands(command)
    ended = bed.run(spec)
    assert ended.code in (32, 42), ended
    assert bed.published(spec) == {}


def test_log_as_json_and_emoji(bed):
    spec = bed.commands("mkdir dist; echo x >dist/index.html; printf 'a\\tb \\377 end\\n'")
    ended = bed.run(spec, arguments=["--log", "json"])
    assert ended.code == 0, ended
    for line in ended.text.strip().split("\n"):
        assert {"time", "type"} <= set(json.loads(line)), line
    ended = bed.run(spec, arguments=["--log", "emoji"])
    assert ended.code == 0 and "\u2705" in ended.text, ended


def test_variables_reach_the_build_as_they_are(bed):
    values = {"A": "two\nlines", "B": "  blanks  ", "C": "$HOME `id` \\ ' \"", "D": "ünïcödé", "E": "", "F": "no"}
    script = "".join(f'printf "%s" "${name}" >dist/{name}; ' for name in values)
    spec = bed.commands(f"mkdir dist; {script}", env=values)
    ended = bed.run(spec)
    assert ended.code == 0, ended
    assert {name: body.decode() for name, body in bed.published(spec).items()} == values


@pytest.mark.parametrize("name", ["AWS_REGION", "LD_PRELOAD", "CAISSON_X", "PATH", "https_proxy", "ECS_X"])
def test_reserved_names_are_refused(bed, name):
    ended = bed.run(bed.commands("true", env={name: "x"}))
    assert ended.code == 10 and name in ended.text, ended
