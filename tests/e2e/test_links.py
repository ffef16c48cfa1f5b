"""Links on terminals that show them, and what GitHub Actions is told: of a job by hand, and of a stored result."""

import json
import os
import pty
import subprocess

import pytest

from bed import repositories

OPENS = "\033]8;;"
FORGED = "printf '\\033]8;;https://evil.example\\033\\\\click\\033]8;;\\033\\\\\\n\\033]8;;https://evil.example\\007here\\n'"


@pytest.fixture
def job(open_path):
    repository = repositories.Repository(open_path / "repo", {"README.md": "x\n"})
    spec = {
        "version": 1, "id": "j1", "project": "shop", "source": {"repository": f"file://{repository.folder}"},
        "build": {"builder": "commands", "commands": [FORGED, "mkdir dist; echo x >dist/index.html"], "output": "dist"},
        "artifacts": [{"to": f"file:{open_path}/site/"}], "result": f"file:{open_path}/result.json"}
    (open_path / "job.json").write_text(json.dumps(spec))
    return open_path


def on_terminal(arguments, **variables):
    process, master = pty.fork()
    if process == 0:
        os.execve(arguments[0], arguments, {"PATH": os.environ["PATH"], "TERM": "xterm", **variables})
    output = b""
    try:
        while data := os.read(master, 65536):
            output += data
    except OSError:  # the other side is gone
        pass
    os.close(master)
    assert os.waitstatus_to_exitcode(os.waitpid(process, 0)[1]) == 0, output.decode()
    return output.decode()


def addresses(text):
    """Of links that are opened, without those that end one."""
    return [part.split("\033\\")[0] for part in text.split(OPENS)[1:] if not part.startswith("\033\\")]


def run(program, job):
    return [program, "run", "--workspace", str(job / "work"), str(job / "job.json")]


def test_a_job_ends_with_links_and_a_build_makes_none(program, job):
    text = on_terminal(run(program, job))
    assert addresses(text) == [f"file://{job}/site/"], text
    assert " click\033[0m" in text or " click\r" in text, text


@pytest.mark.parametrize("variables", [{"TERM": "dumb"}, {"NO_COLOR": "1"}, {"CI": "true"}])
def test_terminals_that_show_none(program, job, variables):
    text = on_terminal(run(program, job), **variables)
    assert "\033]8" not in text and "job j1 succeeded" in text, text
    assert ("\033[" in text) == ("CI" in variables), text


def test_none_in_a_pipe(program, job):
    ran = subprocess.run(run(program, job), capture_output=True, text=True, timeout=120, check=True,
                         env={"PATH": os.environ["PATH"], "TERM": "xterm"})
    assert "\033" not in ran.stdout, ran.stdout


def test_github_actions_get_a_notice(program, job):
    ran = subprocess.run(run(program, job), capture_output=True, text=True, timeout=120, check=True,
                         env={"PATH": os.environ["PATH"], "GITHUB_ACTIONS": "true", "CI": "true"})
    notices = [line for line in ran.stdout.splitlines() if line.startswith("::notice")]
    assert len(notices) == 1 and "\033" not in ran.stdout, ran.stdout
    assert notices[0].startswith("::notice title=job j1 succeeded::"), notices
    assert notices[0].endswith(f"%0Apublished file://{job}/site/"), notices


def test_a_stored_result_has_links(program, tmp_path):
    path = tmp_path / "result.json"
    path.write_text(json.dumps({
        "schema": "caisson.result/1", "id": "j1", "status": "succeeded", "exit_code": 0,
        "source": {"repository": "https://github.com/user/repo.git", "commit": "0f3c\033]8;;https://evil.example\033\\"},
        "artifacts": [{"url": "s3://site/shop/"}], "log_url": f"file:{tmp_path}/log.gz"}))
    text = on_terminal([program, "result", str(path)])
    commit, site, log = addresses(text)
    assert commit.startswith("https://github.com/user/repo/commit/0f3c") and "\033" not in commit, text
    assert site == "https://s3.console.aws.amazon.com/s3/buckets/site?prefix=shop/", text
    assert log == f"file://{tmp_path}/log.gz", text
    piped = subprocess.run([program, "result", str(path)], capture_output=True, text=True, timeout=30, check=True)
    assert "\033" not in piped.stdout and "pages:" not in piped.stdout, piped.stdout
