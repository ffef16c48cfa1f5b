"""SQS, SNS, EventBridge and CloudWatch Logs of the bed, called by botocore: what AWS refuses is refused."""

import io
import json
import time

import botocore.awsrequest
import botocore.exceptions
import botocore.session
import pytest

from bed import aws_gate, http1, s3, sigv4


SESSION = botocore.session.Session()  # which keeps the services' models


class Raw(io.BytesIO):
    def stream(self, **_):
        yield self.getvalue()


def client_of(gate, keys=None, change=None, region=s3.REGION):
    """botocore's client, whose requests go to the gate by hand. change(http1.Request): after they were signed."""
    keys = keys or gate.find_keys.own
    made = SESSION.create_client(
        gate.service, region, aws_access_key_id=keys.access, aws_secret_access_key=keys.secret,
        aws_session_token=keys.token,
        config=botocore.config.Config(retries={"max_attempts": 0}, parameter_validation=False))

    def send(request, **_):
        parts = http1.urllib.parse.urlsplit(request.url)
        headers = [(name.lower(), value.decode() if isinstance(value, bytes) else value)
                   for name, value in request.headers.items()]
        headers.append(("host", parts.netloc))
        body = request.body.encode() if isinstance(request.body, str) else request.body
        sent = http1.Request(request.method, parts.path or "/", headers, body, tls=True)
        if change:
            change(sent)
        try:
            answer = gate.handle(sent)
        except http1.Drop:
            raise botocore.exceptions.ConnectionClosedError(endpoint_url=request.url) from None
        return botocore.awsrequest.AWSResponse(request.url, answer.status, dict(answer.headers), Raw(answer.body))

    made.meta.events.register(f"before-send.{gate.service}", send)
    return made


def refused(call, *arguments, **named):
    """The code of the error."""
    with pytest.raises(botocore.exceptions.ClientError) as caught:
        call(*arguments, **named)
    return caught.value.response["Error"]["Code"]


EVERY = ["sqs_api", "sns_api", "events_api", "logs_api"]


@pytest.fixture
def any_api(request):
    return request.getfixturevalue(request.param)


def call_of(gate):
    """(call of a client, its arguments) that the gate takes."""
    if gate.service == "sqs":
        return "send_message", {"QueueUrl": gate.queue().url, "MessageBody": "x"}
    if gate.service == "sns":
        return "publish", {"TopicArn": gate.topic().arn, "Message": "x"}
    if gate.service == "events":
        entry = {"EventBusName": gate.bus().name, "Source": "a", "DetailType": "b", "Detail": "{}"}
        return "put_events", {"Entries": [entry]}
    return "create_log_stream", {"logGroupName": gate.group("/a"), "logStreamName": "b"}


@pytest.mark.parametrize("any_api", EVERY, indirect=True)
def test_gates_look_at_signatures_permissions_and_faults(any_api):
    name, arguments = call_of(any_api)
    go = lambda **how: getattr(client_of(any_api, **how), name)(**arguments)
    own = any_api.find_keys.own
    query = any_api.protocol == "query"
    wrong = {
        "SignatureDoesNotMatch InvalidSignatureException": {"keys": sigv4.Keys(own.access, "x", own.token)},
        "InvalidClientTokenId UnrecognizedClientException": {"keys": sigv4.Keys("ASIAUNKNOWN", "x", "y")},
        "InvalidClientTokenId UnrecognizedClientException ": {"keys": sigv4.Keys(own.access, own.secret, "other")},
        "SignatureDoesNotMatch InvalidSignatureException ": {
            "change": lambda request: setattr(request, "body", request.body + b" ")},
        "SignatureDoesNotMatch InvalidSignatureException  ": {
            "change": lambda request: request.headers.__setitem__(
                slice(None), [(key, value.replace(s3.REGION, "us-east-9")) if key == "authorization" else (key, value)
                              for key, value in request.headers])},
    }
    for codes, how in wrong.items():
        assert refused(go, **how) == codes.split()[0 if query else 1]
    own.expires = 0
    assert refused(go) == ("ExpiredToken" if query else "ExpiredTokenException")
    own.expires = float("inf")
    assert any_api.calls == [] and any_api.mistakes == []
    any_api.denied.add(any_api.resource(arguments))
    assert refused(go) == ("AuthorizationError" if query else "AccessDeniedException")
    any_api.denied.clear()
    any_api.faults += [aws_gate.throttled, aws_gate.unavailable, aws_gate.internal]
    assert [refused(go) for _ in range(3)][1:] == ["503", "InternalError" if query else "InternalFailure"]
    any_api.faults.append(aws_gate.drop)
    with pytest.raises(botocore.exceptions.ConnectionClosedError):
        go()
    any_api.lose = 1
    with pytest.raises(botocore.exceptions.ConnectionClosedError):
        go()
    assert len(any_api.calls) == 2 and any_api.calls[-1].answer is not None
    if any_api.service != "logs":
        assert go()["ResponseMetadata"]["HTTPStatusCode"] == 200
    assert any_api.mistakes == []


# -- SQS


def test_sqs_keeps_messages(sqs_api):
    client, queue = client_of(sqs_api), sqs_api.queue()
    client.send_message(QueueUrl=queue.url, MessageBody='{"a": "ü"}', MessageAttributes={
        "kind": {"DataType": "String", "StringValue": "log"}})
    client.send_message_batch(QueueUrl=queue.url, Entries=[{"Id": str(n), "MessageBody": str(n)} for n in range(10)])
    found = queue.wait(11)
    assert sorted(message.body for message in found)[-1] == '{"a": "ü"}'
    assert [message.attributes for message in found if message.attributes] == [{"kind": "log"}]
    client.send_message(QueueUrl=queue.url, MessageBody="x" * aws_gate.MESSAGE_MAX)
    assert sqs_api.mistakes == []


def test_sqs_fifo_keeps_order_and_drops_what_came_before(sqs_api):
    client, queue = client_of(sqs_api), sqs_api.queue(fifo=True)
    for number in [0, 1, 1, 2, 0, 3]:
        client.send_message(QueueUrl=queue.url, MessageBody=f"{number}", MessageGroupId="job:1",
                            MessageDeduplicationId=f"job-1/{number}")
    assert [(message.body, message.group) for message in queue.wait(4)] == [(str(n), "job:1") for n in range(4)]
    sqs_api.lose = 1
    again = {"QueueUrl": queue.url, "MessageBody": "last", "MessageGroupId": "job:1", "MessageDeduplicationId": "last"}
    with pytest.raises(botocore.exceptions.ConnectionClosedError):
        client.send_message(**again)
    client.send_message(**again)
    assert [message.body for message in queue.wait(1)] == ["last"]


WRONG_FOR_SQS = {
    "nothing": {"MessageBody": ""},
    "control characters": {"MessageBody": "a\x1b[31mb"},
    "too large": {"MessageBody": "x" * (aws_gate.MESSAGE_MAX + 1)},
    "too large in bytes": {"MessageBody": "ü" * (aws_gate.MESSAGE_MAX // 2 + 1)},
    "too large with attributes": {"MessageBody": "x" * aws_gate.MESSAGE_MAX,
                                  "MessageAttributes": {"a": {"DataType": "String", "StringValue": "b"}}},
    "deduplication of no FIFO": {"MessageBody": "x", "MessageDeduplicationId": "x"},
    "empty attribute": {"MessageBody": "x", "MessageAttributes": {"a": {"DataType": "String", "StringValue": ""}}},
}
WRONG_FOR_FIFO = [{}, {"MessageGroupId": "a"}, {"MessageDeduplicationId": "a"},
                  {"MessageGroupId": "a b", "MessageDeduplicationId": "a"},
                  {"MessageGroupId": "a", "MessageDeduplicationId": "ü"},
                  {"MessageGroupId": "a" * 129, "MessageDeduplicationId": "a"}]


def test_sqs_refuses(sqs_api):
    queue, fifo = sqs_api.queue(), sqs_api.queue(fifo=True)
    client = client_of(sqs_api)
    for name, how in WRONG_FOR_SQS.items():
        before = len(sqs_api.mistakes)
        refused(client.send_message, QueueUrl=queue.url, **how)
        assert len(sqs_api.mistakes) == before + 1, name
    unknown = client_of(sqs_api, change=resigned(sqs_api, {"QueueUrl": queue.url, "MessageBody": "x", "Subject": "y"}))
    assert "Validation" in refused(unknown.send_message, QueueUrl=queue.url, MessageBody="x")
    for how in WRONG_FOR_FIFO:
        assert "InvalidParameter" in refused(client.send_message, QueueUrl=fifo.url, MessageBody="x", **how)
    batch = lambda entries: refused(client.send_message_batch, QueueUrl=queue.url, Entries=entries)
    assert "TooManyEntries" in batch([{"Id": str(n), "MessageBody": "x"} for n in range(11)])
    assert "NotDistinct" in batch([{"Id": "a", "MessageBody": "x"}] * 2)
    assert "TooLong" in batch([{"Id": str(n), "MessageBody": "x" * 200_000} for n in range(2)])
    assert "DoesNotExist" in refused(client.send_message, QueueUrl=queue.url + "x", MessageBody="x") \
        or "NonExistent" in refused(client.send_message, QueueUrl=queue.url + "x", MessageBody="x")
    assert queue.take() == [] == fifo.take()


def resigned(gate, parameters):
    """Another body, signed anew."""
    def change(request):
        request.body = json.dumps(parameters).encode()
        kept = [(name, value) for name, value in request.headers if name in ("content-type", "x-amz-target")]
        request.headers[:] = [(name.lower(), value) for name, value in sigv4.sign(
            gate.find_keys.own, s3.REGION, "POST", gate.host, "/", headers=kept, body=request.body, service=gate.service)]
    return change


# -- SNS


@pytest.mark.parametrize("raw", [False, True])
def test_sns_hands_on(sns_api, raw):
    topic, client = sns_api.topic(raw=raw), client_of(sns_api)
    client.publish(TopicArn=topic.arn, Message='{"a": "ü"}', Subject="finished", MessageAttributes={
        "type": {"DataType": "String", "StringValue": "log"}})
    if raw:
        assert topic.messages(1) == [{"a": "ü"}]
    else:
        envelope = topic.wait(1)[0].document()
        assert (envelope["Type"], envelope["TopicArn"], envelope["Subject"]) == ("Notification", topic.arn, "finished")
        assert envelope["MessageAttributes"]["type"]["Value"] == "log" and json.loads(envelope["Message"]) == {"a": "ü"}
    assert sns_api.mistakes == []


def test_sns_fifo_keeps_order_and_drops_what_came_before(sns_api):
    topic, client = sns_api.topic(fifo=True), client_of(sns_api)
    for number in [0, 1, 1, 2, 0, 3]:
        client.publish(TopicArn=topic.arn, Message=json.dumps({"n": number}), MessageGroupId="d1",
                       MessageDeduplicationId=str(number))
    assert [message["n"] for message in topic.messages(4)] == [0, 1, 2, 3]
    assert topic.take() == [] and sns_api.mistakes == []


WRONG_FOR_SNS = [{"Message": ""}, {"Message": "\x00"}, {"Message": "x" * (aws_gate.MESSAGE_MAX + 1)},
                 {"Message": "x", "Subject": "ü"}, {"Message": "x", "Subject": "a\nb"},
                 {"Message": "x", "Subject": "x" * 101}, {"Message": "x", "Subject": ""}, {"Message": "x", "MessageDeduplicationId": "x"},
                 {"Message": "x", "MessageAttributes": {"a": {"DataType": "String", "StringValue": ""}}}]


def test_sns_refuses(sns_api):
    topic, fifo, client = sns_api.topic(), sns_api.topic(fifo=True), client_of(sns_api)
    for how in WRONG_FOR_SNS:
        assert "Invalid" in refused(client.publish, TopicArn=topic.arn, **how), how
    for how in WRONG_FOR_FIFO:
        assert "Invalid" in refused(client.publish, TopicArn=fifo.arn, Message="x", **how), how
    assert len(sns_api.mistakes) == len(WRONG_FOR_SNS) + len(WRONG_FOR_FIFO)
    assert "NotFound" in refused(client.publish, TopicArn=topic.arn + "x", Message="x")
    assert topic.take() == [] == fifo.take()


# -- EventBridge


def test_eventbridge_hands_on(events_api):
    bus, client = events_api.bus(), client_of(events_api)
    entry = {"EventBusName": bus.name, "Source": "dev.caisson", "DetailType": "job.finished", "Detail": '{"a": "ü"}',
             "Time": time.time()}
    answer = client.put_events(Entries=[entry] * 3)
    assert answer["FailedEntryCount"] == 0 and len({one["EventId"] for one in answer["Entries"]}) == 3
    found = bus.wait(3)
    assert {(event["source"], event["detail-type"], event["detail"]["a"]) for event in found} == {
        ("dev.caisson", "job.finished", "ü")}
    events_api.fail_entries += [None, "ThrottlingException"]
    answer = client.put_events(Entries=[entry] * 3)
    assert answer["FailedEntryCount"] == 1 and answer["Entries"][1]["ErrorCode"] == "ThrottlingException"
    assert len(bus.wait(2)) == 2 and events_api.mistakes == []


def test_eventbridge_refuses(events_api):
    bus, client = events_api.bus(), client_of(events_api)
    good = {"EventBusName": bus.name, "Source": "a", "DetailType": "b", "Detail": "{}"}
    wrong = [{"Detail": "not JSON"}, {"Detail": "[1]"}, {"Source": ""}, {"DetailType": ""}, {"Source": "aws.ecs"},
             {"DetailType": "x" * 129}]
    for change in wrong:
        assert client.put_events(Entries=[{**good, **change}, good])["FailedEntryCount"] == 1, change
    assert len(events_api.mistakes) == len(wrong)
    assert client.put_events(Entries=[{**good, "EventBusName": "none"}])["FailedEntryCount"] == 1
    assert refused(client.put_events, Entries=[good] * 11) == "ValidationException"
    assert refused(client.put_events, Entries=[]) == "ValidationException"
    large = {**good, "Detail": json.dumps({"x": "y" * 140_000})}
    assert refused(client.put_events, Entries=[large] * 2) == "ValidationException"
    assert len(bus.wait(len(wrong))) == len(wrong)


# -- CloudWatch Logs


def test_logs_keep_lines_in_order_and_refuse(logs_api):
    group, client = logs_api.group("/caisson/jobs"), client_of(logs_api)
    now = int(time.time() * 1000)
    to = {"logGroupName": group, "logStreamName": "job/1"}
    put = lambda *events: client.put_log_events(**to, logEvents=[{"timestamp": at, "message": text} for at, text in events])
    assert "ResourceNotFound" in refused(put, (now, "a"))
    client.create_log_stream(**to)
    assert "AlreadyExists" in refused(client.create_log_stream, **to)
    put((now, "a"), (now, "b"))
    put((now + 1, "c"))
    assert logs_api.texts(group, "job/1") == ["a", "b", "c"] and logs_api.mistakes == []
    for events in ([(now, "late"), (now - 1, "early")], [(now - 2 * logs_api.DAY_MS, "a"), (now, "b")],
                   [(now + 4 * 3600 * 1000, "a")], [(now, "x" * 500_000)] * 3):
        assert "InvalidParameter" in refused(put, *events)
    for name, wrong in (("logStreamName", "a:b"), ("logGroupName", "no group"), ("logStreamName", "x" * 513)):
        assert "Valid" in refused(client.create_log_stream, **{**to, name: wrong})
    assert refused(put, (now, "")) and logs_api.texts(group, "job/1") == ["a", "b", "c"]
