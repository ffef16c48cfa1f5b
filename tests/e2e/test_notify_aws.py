"""`notify` to Amazon SQS, SNS, EventBridge and CloudWatch Logs: servers behind gates that refuse what AWS refuses."""

import json

import pytest

from bed import aws_gate, ecs, s3, story

BUDGET = ["--stop-budget", "5s"]
COLOURS = r"mkdir dist; printf '\033[31mred\033[0m \001\002 \xef\xbf\xbe end\n'; echo x >dist/index.html"


class Receiver:
    """One of the services, as the tests see it."""

    def __init__(self, api):
        self.api = api

    def services(self):
        return self.api.services()


class Queue(Receiver):
    fifo, key = False, "sqs"

    def __init__(self, api):
        super().__init__(api)
        self.queue = api.queue(fifo=self.fifo)
        self.arn, self.target, self.missing = self.queue.arn, self.queue.url, self.queue.url.replace("/q-", "/gone-")

    def events(self):
        messages = self.queue.take()
        events = [message.document() for message in messages]
        if self.fifo:
            assert [message.deduplication for message in messages] == [event["id"] for event in events]
            assert {message.group for message in messages} == {event["subject"] for event in events}
        return events

    def texts(self):
        return [message.body for message in self.queue.take()]


class FifoQueue(Queue):
    fifo = True


class Topic(Receiver):
    fifo, key = False, "sns"

    def __init__(self, api):
        super().__init__(api)
        self.topic = api.topic(fifo=self.fifo)
        self.arn = self.target = self.topic.arn
        self.missing = self.arn.replace("t-", "gone-")

    def events(self):
        return self.topic.messages()

    def texts(self):
        return [message.document()["Message"] for message in self.topic.take()]


class FifoTopic(Topic):
    fifo = True


class Bus(Receiver):
    key = "eventbridge"

    def __init__(self, api):
        super().__init__(api)
        self.bus = api.bus()
        self.arn, self.target, self.missing = self.bus.arn, self.bus.name, "bus-not-there"

    def events(self):
        entries = self.bus.take()
        assert {entry["source"] for entry in entries} <= {"caisson"}
        assert all(entry["detail-type"] == entry["detail"]["type"] for entry in entries)
        return [entry["detail"] for entry in entries]

    def texts(self):
        return [entry["detail"]["text"] for entry in self.bus.take()]


KINDS = {"sqs": (Queue, "sqs_api"), "sqs-fifo": (FifoQueue, "sqs_api"), "sns": (Topic, "sns_api"),
         "sns-fifo": (FifoTopic, "sns_api"), "eventbridge": (Bus, "events_api")}


@pytest.fixture(params=KINDS)
def receiver(request):
    kind, api = KINDS[request.param]
    return kind(request.getfixturevalue(api))


def start(bed, receiver, *commands, target=None, entry=None, environment=None, changes=None, **options):
    told = {receiver.key: target or receiver.target, "events": ["status", "log"], **(entry or {})}
    spec = bed.commands(*(commands or story.COMMANDS), notify=[told], **(changes or {}))
    return bed.start(spec, services=receiver.services(), environment={**story.CA, **(environment or {})}, **options)


def run(bed, receiver, *commands, **options):
    return bed.finish(start(bed, receiver, *commands, **options))


def assert_told(receiver, ended, schema, again=False):
    """SQS without FIFO and what hands on to it keep no order: the sequence does."""
    assert ended.code == 0 and "undelivered" not in ended.result, ended
    assert receiver.api.mistakes == []
    events = receiver.events()
    if again:
        events = story.told(events)
    if not getattr(receiver, "fifo", False):
        events.sort(key=lambda event: event["sequence"])
    return story.assert_whole(events, ended, schema)


def test_every_event_arrives(bed, receiver, event_schema):
    ended = run(bed, receiver, changes={"labels": {"serviceId": "s1"}})
    events = assert_told(receiver, ended, event_schema)
    assert "built" in story.output_of(events) and events[0]["data"]["labels"] == {"serviceId": "s1"}


@pytest.mark.parametrize("receiver", [
    pytest.param(name, marks=[pytest.mark.rare] if name in ("sqs", "sns") else []) for name in KINDS], indirect=True)
def test_what_fails_for_a_while_comes_again(bed, receiver, event_schema):
    """Throttled, unavailable, cut, and an answer that is lost: with FIFO each is there once, else with one id."""
    receiver.api.faults += [aws_gate.throttled, aws_gate.unavailable, aws_gate.internal, None, aws_gate.drop]
    task = start(bed, receiver, *story.long_build(seconds=1))
    task.wait_for("line 2000")
    receiver.api.lose = 1
    ended = bed.finish(task)
    events = assert_told(receiver, ended, event_schema, again=not getattr(receiver, "fifo", False))
    assert story.output_of(events) == story.long_lines()


@pytest.mark.parametrize("case", ["denied", "missing"])
def test_who_is_refused_says_why_and_fails_no_job(bed, receiver, case):
    if case == "denied":
        receiver.api.denied.add(receiver.arn)
    ended = run(bed, receiver, target=receiver.missing if case == "missing" else None, arguments=BUDGET)
    assert ended.code == 0 and ended.result["status"] == "succeeded", ended
    assert receiver.key in story.undelivered(ended) and ended.seconds < 20
    assert ("not authorized" if case == "denied" else "not exist") in ended.text, ended
    assert receiver.events() == []


@pytest.mark.parametrize("receiver", ["sqs-fifo", "sns-fifo", pytest.param("eventbridge", marks=pytest.mark.rare)], indirect=True)
def test_a_right_that_comes_late(bed, receiver, event_schema):
    """Nothing is left out for a policy that somebody mends, for that of a key, or for a queue that is not there yet."""
    refusals = {"sqs": ["KmsAccessDenied", "QueueDoesNotExist"], "sns": ["KMSAccessDenied"]}.get(receiver.key, [])
    receiver.api.faults += [lambda gate, code=code: gate.fail(aws_gate.Failed(code, f"says {code}", 400)) for code in refusals]
    receiver.api.denied.add(receiver.arn)
    task = start(bed, receiver, *story.long_build(seconds=3))
    task.wait_for("line 500")
    receiver.api.denied.clear()
    ended = bed.finish(task)
    events = assert_told(receiver, ended, event_schema)
    assert story.output_of(events) == story.long_lines()
    assert f"says {refusals[0]}" in ended.text if refusals else "not authorized" in ended.text, ended


def assert_not_trusted(bed, spec, api, **options):
    """Of a service whose certificate is by nobody whom the task trusts."""
    ended = bed.run(spec, services=api.services(), environment={**story.CA, **options}, arguments=BUDGET)
    assert ended.code == 0 and ended.result["status"] == "succeeded", ended
    assert "certificate" in story.undelivered(ended) and "CA bundle" in ended.text
    return ended


@pytest.mark.parametrize("receiver", ["sqs", *(pytest.param(name, marks=pytest.mark.rare) for name in ("sns", "eventbridge"))],
                         indirect=True)
def test_an_authority_that_nobody_knows(bed, receiver, stranger):
    receiver.api.authority = stranger
    assert_not_trusted(bed, bed.commands(*story.COMMANDS, notify=[{receiver.key: receiver.target}]), receiver.api)
    assert receiver.api.calls == []


def test_entries_of_which_some_fail(bed, events_api, event_schema):
    """Of one request: those that were taken do not come again, and the others do."""
    receiver = Bus(events_api)
    events_api.fail_entries += [None, "ThrottlingException", None, "InternalFailure", None, None, "InternalFailure"]
    ended = run(bed, receiver, *story.long_build(seconds=0))
    events = assert_told(receiver, ended, event_schema, again=True)
    assert story.output_of(events) == story.long_lines() and not events_api.fail_entries


def test_control_characters_are_told_by_none(bed, receiver, event_schema):
    """JSON escapes them, and in text they are left out: SQS takes no message that has one."""
    ended = run(bed, receiver, COLOURS)
    events = assert_told(receiver, ended, event_schema)
    assert any("red" in line and "end" in line for line in story.output_of(events))


@pytest.mark.parametrize("receiver", ["sqs", "sns-fifo", "eventbridge"], indirect=True)
def test_plain_text_with_control_characters(bed, receiver):
    ended = run(bed, receiver, COLOURS, entry={"format": "plain"})
    assert ended.code == 0 and "undelivered" not in ended.result and receiver.api.mistakes == [], ended
    texts = receiver.texts()
    assert any("red" in text and "end" in text for text in texts)
    assert f"job {ended.result['id']} succeeded" in texts


@pytest.mark.parametrize("receiver", [
    "sqs", *(pytest.param(name, marks=pytest.mark.rare) for name in ("sns", "eventbridge"))], indirect=True)
def test_no_message_is_too_large(bed, receiver, event_schema):
    """Lines of many bytes in JSON, and labels that go with each event."""
    commands = ("mkdir dist; for i in $(seq 100); do head -c 3000 /dev/zero | tr '\\0' '\"'; echo $i; done; "
                "echo x >dist/index.html",)
    ended = run(bed, receiver, *commands, changes={"labels": {f"label-{i}": "é" * 200 for i in range(30)}})
    events = assert_told(receiver, ended, event_schema)
    assert len(story.output_of(events)) == 100


@pytest.mark.parametrize("receiver", ["sqs", "sns", "eventbridge"], indirect=True)
def test_the_region_is_the_arns(bed, receiver):
    elsewhere = {"AWS_REGION": "us-east-1", "AWS_DEFAULT_REGION": "us-east-1"}
    ended = run(bed, receiver, target=receiver.arn, environment=elsewhere, changes={"result": None})
    assert ended.code == 0 and "not told" not in ended.text, ended
    assert story.kinds(sorted(receiver.events(), key=lambda event: event["sequence"]))[-1] == "finished"


@pytest.mark.parametrize("receiver", ["sns", "sqs"], indirect=True)
def test_credentials_that_expire_are_fetched_anew(bed, receiver, event_schema):
    """The role's keys are those that the task's metadata gives: they end while the job runs."""
    receiver.api.faults += [None, aws_gate.expired_credentials]
    ended = run(bed, receiver)
    assert_told(receiver, ended, event_schema)


def test_a_missing_role_is_said(bed, sqs_api):
    receiver = Queue(sqs_api)
    ended = run(bed, receiver, issue=False, arguments=BUDGET,
                changes={"result": None, "artifacts": None, "type": "test"})
    assert "credentials" in ended.text and sqs_api.calls == [], ended


# -- CloudWatch Logs


def test_log_lines(bed, logs_api):
    group = logs_api.group("/caisson/jobs")
    notify = [{"cloudwatch_logs": group, "events": ["status", "log"]}]
    spec = bed.commands("mkdir dist; echo built; echo; printf 'a\\001b\\n'; "
                        "for i in $(seq 3000); do echo line $i; done; echo x >dist/index.html", notify=notify)
    logs_api.faults += [aws_gate.throttled, None, None, aws_gate.unavailable]
    ended = bed.run(spec, services=logs_api.services(), environment=story.CA)
    assert ended.code == 0 and "undelivered" not in ended.result and logs_api.mistakes == [], ended
    (name,) = (stream for where, stream in logs_api.streams if where == group)
    assert name == f"caisson/{spec['id']}"
    texts = logs_api.texts(group, name)
    assert any("| built" in text for text in texts) and texts[-1] == f"job {spec['id']} succeeded"
    assert [text.split("| ")[1] for text in texts if "| line" in text] == [f"line {i}" for i in range(1, 3001)]


@pytest.mark.parametrize("case", ["denied", "missing"])
def test_log_groups_that_cannot_be_written(bed, logs_api, case):
    group = "/caisson/jobs" if case == "missing" else logs_api.group("/caisson/jobs")
    logs_api.denied.add(f"arn:aws:logs:{s3.REGION}:{ecs.ACCOUNT}:log-group:{group}" if case == "denied" else "")
    spec = bed.commands(*story.COMMANDS, notify=[{"cloudwatch_logs": group}])
    ended = bed.run(spec, services=logs_api.services(), environment=story.CA, arguments=BUDGET)
    assert ended.code == 0 and ended.result["status"] == "succeeded", ended
    assert group in story.undelivered(ended) and ended.seconds < 20


def test_a_stream_that_somebody_removes(bed, logs_api):
    group = logs_api.group("/caisson/jobs")
    task = bed.start(bed.commands(*story.long_build(seconds=3), notify=[{"cloudwatch_logs": group, "events": ["log"]}]),
                     services=logs_api.services(), environment=story.CA)
    task.wait_for("line 500")
    logs_api.streams.clear()
    ended = bed.finish(task)
    assert ended.code == 0 and "undelivered" not in ended.result, ended
    assert any("line 2000" in text for text in logs_api.texts(group, f"caisson/{ended.result['id']}"))


def test_logs_of_an_authority_that_nobody_knows(bed, logs_api, stranger):
    logs_api.authority = stranger
    group = logs_api.group("/caisson/jobs")
    assert_not_trusted(bed, bed.commands(*story.COMMANDS, notify=[{"cloudwatch_logs": group}]), logs_api)
    assert logs_api.calls == []


def test_a_stream_that_is_there_already(bed, logs_api):
    group = logs_api.group("/caisson/jobs")
    logs_api.streams[group, "builds"] = [{"timestamp": 1, "message": "of yesterday"}]
    spec = bed.commands(*story.COMMANDS, notify=[{"cloudwatch_logs": group, "stream": "builds"}])
    ended = bed.run(spec, services=logs_api.services(), environment=story.CA)
    assert ended.code == 0 and "undelivered" not in ended.result, ended
    assert logs_api.texts(group, "builds")[0] == "of yesterday" and len(logs_api.texts(group, "builds")) > 3


def test_everybody_at_once(bed, sqs_api, sns_api, events_api, logs_api, event_schema):
    """Each its own cursor; the same ids, but for batches of lines."""
    receivers = [FifoQueue(sqs_api), FifoTopic(sns_api), Bus(events_api)]
    group = logs_api.group("/caisson/jobs")
    notify = [{receiver.key: receiver.target} for receiver in receivers] + [{"cloudwatch_logs": group}]
    services = [service for receiver in receivers for service in receiver.services()] + logs_api.services()
    ended = bed.run(bed.commands(*story.COMMANDS, notify=notify), services=services, environment=story.CA)
    stories = [assert_told(receiver, ended, event_schema) for receiver in receivers]
    assert len({json.dumps([event["id"] for event in told]) for told in stories}) == 1
    assert logs_api.streams
