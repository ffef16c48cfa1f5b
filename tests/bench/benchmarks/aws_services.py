"""SQS, SNS, EventBridge and CloudWatch Logs as sinks' end-to-end tests have them: a gate that checks signature and limits,
before the server that keeps messages. Here it is reached on the loopback, without TLS, as all that sinks are measured with.

It keeps the requests of one job of ours: what the bare client signs and sends is the same, in the same batches."""

import contextlib
import os
from dataclasses import dataclass, field

from bed import http1

from .servers import use

GROUP, STREAM = "/caisson/bench", "bench"
CREATES = b"CreateLogStream"  # once a job: the client finds the stream that is there


@dataclass
class Service:
    """On a free port."""

    gate: object
    endpoint: str  # what its variable in the environment is called, after AWS_ENDPOINT_URL_
    entry: dict  # of `notify`
    operation: str
    forget: object  # what was told; a server keeps all of it in memory
    requests: list = field(default_factory=list)
    keeping: bool = False

    def start(self, stack):
        listener = http1.listen("127.0.0.1")
        self.gate.host = f"127.0.0.1:{listener.getsockname()[1]}"
        http1.serve(listener, self)
        stack.callback(http1.close_listener, listener)
        return self

    def handle(self, request):
        request.tls = True  # the one thing in which this is not as the gate wants it
        answer = self.gate.handle(request)
        self.gate.calls.clear()
        if self.keeping and not request.header("x-amz-target").encode().endswith(CREATES):
            self.requests.append(request.body)
        return answer

    @contextlib.contextmanager
    def kept(self):
        """For the time of a job."""
        self.requests, self.keeping = [], True
        yield
        self.keeping = False

    def environment(self):
        from bed import s3

        keys = self.gate.find_keys.own
        return {f"AWS_ENDPOINT_URL_{self.endpoint}": f"http://{self.gate.host}", "AWS_REGION": s3.REGION,
                "AWS_ACCESS_KEY_ID": keys.access, "AWS_SECRET_ACCESS_KEY": keys.secret, "AWS_SESSION_TOKEN": keys.token}

    def words(self):
        """For tell."""
        from bed import aws_gate, s3

        target = f"{self.gate.prefix}.{self.operation}" if self.gate.prefix else "-"
        return ["aws", self.gate.service, s3.REGION, f"http://{self.gate.host}/", aws_gate.KINDS[self.gate.protocol],
                target]


def start_all(folder, stack):
    """{sink: Service}"""
    from bed import aws_messages, brokers, sqs  # what they are imported with needs the tests' own libraries

    keys = brokers.Keys()
    elasticmq = use(sqs.ElasticMQ(os.path.join(folder, "elasticmq")), stack)
    moto = use(aws_messages.Moto(os.path.join(folder, "moto")), stack)
    sqs_api, sns_api = sqs.Sqs(keys, None, elasticmq), aws_messages.Sns(keys, None, moto)
    events_api, logs_api = aws_messages.Events(keys, None, moto), aws_messages.Logs(keys, None)
    queue, topic, bus, group = sqs_api.queue(), sns_api.topic(), events_api.bus(), logs_api.group(GROUP)

    def purge(made):
        made.client.purge_queue(QueueUrl=made.url)

    return {name: service.start(stack) for name, service in {
        "sqs": Service(sqs_api, "SQS", {"sqs": queue.url}, "SendMessage",
                       lambda: elasticmq.call("PurgeQueue", {"QueueUrl": queue.own_url})),
        "sns": Service(sns_api, "SNS", {"sns": topic.arn}, "Publish", lambda: purge(topic)),
        "eventbridge": Service(events_api, "EVENTBRIDGE", {"eventbridge": bus.name}, "PutEvents", lambda: purge(bus)),
        "cloudwatch_logs": Service(logs_api, "CLOUDWATCH_LOGS",
                                   {"cloudwatch_logs": group, "stream": STREAM, "format": "plain"}, "PutLogEvents",
                                   lambda: logs_api.streams.get((group, STREAM), []).clear()),
    }.items()}
