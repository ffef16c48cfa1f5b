"""Amazon SQS: ElasticMQ, strict about limits, and the gate before it, strict about the rest. ElasticMQ is one for all
workers of a run (4 seconds); each test makes queues of its own.

    queue = sqs_api.queue(fifo=True)            # queue.url and queue.arn for a job
    queue.take()                                # takes what is there: [Message], in order
    queue.wait(3)
    sqs_api.mistakes, .calls, .faults, .denied  # see aws_gate.py

In a task: https://sqs.REGION.amazonaws.com.
"""

import contextlib
import http.client
import json
import os
import secrets
import time
from dataclasses import dataclass, field

from . import aws_gate, ecs, http1, s3, servers
from .aws_gate import FIFO_ID, MESSAGE_MAX, NO_XML, Failed

INVALID = "com.amazon.coral.service#InvalidParameterValueException"
OPERATIONS = {"SendMessage": "sqs:SendMessage", "SendMessageBatch": "sqs:SendMessage"}


class ElasticMQ(servers.Server):
    what = "ElasticMQ"

    def setup(self):
        from .world import tool

        kept = {"port": http1.free_port(), "jars": tool("ensure-elasticmq")}
        with open(os.path.join(self.folder, "elasticmq.conf"), "w") as file:
            file.write(f'''include classpath("application.conf")
node-address {{ protocol = http, host = localhost, port = {kept["port"]}, context-path = "" }}
rest-sqs {{ enabled = true, bind-port = {kept["port"]}, bind-hostname = "127.0.0.1", sqs-limits = strict }}
rest-stats {{ enabled = false }}
aws {{ region = {s3.REGION}, accountId = "{ecs.ACCOUNT}" }}
''')
        return kept

    def command(self):
        return ["java", "-Xms32m", "-Xmx192m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1",
                f"-Dconfig.file={self.folder}/elasticmq.conf", "-cp", os.path.join(self.kept["jars"], "*"),
                "org.elasticmq.server.Main"]

    def is_ready(self):
        return "QueueUrls" in self.call("ListQueues", {}) or True

    def call(self, operation, parameters):
        """An OSError or Failed where it is not done."""
        connection = http.client.HTTPConnection("127.0.0.1", self.kept["port"], timeout=30)
        with contextlib.closing(connection):
            try:
                connection.request("POST", "/", json.dumps(parameters), {
                    "Content-Type": "application/x-amz-json-1.0", "X-Amz-Target": f"AmazonSQS.{operation}"})
                answer = connection.getresponse()
                document = json.loads(answer.read() or b"{}")
            except (http.client.HTTPException, ValueError) as error:
                raise OSError(f"ElasticMQ: {error!r}") from None
        if answer.status >= 300:
            raise Failed(document.get("__type", "InternalFailure"), document.get("message", ""), answer.status)
        return document


@dataclass
class Message:
    body: str
    group: str
    deduplication: str
    attributes: dict = field(default_factory=dict)  # {name: text}

    def document(self):
        return json.loads(self.body)


class Queue:
    def __init__(self, server, fifo, **attributes):
        self.server, self.name = server, f"q-{secrets.token_hex(6)}" + (".fifo" if fifo else "")
        self.fifo, self.arn = fifo, f"arn:aws:sqs:{s3.REGION}:{ecs.ACCOUNT}:{self.name}"
        self.url = f"https://sqs.{s3.REGION}.amazonaws.com/{ecs.ACCOUNT}/{self.name}"
        wanted = {"VisibilityTimeout": "30", **({"FifoQueue": "true"} if fifo else {}), **attributes}
        self.own_url = server.call("CreateQueue", {"QueueName": self.name, "Attributes": wanted})["QueueUrl"]

    def take(self):
        found = []
        while True:
            got = self.server.call("ReceiveMessage", {
                "QueueUrl": self.own_url, "MaxNumberOfMessages": 10, "AttributeNames": ["All"],
                "MessageAttributeNames": ["All"]}).get("Messages", [])
            if not got:
                return found
            for one in got:
                said = one.get("Attributes", {})
                found.append(Message(one["Body"], said.get("MessageGroupId"), said.get("MessageDeduplicationId"), {
                    name: value.get("StringValue") for name, value in one.get("MessageAttributes", {}).items()}))
                self.server.call("DeleteMessage", {"QueueUrl": self.own_url, "ReceiptHandle": one["ReceiptHandle"]})

    def wait(self, count, limit_s=20):
        found, deadline = [], time.monotonic() + limit_s
        while len(found) < count:
            found += self.take()
            assert len(found) >= count or time.monotonic() < deadline, f"only {len(found)} messages: {found}"
            time.sleep(0.05)
        return found


class Sqs(aws_gate.Gate):
    """Source of the limits: SQS developer guide, "Message quotas"; API reference, SendMessage and SendMessageBatch. 256 KiB
    is what every queue takes that was not told otherwise before the limit was raised."""

    service, protocol, prefix, operations = "sqs", "json-1.0", "AmazonSQS", OPERATIONS

    def __init__(self, find_keys, authority, server):
        super().__init__(find_keys, authority)
        self.server, self.queues = server, {}

    def queue(self, fifo=False, **attributes):
        made = Queue(self.server, fifo, **attributes)
        self.queues[made.url] = made
        return made

    def resource(self, parameters):
        made = self.queues.get(parameters["QueueUrl"])
        return made.arn if made else parameters["QueueUrl"]

    def perform(self, operation, parameters):
        queue = self.queues.get(parameters["QueueUrl"])
        if queue is None:
            raise Failed("com.amazonaws.sqs#QueueDoesNotExist", "The specified queue does not exist.")
        if operation == "SendMessage":
            self._check(queue, parameters)
        else:
            self._check_batch(queue, parameters["Entries"])
        return self.server.call(operation, {**parameters, "QueueUrl": queue.own_url})

    def _check_batch(self, queue, entries):
        ids = [entry["Id"] for entry in entries]
        kind = "com.amazonaws.sqs#"
        if not entries:
            raise self.mistake("There should be at least one entry", f"{kind}EmptyBatchRequest")
        if len(entries) > 10:
            raise self.mistake("Maximum number of entries per request are 10", f"{kind}TooManyEntriesInBatchRequest")
        if len(set(ids)) != len(ids):
            raise self.mistake("Id repeated", f"{kind}BatchEntryIdsNotDistinct")
        if sum(_size(entry) for entry in entries) > MESSAGE_MAX:
            raise self.mistake("Batch requests cannot be longer than 262144 bytes", f"{kind}BatchRequestTooLong")
        for entry in entries:
            self._check(queue, entry)

    def _check(self, queue, message):
        body, attributes = message["MessageBody"], message.get("MessageAttributes", {})
        if not body:
            raise self.mistake("The request must contain the parameter MessageBody.", INVALID)
        if NO_XML.search(body) or any(NO_XML.search(value.get("StringValue", "")) for value in attributes.values()):
            raise self.mistake("Invalid characters found. Valid unicode characters are #x9 | #xA | #xD | #x20 to #xD7FF",
                               "com.amazonaws.sqs#InvalidMessageContents")
        if _size(message) > MESSAGE_MAX:
            raise self.mistake("One or more parameters are invalid. Reason: Message must be shorter than 262144 bytes.",
                               INVALID)
        if len(attributes) > 10 or any(not value.get("StringValue") for value in attributes.values()):
            raise self.mistake("message attributes: at most 10, none empty", INVALID)
        if queue.fifo:
            check_fifo(self, message, INVALID)
        elif "MessageDeduplicationId" in message:
            raise self.mistake("MessageDeduplicationId is for FIFO queues", INVALID)


def check_fifo(gate, message, code):
    for name in ("MessageGroupId", "MessageDeduplicationId"):
        if not FIFO_ID.fullmatch(message.get(name, "")):
            raise gate.mistake(f"{name} is {message.get(name)!r}: 1 to 128 letters, digits and punctuation", code)


def _size(message):
    return len(message["MessageBody"].encode()) + aws_gate.attributes_size(message.get("MessageAttributes", {}))
