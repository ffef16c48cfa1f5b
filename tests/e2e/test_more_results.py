"""Where result and log go, what secrets they keep, and how a plan names what would be done."""

import gzip
import json
import os
import pty
import re
import signal
import subprocess
import threading
import time

import pytest

from bed import repositories
from bed.world import BUCKET, JOBS_BUCKET, storage_options

BUILDS = ("mkdir dist", "echo x >dist/index.html")


@pytest.fixture
def local(open_path):
    """A job of commands from a local repository to a local folder, and the file it stands in."""
    (open_path / "repositories").mkdir()
    repository = repositories.Repository(str(open_path / "repositories"), {"README.md": "x\n"})
    spec = {
        "version": 1, "id": "j1", "project": "shop", "source": {"repository": f"file://{repository.folder}"},
        "build": {"builder": "commands", "commands": list(BUILDS), "output": "dist"},
        "artifacts": [{"to": f"file:{open_path}/out/"}], "result": f"file:{open_path}/result.json",
    }
    return spec, open_path


# -- the log

@pytest.mark.parametrize("name", ["all.log", "all.log.gz"])
def test_log_in_a_file(bed, name):
    spec = bed.commands("echo \"token: $NPM_TOKEN\"", *BUILDS, secrets={"NPM_TOKEN": {"file": "/run/secrets/npm"}},
                        log=f"file:/results/logs/{name}", result="file:/results/result.json")
    ended = bed.run(spec, files={"/run/secrets/npm": ("s3cret-of-a-file\n", 0o400)},
                    volumes={"/results": bed.results_folder()})
    assert ended.code == 0, ended
    with open(os.path.join(bed.results_folder(), "logs", name), "rb") as file:
        stored = file.read()
    text = (gzip.decompress(stored) if name.endswith(".gz") else stored).decode()
    assert "| token: " in text and "$ set -e" in text and "publish" in text, text
    assert "s3cret-of-a-file" not in text + ended.text + json.dumps(ended.result)
    assert ended.result["log_url"] == spec["log"]


def test_log_of_a_failure_is_whole(bed):
    spec = bed.commands("seq 3000; echo 'the last words' >&2; exit 3", log=f"s3://{JOBS_BUCKET}/failed/log.gz")
    ended = bed.run(spec)
    assert ended.code == 31, ended
    text = gzip.decompress(bed.storage.get(JOBS_BUCKET, "failed/log.gz")).decode()
    assert "| 3000\n" in text and "| the last words\n" in text and "exited with code 3" in text


def test_log_that_cannot_be_written(bed):
    spec = bed.commands(*BUILDS, log="s3://no-such-bucket/log.gz")
    ended = bed.run(spec)
    assert ended.code == 0, ended
    assert "log_url" not in ended.result, ended
    assert "the log was not written" in ended.text, ended
    assert any("the log was not written" in text for text in ended.result["warnings"]), ended


def test_places_by_templates(bed):
    spec = bed.commands(*BUILDS)
    spec["result"] = f"s3://{JOBS_BUCKET}/t/${{project}}/${{id}}.json"
    spec["log"] = f"s3://{JOBS_BUCKET}/t/${{project}}/${{id}}.txt"
    spec["artifacts"] = [{"to": f"s3://{BUCKET}/t/${{project}}/${{short_commit}}/${{ref}}/", "s3": storage_options()}]
    task = bed.start(spec)
    assert task.wait() == 0, task.text()
    result = json.loads(bed.storage.get(JOBS_BUCKET, f"t/shop/{spec['id']}.json"))
    bed.schema.validate(result)
    assert result["log_url"] == f"s3://{JOBS_BUCKET}/t/shop/{spec['id']}.txt", result
    place = f"t/shop/{result['source']['commit'][:7]}/main/"
    assert result["artifacts"][0]["url"] == f"s3://{BUCKET}/{place}", result
    assert bed.storage.tree(BUCKET, place) == {"index.html": b"x\n"}


def test_result_arrives_while_nobody_reads(bed):
    """A full pipe on standard output holds back neither result nor log, also of a failure."""
    spec = bed.commands("seq 200000; exit 9", log=f"s3://{JOBS_BUCKET}/unread-failure/log.gz")
    task = bed.start(spec, read_output=False)
    deadline = time.monotonic() + 60
    while (result := bed.result_of(task)) is None:
        assert time.monotonic() < deadline
        time.sleep(0.1)
    assert result["exit_code"] == 31 and result["child_exit_code"] == 9
    assert bed.finish(task, timeout=30).code == 31
    assert "| 200000\n" in gzip.decompress(bed.storage.get(JOBS_BUCKET, "unread-failure/log.gz")).decode()


# -- secrets

def test_secret_too_short_to_hide_is_said(bed):
    spec = bed.commands(*BUILDS, secrets={"PIN": {"env": "TASK_PIN"}})
    ended = bed.run(spec, environment={"TASK_PIN": "42"})
    assert ended.code == 0, ended
    assert re.search(r"warning: PIN is shorter than \d+ characters", ended.text), ended
    assert any("PIN is shorter" in text for text in ended.result["warnings"]), ended


@pytest.mark.parametrize("shape", ["raw", "base64", "url", "split"])
def test_secret_is_hidden_in_its_usual_shapes(bed, shape):
    say = {
        "raw": 'echo "x${NPM_TOKEN}y"',
        "base64": 'printf %s "$NPM_TOKEN" | base64',
        "url": "node -p 'encodeURIComponent(process.env.NPM_TOKEN)'",
        "split": 'printf %s "$NPM_TOKEN" | head -c 9; sleep 0.4; printf %s "$NPM_TOKEN" | tail -c +10; echo',
    }[shape]
    value = "p@ss/w0rd+with&signs"
    shown = {"raw": value, "base64": "cEBzcy93MHJkK3dpdGgmc2lnbnM=", "url": "p%40ss%2Fw0rd%2Bwith%26signs",
             "split": value}[shape]
    ended = bed.run(bed.commands(say, *BUILDS, secrets={"NPM_TOKEN": {"env": "TASK_TOKEN"}}),
                    environment={"TASK_TOKEN": value})
    assert ended.code == 0, ended
    assert shown not in ended.text, ended


def test_all_missing_secrets_are_named_at_once(bed):
    spec = bed.commands(*BUILDS, secrets={"A": {"env": "NOT_HERE"}, "B": {"file": "/run/secrets/neither"}})
    ended = bed.run(spec)
    assert ended.code == 12, ended
    assert "NOT_HERE" in ended.result["message"] and "/run/secrets/neither" in ended.result["message"], ended
    assert bed.git.requests == []


# -- stops

def test_hang_up_is_a_stop(program, local):
    spec, path = local
    spec["build"]["commands"] = ["echo now-$((40 + 2)); sleep 60"]
    process = start(program, spec, path)
    wait_for(process, b"now-42")
    process.send_signal(signal.SIGHUP)
    assert process.wait(20) == 143
    assert json.loads((path / "result.json").read_text())["status"] == "interrupted"
    assert not (path / "out").exists() or not any((path / "out").iterdir())


def test_second_interrupt_means_now(program, local):
    """A build that ignores the first Ctrl-C has its grace; the second ends it at once."""
    spec, path = local
    spec["build"]["commands"] = ["trap '' INT TERM; echo now-$((40 + 2)); while :; do sleep 0.1; done"]
    process = start(program, spec, path)
    wait_for(process, b"now-42")
    process.send_signal(signal.SIGINT)
    time.sleep(1)
    assert process.poll() is None
    process.send_signal(signal.SIGINT)
    at = time.monotonic()
    assert process.wait(20) == 130
    assert time.monotonic() - at < 3
    assert json.loads((path / "result.json").read_text())["status"] == "cancelled"
    assert os.listdir(path / "work") == []


def test_stop_while_an_attempt_is_awaited(bed):
    """The wait between two attempts ends with the stop, not with the backoff."""
    bed.git.flaky = 1000
    spec = bed.commands(*BUILDS, retry={"max_attempts": 5, "backoff": "60s"})
    spec["source"]["repository"] = spec["source"]["repository"].replace("/open/", "/flaky/")
    task = bed.start(spec)
    task.wait_for("trying again in")
    task.signal("TERM")
    at = time.monotonic()
    ended = bed.finish(task)
    assert ended.code == 143 and time.monotonic() - at < 5, ended


def start(program, spec, path):
    (path / "job.json").write_text(json.dumps(spec))
    return subprocess.Popen([program, "run", "--workspace", str(path / "work"), str(path / "job.json")],
                            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, env={"PATH": os.environ["PATH"]})


def wait_for(process, text):
    seen = b""
    while text not in seen:
        data = os.read(process.stdout.fileno(), 65536)
        assert data, seen.decode()
        seen += data
    threading.Thread(target=process.stdout.read, daemon=True).start()


# -- the same words everywhere

def test_two_artifacts_of_one_place(bed):
    spec = bed.commands(*BUILDS)
    spec["artifacts"] = [spec["artifacts"][0], {**spec["artifacts"][0], "from": "public"}]
    ended = bed.run(spec)
    assert ended.code == 10 and "another artifact goes there already" in ended.text, ended


def test_attempts_are_the_specs(bed):
    bed.git.flaky = 2
    spec = bed.commands(*BUILDS, retry={"max_attempts": 2, "backoff": "10ms"})
    spec["source"]["repository"] = spec["source"]["repository"].replace("/open/", "/flaky/")
    ended = bed.run(spec)
    assert ended.code == 20 and ended.result["steps"][0]["attempts"] == 2, ended
    bed.git.flaky = 2
    spec = {**spec, "id": spec["id"] + "-2", "retry": {"max_attempts": 3, "backoff": "10ms"}}
    ended = bed.run(spec)
    assert ended.code == 0 and ended.result["steps"][0]["attempts"] == 3, ended


@pytest.mark.parametrize("form", ["text", "json"])
def test_plan_of_a_checked_out_tree(caisson, tmp_path, form):
    job = tmp_path / "job.yaml"
    job.write_text("version: 1\nproject: shop\nsource: {repository: 'https://git.example.test/x'}\n"
                   "artifacts: [{to: 's3://bucket/${project}/'}]\n")
    folder = os.path.join(repositories.FIXTURES, "vite-react")
    before = sorted(os.listdir(folder))
    plan = caisson("plan", str(job), "--dir", folder, *(["--json"] if form == "json" else []))
    assert plan.returncode == 0, plan
    if form == "json":
        document = json.loads(plan.stdout)
        assert document["spec"]["build"]["framework"] == "vite", document
        assert document["spec"]["build"]["install"] == "npm ci", document
        assert "package-lock.json" in document["origins"]["build.install"], document
    else:
        assert re.search(r"^build.output\s+dist\s+detected from ", plan.stdout, re.M), plan.stdout
        assert re.search(r"^project\s+shop\s+.*line 2", plan.stdout, re.M), plan.stdout
    assert sorted(os.listdir(folder)) == before
    assert caisson("plan", str(job), "--dir", str(tmp_path / "none")).returncode == 2


@pytest.mark.parametrize("keys, folder, path, origin", [
    ("", "", "Dockerfile", "detected in the context"),
    ("context: /", "app", "/Dockerfile", "detected in the context"),
    ("context: app", "", "app/Dockerfile", "not there, and no template is named"),
    ("template: { name: node20 }, context: /app", "app", "/app/Dockerfile", "not there: the template takes its place"),
    ("template: { name: node20, when: always }, context: app", "", "app/Dockerfile",
     "not used: the template takes its place"),
    ("dockerfile: other/D", "app", "other/D", "not there, and no template is named"),
    ("dockerfile: sub/D, context: .", "app", "sub/D", "line 4"),
    ("dockerfile: /out", "app", "/out", "not there, and no template is named"),
])
def test_plan_of_a_dockerfile(caisson, tmp_path, keys, folder, path, origin):
    tree = tmp_path / "tree"
    (tree / "app/sub").mkdir(parents=True)
    (tree / "Dockerfile").write_text("FROM scratch\n")
    (tree / "app/sub/D").write_text("FROM scratch\n")
    (tree / "out").symlink_to("/etc/passwd")
    job = tmp_path / "job.yaml"
    job.write_text("version: 1\nimage: {}\n"
                   f"source: {{repository: 'https://git.example.test/x', directory: '{folder or '.'}'}}\n"
                   f"build: {{ {keys} }}\n")
    plan = caisson("plan", str(job), "--dir", str(tree), "--json")
    assert plan.returncode == 0, plan
    document = json.loads(plan.stdout)
    assert document["spec"]["build"]["dockerfile"] == path, document
    assert document["origins"]["build.dockerfile"] == origin, document
    assert not {"node", "install", "command", "output"} & set(document["spec"]["build"]), document


@pytest.mark.parametrize("command, code, word", [
    ("frobnicate --fast", 127, "frobnicate"), ("exec ./notes.txt", 126, "./notes.txt"),
    ("bash -c 'frob 1'", 127, "frob"), ("/no/such/tool", 127, "/no/such/tool"),
])
def test_script_names_the_command_that_could_not_run(caisson, local, command, code, word):
    spec, path = local
    spec["build"]["commands"] = ["true", "touch notes.txt", command, "true"]
    ran = caisson("run", "--workspace", str(path / "work"), "-", input=json.dumps(spec))
    assert ran.returncode == 31, ran.stdout
    result = json.loads((path / "result.json").read_text())
    assert result["child_exit_code"] == code and f"({word}: " in result["message"], result
    assert "touch notes.txt" not in result["message"], result


def test_colours_of_a_build_do_not_reach_the_result(caisson, local):
    spec, path = local
    spec["build"]["commands"] = ["printf 'sh: 1: a\\033[31mb: not found\\n'; exit 127"]
    assert caisson("run", "--workspace", str(path / "work"), "-", input=json.dumps(spec)).returncode == 31
    assert "\033" not in json.loads((path / "result.json").read_text())["message"]


def test_terminal_has_groups_and_a_live_line(program, local):
    spec, path = local
    spec["build"]["commands"] = ["printf '\\033[32mgreen\\033[0m\\n\\033]0;title\\007\\033[2J'; sleep 1; " + BUILDS[0], BUILDS[1]]
    (path / "job.json").write_text(json.dumps(spec))
    process, master = pty.fork()
    if process == 0:
        os.execve(program, [program, "run", "--workspace", str(path / "work"), str(path / "job.json")],
                  {"PATH": os.environ["PATH"], "TERM": "xterm"})
    output = b""
    try:
        while data := os.read(master, 65536):
            output += data
    except OSError:  # the other side is gone
        pass
    os.close(master)
    assert os.waitstatus_to_exitcode(os.waitpid(process, 0)[1]) == 0, output.decode()
    text = output.decode()
    assert "==> build" in text and "\033[32mgreen" in text and "build done in" in text, text
    assert re.search("\r\033\\[K.*… build 0s", text), text  # the live line …
    assert text.rstrip().split("\r\n")[-1].count("…") == 0, text  # … which is gone at the end
    assert "\033]0;" not in text and "\033[2J" not in text, text  # a build may colour, not steer the terminal
    assert "caisson.result/1" not in text, text
