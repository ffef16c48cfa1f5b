"""SNS, EventBridge and CloudWatch Logs. Behind the first two is moto, one for all workers of a run; before all of them the
gate, for moto takes what AWS refuses.

    topic = sns_api.topic(fifo=True)            # topic.arn for a job; a queue is subscribed to it
    topic.take(), topic.wait(3)                 # [sqs.Message] as the queue's consumer gets them: the body is SNS's
                                                # envelope unless the topic was made raw; topic.messages() unwraps
    bus = events_api.bus()                      # bus.name, bus.arn; a rule hands everything on to a queue
    bus.take(), bus.wait(3)                     # [event] as EventBridge hands them on
    group = logs_api.group("/caisson/jobs")     # logs_api.streams[group, stream] -> [{timestamp, message}]

In a task: https://{sns,events,logs}.REGION.amazonaws.com. See aws_gate.py for .mistakes, .calls, .faults, .denied.
"""

import hashlib
import json
import os
import re
import secrets
import time
import uuid

import botocore.session

from . import aws_gate, ecs, http1, s3, servers, sqs
from .aws_gate import MESSAGE_MAX, NO_XML, Failed

DEDUPLICATION_S = 300
ENTRY_TIME_BYTES = 14  # what EventBridge counts for the time of an entry


SESSION = botocore.session.Session()


class Moto(servers.Server):
    what = "moto"

    def setup(self):
        from .world import ROOT, tool

        terraform = os.path.join(ROOT, "tests", "terraform")
        return {"port": http1.free_port(), "server": os.path.join(terraform, "aws_server.py"),
                "venv": tool("ensure-venv", os.path.join(terraform, "requirements.txt"))}

    def command(self):
        return [os.path.join(self.kept["venv"], "bin", "python"), self.kept["server"], "-H", "127.0.0.1", "-p",
                str(self.kept["port"])]

    def environment(self):
        return {"MOTO_ACCOUNT_ID": ecs.ACCOUNT, "AWS_DEFAULT_REGION": s3.REGION, "PYTHONDONTWRITEBYTECODE": "1",
                "AWS_ACCESS_KEY_ID": "none", "AWS_SECRET_ACCESS_KEY": "none"}

    def is_ready(self):
        return servers.answers(self.kept["port"])

    def client(self, service):
        return SESSION.create_client(
            service, s3.REGION, endpoint_url=f"http://127.0.0.1:{self.kept['port']}", aws_access_key_id="none",
            aws_secret_access_key="none")


class _Subscribed:
    """What a queue of moto's gets."""

    def __init__(self, moto, fifo):
        self.client = moto.client("sqs")
        name = f"q-{secrets.token_hex(6)}" + (".fifo" if fifo else "")
        self.url = self.client.create_queue(QueueName=name, Attributes={"FifoQueue": "true"} if fifo else {})["QueueUrl"]
        self.queue_arn = f"arn:aws:sqs:{s3.REGION}:{ecs.ACCOUNT}:{name}"

    def _take(self):
        found = []
        while got := self.client.receive_message(QueueUrl=self.url, MaxNumberOfMessages=10, AttributeNames=["All"],
                                                 MessageAttributeNames=["All"]).get("Messages"):
            for one in got:
                said = one.get("Attributes", {})
                found.append(sqs.Message(one["Body"], said.get("MessageGroupId"), said.get("MessageDeduplicationId"), {
                    name: value.get("StringValue") for name, value in one.get("MessageAttributes", {}).items()}))
                self.client.delete_message(QueueUrl=self.url, ReceiptHandle=one["ReceiptHandle"])
        return found

    def take(self):
        return self._take()

    def put(self, body, group=None):
        """As EventBridge sends to a queue: by its content a FIFO queue knows a message again."""
        fifo = {"MessageGroupId": group, "MessageDeduplicationId": hashlib.sha256(body.encode()).hexdigest()} if group else {}
        self.client.send_message(QueueUrl=self.url, MessageBody=body, **fifo)

    def wait(self, count, limit_s=20):
        found, deadline = [], time.monotonic() + limit_s
        while len(found) < count:
            found += self.take()
            assert len(found) >= count or time.monotonic() < deadline, f"only {len(found)} came: {found}"
            time.sleep(0.05)
        return found


class Topic(_Subscribed):
    def __init__(self, moto, fifo, raw):
        super().__init__(moto, fifo)
        self.fifo, self.raw, self.sent = fifo, raw, {}
        sns = moto.client("sns")
        self.arn = sns.create_topic(Name=f"t-{secrets.token_hex(6)}" + (".fifo" if fifo else ""),
                                    Attributes={"FifoTopic": "true"} if fifo else {})["TopicArn"]
        sns.subscribe(TopicArn=self.arn, Protocol="sqs", Endpoint=self.queue_arn,
                      Attributes={"RawMessageDelivery": "true"} if raw else {})

    def messages(self, count=None):
        """What publishers sent, parsed; with a count, as soon as there are so many."""
        found = self.take() if count is None else self.wait(count)
        return [json.loads(message.body if self.raw else message.document()["Message"]) for message in found]


class Sns(aws_gate.Gate):
    """Source of the limits: SNS API reference, Publish; SNS developer guide, "Message deduplication for FIFO topics"."""

    service, protocol, operations = "sns", "query", {"Publish": "sns:Publish"}

    def __init__(self, find_keys, authority, moto):
        super().__init__(find_keys, authority)
        self.moto, self.client, self.topics = moto, moto.client("sns"), {}

    def topic(self, fifo=False, raw=False):
        made = Topic(self.moto, fifo, raw)
        self.topics[made.arn] = made
        return made

    def resource(self, parameters):
        return parameters.get("TopicArn", "*")

    def perform(self, operation, parameters):
        topic = self.topics.get(parameters.get("TopicArn"))
        if topic is None:
            raise Failed("NotFound", "Topic does not exist", 404)
        self._check(topic, parameters)
        if not topic.fifo:
            return {"MessageId": self.client.publish(**parameters)["MessageId"]}
        at, answer = topic.sent.get(parameters["MessageDeduplicationId"], (0, None))
        if time.monotonic() - at > DEDUPLICATION_S or answer is None:
            made = self.client.publish(**parameters)
            answer = {"MessageId": made["MessageId"], "SequenceNumber": f"1{len(topic.sent):019}"}
            topic.sent[parameters["MessageDeduplicationId"]] = time.monotonic(), answer
        return answer

    def _check(self, topic, parameters):
        message, attributes = parameters["Message"], parameters.get("MessageAttributes", {})
        invalid = "InvalidParameter"
        if not message:
            raise self.mistake("Invalid parameter: Empty message", invalid)
        if NO_XML.search(message) or any(NO_XML.search(one.get("StringValue", "")) for one in attributes.values()):
            raise self.mistake("Invalid parameter: Message Reason: characters that SQS refuses", invalid)
        if len(message.encode()) + aws_gate.attributes_size(attributes) > MESSAGE_MAX:
            raise self.mistake("Invalid parameter: Message too long", invalid)
        if any(not one.get("StringValue") for one in attributes.values()):
            raise self.mistake("Invalid parameter: a message attribute has no value", "ParameterValueInvalid")
        subject = parameters.get("Subject")
        if subject is not None and not re.fullmatch(r"[!-~][ -~]{0,99}", subject):
            raise self.mistake("Invalid parameter: Subject", invalid)  # ASCII, no control characters, at most 100
        if topic.fifo:
            sqs.check_fifo(self, parameters, invalid)
        elif "MessageDeduplicationId" in parameters:
            raise self.mistake("Invalid parameter: MessageDeduplicationId is for FIFO topics", invalid)


class Bus(_Subscribed):
    def __init__(self, moto):
        super().__init__(moto, fifo=False)
        events = moto.client("events")
        self.name = f"bus-{secrets.token_hex(6)}"
        self.arn = events.create_event_bus(Name=self.name)["EventBusArn"]
        events.put_rule(Name="all", EventBusName=self.name, EventPattern=json.dumps({"account": [ecs.ACCOUNT]}))
        events.put_targets(Rule="all", EventBusName=self.name, Targets=[{"Id": "queue", "Arn": self.queue_arn}])

    def take(self):
        return [message.document() for message in self._take()]


class Events(aws_gate.Gate):
    """Source of the limits: EventBridge API reference, PutEvents; user guide, "Calculating PutEvents event entry size".
    fail_entries: codes for the next entries, None for one that is taken."""

    service, protocol, prefix, operations = "events", "json-1.1", "AWSEvents", {"PutEvents": "events:PutEvents"}

    def __init__(self, find_keys, authority, moto):
        super().__init__(find_keys, authority)
        self.moto, self.client, self.buses, self.fail_entries = moto, moto.client("events"), {}, []

    def bus(self):
        made = Bus(self.moto)
        self.buses[made.name] = self.buses[made.arn] = made
        return made

    def resource(self, parameters):
        name = parameters["Entries"][0].get("EventBusName", "default") if parameters["Entries"] else "default"
        return self.buses[name].arn if name in self.buses else name

    def perform(self, operation, parameters):
        entries = parameters["Entries"]
        if sum(_entry_size(entry) for entry in entries) > MESSAGE_MAX:
            raise self.mistake("Total size of the entries in the request is over the limit.")
        answers, taken = [], []
        for entry in entries:
            error = self.fail_entries.pop(0) if self.fail_entries else None
            code, message = (error, "injected by the test") if error else self._why_not(entry)
            if code:
                answers.append({"ErrorCode": code, "ErrorMessage": message})
            else:
                answers.append({"EventId": str(uuid.uuid4())})
                taken.append({name: value for name, value in entry.items() if name != "Time"})
        if taken:
            self.client.put_events(Entries=taken)
        return {"FailedEntryCount": sum("ErrorCode" in answer for answer in answers), "Entries": answers}

    def _why_not(self, entry):
        """(None, None), or how this entry fails; those that no client should send are mistakes too."""
        if entry.get("EventBusName", "default") not in self.buses:
            return "ResourceNotFoundException", f"Event bus {entry.get('EventBusName')} does not exist."
        for name in ("Source", "DetailType", "Detail"):
            if not entry.get(name):
                self.mistakes.append(f"Parameter {name} is not valid. Reason: {name} is a required argument.")
                return "InvalidArgument", self.mistakes[-1]
        if entry["Source"].startswith("aws."):
            self.mistakes.append("Not authorized for the source.")
            return "NotAuthorizedForSourceException", self.mistakes[-1]
        if len(entry["DetailType"]) > 128 or len(entry["Source"]) > 256:
            self.mistakes.append("Source is at most 256 characters, DetailType 128")
            return "InvalidArgument", self.mistakes[-1]
        try:
            good = isinstance(json.loads(entry["Detail"]), dict)
        except ValueError:
            good = False
        if not good:
            self.mistakes.append("Detail is malformed.")
            return "MalformedDetail", self.mistakes[-1]
        return None, None


def _entry_size(entry):
    texts = [entry.get(name) or "" for name in ("Source", "DetailType", "Detail")] + entry.get("Resources", [])
    return (ENTRY_TIME_BYTES if entry.get("Time") is not None else 0) + sum(len(text.encode()) for text in texts)


class Logs(aws_gate.Gate):
    """Source of the limits: CloudWatch Logs API reference, PutLogEvents and CreateLogStream."""

    service, protocol, prefix = "logs", "json-1.1", "Logs_20140328"
    operations = {"PutLogEvents": "logs:PutLogEvents", "CreateLogStream": "logs:CreateLogStream"}
    BATCH_BYTES, BATCH_EVENTS, EVENT_OVERHEAD, DAY_MS = 1048576, 10000, 26, 24 * 3600 * 1000

    def __init__(self, find_keys, authority):
        super().__init__(find_keys, authority)
        self.groups, self.streams = set(), {}

    def group(self, name):
        self.groups.add(name)
        return name

    def texts(self, group, stream):
        return [event["message"] for event in self.streams[group, stream]]

    def resource(self, parameters):
        return f"arn:aws:logs:{s3.REGION}:{ecs.ACCOUNT}:log-group:{parameters['logGroupName']}"

    def perform(self, operation, parameters):
        group, stream = parameters["logGroupName"], parameters["logStreamName"]
        if group not in self.groups:
            raise Failed("ResourceNotFoundException", "The specified log group does not exist.")
        if operation == "CreateLogStream":
            if (group, stream) in self.streams:
                raise Failed("ResourceAlreadyExistsException", "The specified log stream already exists")
            self.streams[group, stream] = []
            return {}
        if (group, stream) not in self.streams:
            raise Failed("ResourceNotFoundException", "The specified log stream does not exist.")
        self._check(parameters["logEvents"])
        self.streams[group, stream] += parameters["logEvents"]
        return {"nextSequenceToken": str(uuid.uuid4().int)}

    def _check(self, events):
        times = [event["timestamp"] for event in events]
        invalid = "InvalidParameterException"
        if sum(len(event["message"].encode()) + self.EVENT_OVERHEAD for event in events) > self.BATCH_BYTES:
            raise self.mistake("Upload too large: more than 1048576 bytes", invalid)
        if times != sorted(times):
            raise self.mistake("Log events in a single PutLogEvents request must be in chronological order.", invalid)
        if times[-1] - times[0] > self.DAY_MS:
            raise self.mistake("a batch of log events spans more than 24 hours", invalid)
        now = self.now() * 1000
        if times[-1] > now + 2 * 3600 * 1000 or times[0] < now - 14 * self.DAY_MS:
            raise self.mistake("rejectedLogEventsInfo: too new or too old", invalid)
