"""Receivers that are slow, silent, dead, flapping or gone for a while: no build waits for one, no memory is taken, and what
the log still has is told when it is back."""

import pytest

from bed import story, told

LINES = 10_000
# What `make test` has of the table: each trouble, and each kind of receiver at least once.
QUICK = {("http", "slow"), ("http", "dead"), ("redis", "flapping"), ("amqp", "gone"), ("sqs", "silent"), ("sns", "gone"),
         ("eventbridge", "flapping"), ("cloudwatch_logs", "slow"), ("github", "dead")}
TABLE = [pytest.param(kind, trouble, marks=[] if (kind, trouble) in QUICK else [pytest.mark.rare])
         for kind in told.KINDS for trouble in ("slow", "silent", "dead", "flapping", "gone")]


@pytest.fixture
def receiver(request, kind):
    made = told.KINDS[kind].of(request)
    yield made
    made.close()


def start(bed, receiver):
    """A build that says its last line, and has something left to do."""
    repository = bed.repository({"README.md": "x\n"})
    receiver.begin(repository.commit)
    commands = [f"mkdir dist; sleep 1; seq -f 'line %.0f' {LINES}; echo the last line; sleep 2; echo x >dist/index.html"]
    spec = bed.spec(repository, build={"builder": "commands", "commands": commands, "output": "dist"},
                    notify=[receiver.entry])
    return bed.start(spec, services=receiver.services, environment={**story.CA, **receiver.environment})


def peak_mib(task):
    """Of PID 1, in its whole life so far."""
    with open(f"/proc/{task.pid()}/status") as file:
        return next(int(line.split()[1]) / 1024 for line in file if line.startswith("VmHWM:"))


@pytest.mark.parametrize("kind, trouble", TABLE)
def test_no_build_waits_for_it_and_nothing_is_lost(bed, receiver, event_schema, trouble):
    """The trouble lasts until the build has said its last line: so it has not waited."""
    if trouble == "gone":
        task = start(bed, receiver)
        task.wait_for("$   mkdir dist")
    with receiver.trouble(trouble):
        if trouble != "gone":
            task = start(bed, receiver)
        task.wait_for("the last line\n", 90)
        arrived, memory = receiver.arrived(), peak_mib(task)
    ended = bed.finish(task)
    assert ended.code == 0, ended
    receiver.assert_told(ended, event_schema, story.long_lines(LINES))
    assert memory < receiver.most_mib, memory
    if trouble in ("slow", "silent", "dead") and receiver.is_told_lines:
        assert arrived < receiver.arrived() / 2, (arrived, receiver.arrived())
