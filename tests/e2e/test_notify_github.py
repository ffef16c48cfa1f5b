"""`notify` to GitHub: the status of the commit that a job builds, beside which a person sees how it went."""

import pytest

from bed import github, story

WHERE = "shop/site"
BUDGET = ["--stop-budget", "5s"]


def start(bed, api, *commands, entry=None, token=None, known=True, **options):
    repository = bed.repository({"README.md": "x\n"})
    if known:
        api.commit(WHERE, repository.commit)
    spec = bed.spec(repository, build={"builder": "commands", "commands": list(commands or story.COMMANDS),
                                       "output": "dist"},
                    notify=[{"github": WHERE, "token": {"env": "GITHUB_TOKEN"}, **(entry or {})}])
    task = bed.start(spec, services=api.services(), environment={**story.CA, "GITHUB_TOKEN": token or api.token},
                     **options)
    return task, repository.commit


def run(bed, api, *commands, **options):
    task, commit = start(bed, api, *commands, **options)
    return bed.finish(task), commit


def states(api, commit):
    return [status["state"] for status in api.statuses[WHERE, commit]]


def test_pending_then_success(bed, github_api):
    ended, commit = run(bed, github_api, entry={"context": "ci/site", "link": "https://ci.example.com/jobs/${id}"})
    assert ended.code == 0 and "undelivered" not in ended.result and github_api.mistakes == [], ended
    assert set(states(github_api, commit)[:-1]) == {"pending"} and states(github_api, commit)[-1] == "success"
    assert github_api.combined(WHERE, commit) == {"ci/site": "success"}
    last = github_api.statuses[WHERE, commit][-1]
    assert last["target_url"] == f"https://ci.example.com/jobs/{ended.result['id']}"
    assert github_api.token not in ended.text


def test_failure_says_why(bed, github_api):
    ended, commit = run(bed, github_api, "echo no; exit 3")
    last = github_api.statuses[WHERE, commit][-1]
    assert ended.code == 31 and last["state"] == "failure" and last["description"].startswith("failed: "), last
    assert github_api.mistakes == []


def test_a_long_message_is_cut(bed, github_api):
    ended, commit = run(bed, github_api, "mkdir dist; exit 3", entry={"context": "é" * 100})
    assert len(github_api.statuses[WHERE, commit][-1]["description"]) <= 140 and github_api.mistakes == [], ended


def test_interrupted_is_an_error(bed, github_api):
    task, commit = start(bed, github_api, "mkdir dist; sleep 60", arguments=BUDGET)
    task.wait_for("$   mkdir dist; sleep 60")
    task.signal("TERM")
    ended = bed.finish(task)
    assert ended.code == 143 and states(github_api, commit)[-1] == "error", ended


def test_what_github_answers_on_bad_days(bed, github_api):
    github_api.faults += [github.unavailable(), github.secondary_limit(1), github.drop(), github.rate_limited(1)]
    ended, commit = run(bed, github_api)
    assert ended.code == 0 and "undelivered" not in ended.result and github_api.mistakes == [], ended
    assert states(github_api, commit)[-1] == "success"


@pytest.mark.parametrize("case", ["token", "reader", "repository"])
def test_who_is_refused_says_why_and_fails_no_job(bed, github_api, case):
    github_api.readers.add("ghp_reader")
    token = {"token": "ghp_nobody", "reader": "ghp_reader"}.get(case)
    ended, _ = run(bed, github_api, token=token, known=case != "repository", arguments=BUDGET)
    assert ended.code == 0 and ended.result["status"] == "succeeded" and ended.seconds < 20, ended
    assert f"github {WHERE}" in story.undelivered(ended) and "may write commit statuses" in ended.text
    assert "ghp_" not in ended.text


def test_an_authority_that_nobody_knows(bed, github_api, stranger):
    github_api.authority = stranger
    ended, _ = run(bed, github_api, arguments=BUDGET)
    assert ended.code == 0 and "certificate" in story.undelivered(ended) and github_api.requests == [], ended
    assert github_api.token not in ended.text


def test_a_job_without_a_commit_has_no_status(bed, github_api):
    """Nothing was checked out, so there is nothing to say it of."""
    spec = bed.spec(source={"repository": "http://git.test/open/not-there.git"}, build={
        "builder": "commands", "commands": ["true"]}, notify=[{"github": WHERE, "token": {"env": "GITHUB_TOKEN"}}])
    ended = bed.run(spec, services=github_api.services(), environment={**story.CA, "GITHUB_TOKEN": github_api.token})
    assert ended.code in (20, 21, 22) and github_api.requests == [], ended
