"""Module events: its rendered patterns through AWS's own matcher, and its input transformers, with events as ECS sends
them. When is a job lost? Exactly when the runner's container did not end with an exit code that caisson gives."""

import copy
import functools
import json
import os
import pathlib
import re
import subprocess

import pytest

import rendered
import transformer

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parents[1]
LOST_CONSUMERS = ROOT / "tests/vectors/lost_consumers.json"
ACCOUNT, REGION = "123456789012", "eu-central-1"
CODES = {int(code) for code in re.findall(r"CLASS_\w+ = (\d+)", (ROOT / "src/core/error.h").read_text())}
MEMORY = "OutOfMemoryError: Container killed due to memory usage"
KILLED = "Essential container in task exited"


@pytest.fixture(scope="module")
def plans(tmp_path_factory):
    return rendered.plans(tmp_path_factory.mktemp("events"), "events")


@pytest.fixture(scope="module")
def plan(plans):
    return plans["everything"]


@pytest.fixture(scope="module")
def jars():
    made = subprocess.run([ROOT / "tests/tools/ensure-event-ruler"], stdout=subprocess.PIPE, text=True, check=False)
    if made.returncode != 0:
        pytest.skip("no event-ruler: Maven could not fetch it")
    return made.stdout.strip()


def container(name, code=None, reason=None, status="STOPPED"):
    made = {"containerArn": f"arn:aws:ecs:{REGION}:{ACCOUNT}:container/caisson/t/{name}", "lastStatus": status,
            "name": name, "image": f"registry.example/{name}:1", "taskArn": TASK, "networkInterfaces": [],
            "cpu": "0", "runtimeId": f"t-{name}"}
    if code is not None:
        made["exitCode"] = code
    if reason is not None:
        made["reason"] = reason
    return made


TASK = f"arn:aws:ecs:{REGION}:{ACCOUNT}:task/caisson/0123456789abcdef0123456789abcdef"
VARIABLES = ["AWS_REGION", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "GIT_REPOSITORY__URL", "PROJECT_ID",
             "DEPLOYMENTID", "TOKEN", "PROJECT_ID"]


def event(containers, stop="EssentialContainerExited", reason=KILLED, family="caisson-spec", seen=True, **changes):
    """seen: the agent told of the end."""
    detail = {
        "attachments": [], "availabilityZone": f"{REGION}a", "clusterArn": f"arn:aws:ecs:{REGION}:{ACCOUNT}:cluster/caisson",
        "containers": containers, "cpu": "1024", "createdAt": "2026-01-09T12:00:00.000Z", "desiredStatus": "STOPPED",
        "group": f"family:{family}", "lastStatus": "STOPPED", "launchType": "FARGATE", "memory": "4096",
        "overrides": {"containerOverrides": [{"name": containers[0]["name"], "environment": [
            {"name": name, "value": f"value-of-{name}-{i}"} for i, name in enumerate(VARIABLES)]}]},
        "startedBy": "job-1", "stopCode": stop, "stoppedReason": reason, "stoppedAt": "2026-01-09T12:01:00.000Z",
        "taskArn": TASK, "version": 5,
        "taskDefinitionArn": f"arn:aws:ecs:{REGION}:{ACCOUNT}:task-definition/{family}:7", **changes,
    }
    if seen:
        detail["executionStoppedAt"] = "2026-01-09T12:00:58.000Z"
    return {"version": "0", "id": "11111111-2222-3333-4444-555555555555", "detail-type": "ECS Task State Change",
            "source": "aws.ecs", "account": ACCOUNT, "time": "2026-01-09T12:01:01Z", "region": REGION,
            "resources": [TASK], "detail": {key: value for key, value in detail.items() if value is not None}}


one = functools.partial(container, "builder")
runner = functools.partial(container, "runner")
sandbox = functools.partial(container, "sandbox")
kaniko = functools.partial(event, family="caisson-kaniko")

# name: (event, whether the job is lost)
EVENTS = {
    **{f"exit code {code}": (event([one(code)]), False) for code in sorted(CODES - {2})},
    **{f"runner's exit code {code}": (kaniko([runner(code), sandbox(0)]), False) for code in sorted(CODES - {2})},
    # no job began, so nothing can have reported one
    "the command of the task definition is wrong": (event([one(2)]), True),
    "killed": (event([one(137)]), True),
    "killed, two containers": (kaniko([runner(137), sandbox(0)]), True),
    "killed, the sandbox named first": (kaniko([sandbox(0), runner(137)]), True),
    "crashed": (event([one(139)]), True),
    "aborted": (event([one(134)]), True),
    "another program's failure": (event([one(1)]), True),
    "a code that is not ours": (event([one(255)]), True),
    "out of memory, PID 1 killed": (event([one(137, MEMORY)]), True),
    "out of memory, told by PID 1": (event([one(33, MEMORY)]), False),
    "a child out of memory, the build went on": (event([one(0, MEMORY)]), False),
    "out of memory in the runner": (kaniko([runner(137, MEMORY), sandbox(137)]), True),
    "the sandbox out of memory, told by the runner": (kaniko([runner(33), sandbox(137, MEMORY)]), False),
    "the sandbox failed, told by the runner": (kaniko([sandbox(1), runner(31)]), False),
    "the sandbox failed, the runner does not care": (kaniko([runner(0), sandbox(137)]), False),
    "the sandbox has a code of ours, the runner was killed": (kaniko([sandbox(0), runner(137)]), True),
    "the sandbox never came, told by the runner": (kaniko([runner(52), sandbox()]), False),
    "Spot, told in time": (event([one(143)], "SpotInterruption", "Your Spot Task was interrupted."), False),
    "Spot, two containers, told in time":
        (kaniko([runner(143), sandbox(143)], "SpotInterruption", "Your Spot Task was interrupted."), False),
    "Spot, too late": (event([one(137)], "SpotInterruption", "Your Spot Task was interrupted."), True),
    "stop requested, told": (event([one(143)], "UserInitiated", "Task stopped by user"), False),
    "stop requested, done before": (kaniko([runner(0), sandbox(0)], "UserInitiated", "Task stopped by user"), False),
    "stop requested, killed": (event([one(137)], "UserInitiated", "Task stopped by user"), True),
    "stop requested before it ran": (event([one()], "UserInitiated", "Task stopped by user", seen=False), True),
    "image not pulled": (event([one(reason="CannotPullContainerError: pull access denied")], "TaskFailedToStart",
                               'CannotPullContainerError: failed to resolve "x"', seen=False), True),
    "the sandbox's image not pulled": (kaniko([runner(), sandbox(reason="CannotPullContainerError: not found")],
                                              "TaskFailedToStart", "Task failed to start", seen=False), True),
    "the runner not started, the sandbox ended":
        (kaniko([runner(reason="CannotStartContainerError: no"), sandbox(137)], "TaskFailedToStart", "Task failed to start"), True),
    "the runner not created, said of it alone":
        (kaniko([runner(reason="CannotCreateContainerError: no"), sandbox(137)]), True),
    "secrets not there": (event([one()], "TaskFailedToStart", "ResourceInitializationError: unable to pull secrets",
                                seen=False), True),
    "the host is gone": (event([one()], "TerminationNotice", "Host terminated", seen=False), True),
    "the host is gone, the sandbox was done before":
        (kaniko([runner(), sandbox(0)], "TerminationNotice", "Host terminated", seen=False), True),
    "the host is gone, no stop code": (event([one()], None, "Host terminated", seen=False), True),
    "an exit code of null": (event([{**one(), "exitCode": None}]), True),
}
OTHERS = {
    "still running": event([one(status="RUNNING")], None, None, lastStatus="RUNNING", seen=False),
    "on its way down": event([one(137)], lastStatus="DEPROVISIONING"),
    "another cluster": event([one(137)], clusterArn=f"arn:aws:ecs:{REGION}:{ACCOUNT}:cluster/other"),
    "another family": event([one(137)], family="other"),
    "a family that begins alike": event([one(137)], family="caisson-spec-of-others"),
    "not of ECS": {**event([one(137)]), "source": "com.example"},
    "a service's event": {**event([one(137)]), "detail-type": "ECS Service Action"},
}


@pytest.fixture(scope="module")
def matched(plan, jars):
    """{name of an event: addresses of the rules that it triggers}."""
    patterns = {address: json.loads(rule["event_pattern"]) for address, rule in plan.items()
                if address.startswith("aws_cloudwatch_event_rule.")}
    events = {**{name: made for name, (made, _) in EVENTS.items()}, **OTHERS}
    ended = subprocess.run(["java", "-cp", f"{jars}/*", HERE / "Match.java"], text=True, check=True, timeout=120,
                           input=json.dumps({"patterns": patterns, "events": events}), stdout=subprocess.PIPE)
    return json.loads(ended.stdout)


def family_of(made):
    return made["detail"]["taskDefinitionArn"].split("/")[1].split(":")[0].removeprefix("caisson-")


@pytest.mark.parametrize("name", EVENTS)
def test_lost_is_what_ended_without_a_result(matched, name):
    made, lost = EVENTS[name]
    rule = f'aws_cloudwatch_event_rule.lost["{family_of(made)}"]'
    assert {address for address in matched[name] if ".lost[" in address} == ({rule} if lost else set())
    assert "aws_cloudwatch_event_rule.stopped" in matched[name]
    consumers = {address for address in matched[name] if ".consumer[" in address}
    assert consumers == ({f'aws_cloudwatch_event_rule.consumer["{consumer}"]' for consumer in ("backend", "raw")}
                         if lost and family_of(made) == "kaniko" else set())


@pytest.mark.parametrize("name", OTHERS)
def test_what_is_not_ours_triggers_nothing(matched, name):
    assert matched[name] == []


def test_the_reported_codes_are_those_of_the_program(plan):
    pattern = json.loads(plan['aws_cloudwatch_event_rule.lost["spec"]']["event_pattern"])
    codes = [code for way in pattern["detail"]["$or"] if "containers" in way and "exitCode" in way["containers"]
             for test in way["containers"]["exitCode"] if test and "anything-but" in test for code in test["anything-but"]]
    assert set(codes) == CODES - {2} and len(codes) == len(set(codes))


def test_patterns_are_short_enough(plan):
    assert max(len(rule["event_pattern"]) for address, rule in plan.items() if "_event_rule" in address) <= 2048


# ---- input transformers


def transform(target, made):
    (rule,) = target["input_transformer"]
    return json.loads(transformer.transform(rule, made))


def target(plan, name):
    return plan[f"aws_cloudwatch_event_target.{name}"]


@pytest.mark.parametrize("name", EVENTS)
def test_job_lost_is_a_cloudevent_without_the_calls_variables(plan, name):
    made = EVENTS[name][0]
    said = transform(target(plan, f'lost["{family_of(made)}/queue"]'), made)
    assert said["specversion"] == "1.0" and said["type"] == "dev.caisson.job.lost"
    assert said["source"] == TASK and said["id"] == "lost" and said["time"] == made["time"]
    assert said["data"]["containers"] == made["detail"]["containers"] and said["data"]["started_by"] == "job-1"
    assert said["data"]["stop_code"] == made["detail"].get("stopCode", "")
    assert said["data"]["stopped_reason"] == made["detail"]["stoppedReason"]
    stopped = transform(target(plan, "stopped"), made)
    assert stopped["detail"]["taskArn"] == TASK and stopped["detail"]["lastStatus"] == "STOPPED"
    assert "value-of" not in json.dumps([said, stopped])


def test_each_consumer_reads_its_own_words(plan):
    made = copy.deepcopy(EVENTS["killed, two containers"][0])
    ids = {"projectId": "value-of-PROJECT_ID-4", "deploymentId": "value-of-DEPLOYMENTID-5"}
    said = transform(target(plan, 'consumer["frontend"]'), made)
    assert said["Type"] == "Notification"
    message = json.loads(said["Message"])
    assert message == {**message, **ids, "type": "FRONTEND_BUILD_FAILED"}
    assert "EssentialContainerExited" in message["payload"]["msg"]
    for name in ("backend", "raw"):
        message = transform(target(plan, f'consumer["{name}"]'), made)
        assert message == {**message, **ids, "type": "BACKEND_BUILD_FAILED", "timestamp": made["time"]}
    message = transform(target(plan, 'consumer["hook"]'), made)
    assert message["status"] == "FAIL" and message["finishedAt"] == made["time"]
    for message in (transform(target(plan, f'consumer["{name}"]'), made) for name in ("frontend", "backend", "raw")):
        assert "value-of-AWS" not in json.dumps(message) and "value-of-TOKEN" not in json.dumps(message)


def told(plan):
    """{consumer: what EventBridge is to do}, for tests without terraform."""
    made = {}
    for address, rule in plan.items():
        if not address.startswith("aws_cloudwatch_event_target.consumer["):
            continue
        name = json.loads(address[len("aws_cloudwatch_event_target.consumer["):-1])
        made[name] = {"pattern": json.loads(plan[f'aws_cloudwatch_event_rule.consumer["{name}"]']["event_pattern"]),
                      **{key: rule["input_transformer"][0][key] for key in ("input_paths", "input_template")}}
        if rule["http_target"]:
            called = plan[f'aws_cloudwatch_event_api_destination.consumer["{name}"]']
            made[name].update(method=called["http_method"], endpoint=called["invocation_endpoint"],
                              path_parameters=rule["http_target"][0]["path_parameter_values"])
        else:
            made[name]["queue"] = rule["arn"].rpartition(":")[2]
            made[name]["group"] = rule["sqs_target"][0]["message_group_id"] if rule["sqs_target"] else None
    return dict(sorted(made.items()))


def test_what_consumers_are_told_is_what_end_to_end_tests_read(plans):
    made = json.dumps(told(plans["each_system"]), indent=1) + "\n"
    if os.environ.get("UPDATE_VECTORS"):
        LOST_CONSUMERS.write_text(made)
    assert LOST_CONSUMERS.read_text() == made, "UPDATE_VECTORS=1 writes it anew"


def test_profiles_are_those_of_the_program():
    known = set(re.findall(r'^const struct profile \w+ = \{\n +\.name = "([a-z-]+)"', "".join(
        path.read_text() for path in (ROOT / "src/profiles").glob("*.c")), re.MULTILINE))
    for module in ("builder", "events"):
        text = (ROOT / "terraform/modules" / module / "variables.tf").read_text()
        (listed,) = re.findall(r'contains\(\[((?:"[a-z-]+"(?:, )?){2,})\], (?:var\.profile|var\.builders)', text)
        assert set(re.findall(r'"([a-z-]+)"', listed)) == known


def graphs(plan):
    body = json.loads(plan["aws_cloudwatch_dashboard.this"]["dashboard_body"])
    return [widget["properties"] for widget in body["widgets"]]


def test_metrics_are_those_of_the_program(plan):
    """Of graphs, alarms and the query: names in the line that a job ends with, and classes."""
    program = (ROOT / "src/report/metrics.c").read_text()
    metrics = set(re.findall(r'\bput\(line, metrics, "([A-Za-z]+)"', program))
    fields = metrics | {"Class"} | set(re.findall(r'(?:put_text|json_put_text|json_object_set_new)\(line, "([A-Z][A-Za-z]+)"', program))
    classes = set(re.findall(r'\{CLASS_[A-Z_]+, "([a-z-]+)"', (ROOT / "src/core/error.c").read_text()))

    shown = [metric for graph in graphs(plan) for metric in graph.get("metrics", [])]
    asked = {metric[1] for metric in shown if metric[0] == "caisson"}
    asked |= {name for metric in shown if isinstance(metric[0], dict)
              for name in re.findall(r'MetricName="(\w+)"', metric[0]["expression"])}
    alarms = [query["metric"][0] for address, alarm in plan.items() if "_metric_alarm." in address
              for query in alarm["metric_query"] or [] if query["metric"]]
    asked |= {alarm["metric_name"] for alarm in alarms}
    assert {"Jobs", "Failed", "Seconds", "Bytes", "CacheHits", "CacheMisses"} <= asked <= metrics
    assert {alarm["namespace"] for alarm in alarms} == {"caisson"}
    assert {alarm["dimensions"]["Class"] for alarm in alarms if alarm["dimensions"]} == {
        "credentials", "platform", "sandbox-lost", "internal"} <= classes
    (query,) = [graph["query"] for graph in graphs(plan) if "query" in graph]
    assert set(re.findall(r"\b[A-Z][A-Za-z]+\b", re.sub(r"SOURCE '[^']*'", "", query))) <= fields


def test_an_alarm_says_what_to_do(plan):
    alarms = {address: alarm for address, alarm in plan.items() if "_metric_alarm." in address}
    assert len(alarms) == 7
    for address, alarm in alarms.items():
        assert len(alarm["alarm_description"]) > 80 and alarm["alarm_actions"], address
        assert alarm["treat_missing_data"] == "notBreaching", address
