#!/usr/bin/env python3
"""moto's AWS APIs, made good where terraform's AWS provider looks closer than moto does.

    aws_server.py -H 127.0.0.1 -p 0        (the arguments of moto_server)

Each correction says what AWS answers and moto does not: without it a second plan is not empty, or a call fails.
"""

import copy
import json
import os
import pathlib
import re
import subprocess
import threading

from moto import server

HERE = pathlib.Path(__file__).resolve().parent


def sqs_attributes():
    """moto forgets Policy when another attribute is set, knows no RedriveAllowPolicy, and puts blanks into JSON."""
    from moto.sqs.models import Queue

    Queue.BASE_ATTRIBUTES = Queue.BASE_ATTRIBUTES + ["RedriveAllowPolicy"]
    set_attributes, read_attributes = Queue._set_attributes, Queue.attributes.fget

    def set_and_keep(self, attributes, now=None):
        policy = getattr(self, "policy", None) if "Policy" not in attributes else None
        set_attributes(self, attributes, now)
        if policy is not None:
            self.policy = policy
        if not getattr(self, "redrive_allow_policy", None):
            self.redrive_allow_policy = None

    def compact(self):
        attributes = read_attributes(self)
        if self.redrive_policy:
            attributes["RedrivePolicy"] = json.dumps(self.redrive_policy, separators=(",", ":"))
        return attributes

    Queue._set_attributes = set_and_keep
    Queue.attributes = property(compact)


def security_group_rules():
    """The description of a rule to a prefix list is not told."""
    from moto.ec2.models.security_groups import SecurityGroupRule as Rule

    begin = Rule.__init__

    def begin_and_keep(self, *arguments, **named):
        prefix_list = named.get("prefix_list_id") or (arguments[7] if len(arguments) > 7 else None)
        begin(self, *arguments, **named)
        self.of_prefix_list = prefix_list.get("Description") if isinstance(prefix_list, dict) else None

    Rule.__init__ = begin_and_keep
    Rule.description = property(
        lambda self: self.ip_range.get("Description") or self.source_group.get("Description") or self.of_prefix_list)


def bucket_policies():
    """A denial with a condition (no TLS, say) denies everything: here such statements are not evaluated at all."""
    from moto.iam.access_control import IAMPolicy, PermissionResult
    from moto.s3.models import FakeBucket

    def permission(self, action, resource):
        if self.policy is None:
            return PermissionResult.NEUTRAL
        document = json.loads(self.policy.decode())
        statements = document["Statement"] if isinstance(document["Statement"], list) else [document["Statement"]]
        document["Statement"] = [statement for statement in statements if not statement.get("Condition")]
        return IAMPolicy(json.dumps(document)).is_action_permitted(action, resource)

    FakeBucket.get_permission = permission


def repository_creation_templates():
    """moto's ECR has none of their four calls."""
    from moto.core.utils import unix_time
    from moto.ecr.responses import ECRResponse as Response

    kept = {}  # (region, prefix) → template

    def key(self, prefix):
        return self.region, prefix

    def write(self):
        asked = {name: value for name, value in json.loads(self.body).items() if value is not None}
        known = kept.get(key(self, asked["prefix"]), {"createdAt": unix_time(), "imageTagMutability": "MUTABLE"})
        kept[key(self, asked["prefix"])] = {**known, **asked, "updatedAt": unix_time()}
        return json.dumps({"registryId": self.current_account,
                           "repositoryCreationTemplate": kept[key(self, asked["prefix"])]})

    def describe(self):
        prefixes = json.loads(self.body).get("prefixes")
        found = [template for (region, prefix), template in kept.items()
                 if region == self.region and (not prefixes or prefix in prefixes)]
        return json.dumps({"registryId": self.current_account, "repositoryCreationTemplates": found})

    def delete(self):
        template = kept.pop(key(self, json.loads(self.body)["prefix"]))
        return json.dumps({"registryId": self.current_account, "repositoryCreationTemplate": template})

    Response.create_repository_creation_template = Response.update_repository_creation_template = write
    Response.describe_repository_creation_templates = describe
    Response.delete_repository_creation_template = delete


def fargate_containers_without_memory():
    """RunTask fails for a container that names no memory of its own."""
    from moto.ecs.models import EC2ContainerServiceBackend as Backend

    calculate = Backend._calculate_task_resource_requirements

    def with_memory(task_definition):
        kept = task_definition.container_definitions
        task_definition.container_definitions = [{"memory": 0, **one} for one in kept]
        try:
            return calculate(task_definition)
        finally:
            task_definition.container_definitions = kept

    Backend._calculate_task_resource_requirements = staticmethod(with_memory)


class Answer:
    def __init__(self):
        self.lock, self.head, self.body = threading.Lock(), None, None


def repeated_requests():
    """A client that asks again, because the answer was late or its connection ended, has the same answer, as it is with
    AWS for many calls: moto tells of a conflict with itself, which a busy machine makes likely. The SDK marks a call and
    its repetitions alike."""
    from moto.server import DomainDispatcherApplication as Application

    call, kept, lock = Application.__call__, {}, threading.Lock()

    def once(self, environ, start_response):
        mark = environ.get("HTTP_AMZ_SDK_INVOCATION_ID")
        if not mark:
            return call(self, environ, start_response)
        with lock:
            answer = kept.setdefault(mark, Answer())
        with answer.lock:
            if answer.head is None or not answer.head[0].startswith("2"):
                def keep(status, headers, _=None):
                    answer.head = status, headers
                answer.body = b"".join(call(self, environ, keep))
            else:
                environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
            start_response(*answer.head)
            return [answer.body]

    Application.__call__ = once


def input_transformers():
    """Within quotes a value stands as text, elsewhere as JSON; what the event lacks is empty text. moto quotes nothing.
    https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-transform-target-input.html"""
    from jsonpath_ng.ext import parse
    from moto.events.utils import EventTemplateParser as Parser

    def transform(input_template, input_paths_map, event):
        if input_template is None:
            return event
        values = {}
        for name, path in (input_paths_map or {}).items():
            found = parse(path).find(event)
            values[name] = found[0].value if found else ""

        def put(match):
            quotes = re.findall(r'(?<!\\)"', input_template[:match.start()])
            value = values[match[1]]
            return str(value) if len(quotes) % 2 else json.dumps(value)

        return json.loads(re.sub(r"<(\w+)>", put, input_template))

    Parser.parse = staticmethod(transform)


def event_patterns():
    """moto does not look into lists of objects: AWS's own matcher does, where EVENT_RULER names the folder of its jars."""
    from moto.events.models import EventPattern

    jars, lock, running = os.environ.get("EVENT_RULER"), threading.Lock(), []
    if not jars:
        return

    def matches(self, event):
        if not self.get_pattern():
            return True
        asked = json.dumps({"patterns": {"rule": self.get_pattern()}, "events": {"event": event}})
        with lock:
            if not running:
                running.append(subprocess.Popen(["java", "-cp", f"{jars}/*", HERE / "Match.java"], text=True,
                                                stdin=subprocess.PIPE, stdout=subprocess.PIPE))
            running[0].stdin.write(asked + "\n")
            running[0].stdin.flush()
            return json.loads(running[0].stdout.readline())["event"] == ["rule"]

    EventPattern.matches_event = matches


def cased(change, value):
    """The value with the first letter of each name changed."""
    if isinstance(value, dict):
        return {change(name[0]) + name[1:]: cased(change, part) for name, part in value.items()}
    return [cased(change, part) for part in value] if isinstance(value, list) else value


class Tasks:
    """ECS as Step Functions speaks with it: all names begin with a capital letter."""

    def __init__(self, client):
        self.client = client

    def run_task(self, **parameters):
        said = self.client.run_task(**cased(str.lower, parameters))
        return cased(str.upper, {"tasks": said["tasks"], "failures": said["failures"]})

    def describe_tasks(self, **parameters):
        said = self.client.describe_tasks(**parameters)
        return {"tasks": said["tasks"], **cased(str.upper, json.loads(json.dumps({"tasks": said["tasks"]}, default=str)))}


class Objects:
    """S3 as Step Functions speaks with it: an object's body is text."""

    def __init__(self, client):
        self.client = client

    def get_object(self, **parameters):
        said = self.client.get_object(**parameters)
        return {"Body": said["Body"].read().decode(), "ETag": said["ETag"], "ContentLength": said["ContentLength"]}


def state_machines():
    """They run, and where AWS_ENDPOINT_URL_ECS and _S3 name other servers, with tasks and objects of those."""
    import boto3
    from moto.core.config import default_user_config
    from moto.stepfunctions.models import StateMachine
    from moto.stepfunctions.parser.asl.component.state.exec.state_task.service import state_task_service_aws_sdk as sdk
    from moto.stepfunctions.parser.asl.component.state.exec.state_task.service import state_task_service_ecs as ecs

    if "AWS_ENDPOINT_URL_ECS" not in os.environ:
        return
    default_user_config["stepfunctions"] = {"execute_state_machine": True}
    StateMachine.__deepcopy__ = lambda self, _: copy.copy(self)  # with all that ran before it could not be copied
    ecs.boto_client_for = lambda region, service, **_: Tasks(boto3.client(service, region_name=region))
    sdk.boto_client_for = lambda region, service, **_: Objects(boto3.client(service, region_name=region))


CORRECTIONS = [fargate_containers_without_memory, repository_creation_templates, sqs_attributes, security_group_rules,
               bucket_policies, repeated_requests, input_transformers, event_patterns,
               state_machines]

if __name__ == "__main__":
    for correct in CORRECTIONS:
        correct()
    server.main()
