"""Standard output under GitHub Actions: steps that fold, an end that is marked, and nothing that a build could order."""

import json
import re

import pytest

from bed import repositories


@pytest.fixture
def run(open_path, caisson):
    (open_path / "repositories").mkdir()
    repository = repositories.Repository(str(open_path / "repositories"), {"README.md": "x\n"})

    def run(*commands, arguments=(), environment=None):
        spec = {"version": 1, "id": "j1", "project": "shop", "source": {"repository": f"file://{repository.folder}"},
                "build": {"builder": "commands", "commands": list(commands), "output": "dist"},
                "artifacts": [{"to": f"file:{open_path}/out/"}]}
        (open_path / "job.yaml").write_text(json.dumps(spec))
        return caisson("run", "job.yaml", *arguments, cwd=open_path, environment=environment)

    return run


ACTIONS = {"GITHUB_ACTIONS": "true"}
FORGED = r"printf '::error::forged\n  ::set-output name=a::b\n\r::warning::w\n##[error]x\n\033[0m::add-mask::y\n\033]0;::error::z\007::error::q\n'"


def ordered(out):
    """What the runner would obey (ActionCommand: at the beginning of a line, or ##[ anywhere)."""
    assert "##[" not in out
    return [line for line in out.replace("\r", "\n").split("\n") if line.lstrip().startswith("::")]


def test_a_failure_is_folded_and_marked(run):
    done = run(FORGED, "exit 3", environment=ACTIONS)
    assert done.returncode == 31, done
    orders = ordered(done.stdout)
    assert orders[:-1] == [f"::{order}::{step}" if order == "group" else "::endgroup::"
                           for step in ("checkout", "detect", "build") for order in ("group", "endgroup")], orders
    assert re.fullmatch("::error title=build-failed in step build::the commands: exited with code 3%0Acommit [0-9a-f]{40}",
                        orders[-1]), orders
    assert "| ::error::forged\n" in done.stdout


def test_a_success_says_where_it_is(run):
    done = run("mkdir dist", "echo x >dist/index.html", arguments=["--log", "github"])
    assert done.returncode == 0, done
    assert re.fullmatch("::notice title=job j1 succeeded::commit [0-9a-f]{40}%0Apublished file:///.*/out/",
                        ordered(done.stdout)[-1]), done


@pytest.mark.parametrize("environment, arguments", [({}, ()), ({"GITHUB_ACTIONS": "no"}, ()), (ACTIONS, ("--log", "plain"))])
def test_elsewhere_nothing_is_ordered(run, environment, arguments):
    done = run("mkdir dist", "echo x >dist/index.html", environment=environment, arguments=arguments)
    assert done.returncode == 0 and ordered(done.stdout) == [], done


def test_a_task_is_not_github(bed):
    """The variables of a task are the job's: they choose no look."""
    ended = bed.run(bed.commands("mkdir dist", "echo x >dist/index.html"), environment=ACTIONS)
    assert ended.code == 0 and ordered(ended.text) == [], ended
