"""A job that ends before it begins, for what it is asked for is wrong: whoever can be told of its end is told, in the words
that he reads, and nobody is told what may be meant for another."""

import json

import pytest

from bed import redis, story
from bed.world import ENDPOINT, JOBS_BUCKET

CA = "/etc/test-ca.pem"
DEPLOYMENT = "d1"
WRONG = {"surce": {}}


def end_of(ended, events):
    """The one that holds the result, which is that of the exit code."""
    assert story.kinds(events)[-1] == "finished" and story.kinds(events).count("finished") == 1, ended
    result = events[-1]["data"]["result"]
    assert result["exit_code"] == ended.code and result["status"] == "failed", ended
    return result


def refused(ended, code=10):
    assert ended.code == code and ended.result["exit_code"] == code and ended.result["steps"] == [], ended
    return ended.result


def test_everybody_is_told_the_end(bed, hook, sqs_api, redis_server, event_schema):
    queue, seen = sqs_api.queue(), redis_server.collect("status:*")
    spec = bed.spec(**WRONG, labels={"serviceId": "s1"}, notify=[
        {"http": "https://hooks.test/jobs/${id}", "secret": {"env": "HOOK_SECRET"}}, {"sqs": queue.url},
        {"redis": "rediss://redis.test:6380", "channel": "status:${id}", "username": redis.USER,
         "password": {"env": "REDIS_PASSWORD"}, "events": ["log"]}])
    ended = bed.run(spec, environment={**story.CA, "HOOK_SECRET": hook.secret, "REDIS_PASSWORD": redis_server.passwords[redis.USER]},
                    services=[*hook.services(), *sqs_api.services(), *redis_server.services()])
    result = refused(ended)
    assert "surce: unknown key" in result["message"] and "undelivered" not in result, ended
    told = [hook.events(), [message.document() for message in queue.take()],
            [json.loads(text) for text in seen.wait(lambda texts: any(".finished" in text for text in texts))]]
    for events in told:
        end = end_of(ended, events)
        assert end["message"] == result["message"] and end["id"] == spec["id"] and end["labels"] == {"serviceId": "s1"}
        for event in events:
            event_schema.validate(event)
    assert len({events[-1]["id"] for events in told}) == 1 and hook.mistakes == []
    assert hook.received[-1].path == f"/jobs/{spec['id']}"
    assert "surce: unknown key" in "".join(line["text"] for line in story.lines_of(told[2]))


def test_what_is_wrong_of_them_is_left_out(bed, hook):
    hook.secret = None
    spec = bed.spec(notify=[
        {"http": "https://user:pass@trap.test/"}, {"kafka": "trap.test"}, {"redis": "redis://trap.test", "channel": "c"},
        {"http": "https://trap.test/", "secret": {"env": "NOT_THERE"}}, {"http": "https://hooks.test/", "oops": 1},
        {"http": "https://hooks.test/good"}])
    ended = bed.run(spec, environment=story.CA, services=hook.services())
    result = refused(ended)
    assert {request.path for request in hook.received} == {"/good"} and bed.world.trap.visitors == []
    end_of(ended, hook.events())
    assert [entry.partition(":")[0] for entry in result["undelivered"]] == [f"notify[{i}]" for i in (0, 1, 2, 4, 3)], ended
    assert "NOT_THERE" in ended.text and ended.text.count("warning: not told: notify[") == 5, ended


def test_more_mistakes_than_are_counted(bed, hook):
    """What is wrong with a receiver could be among those that are not noted."""
    hook.secret = None
    spec = bed.spec(**{f"wrong{i}": 1 for i in range(150)}, notify=[{"http": "https://hooks.test/"}])
    ended = bed.finish(bed.start(spec, environment=story.CA, services=hook.services()))
    assert ended.code == 10 and hook.received == [] and ended.result is None, ended


@pytest.mark.parametrize("change", [{"id": "not an id"}, {"project": "../other"}])
def test_nothing_goes_where_another_name_leads(bed, hook, change):
    """What stands in its place otherwise (the task's id, the repository's name) is another job's."""
    hook.secret = None
    spec = bed.spec(**change, notify=[{"http": "https://hooks.test/${id}/${project}"}, {"http": "https://hooks.test/all"}])
    spec["result"] = f"s3://{JOBS_BUCKET}/${{project}}/${{id}}/never.json"
    ended = bed.finish(bed.start(spec, environment=story.CA, services=hook.services()))
    assert ended.code == 10 and {request.path for request in hook.received} == {"/all"}, ended
    assert not [seen for seen in bed.gate.seen(bucket=JOBS_BUCKET) if seen.key.endswith("never.json")]
    assert "not told: notify[0]" in ended.text, ended


@pytest.mark.parametrize("job, code", [("a: [", 10), ("- 1", 10), (f"s3://{JOBS_BUCKET}/no-such-job", 11)])
def test_by_the_operators_word_alone(bed, hook, job, code):
    """Nothing of the job is known: neither whose it is nor whom it tells."""
    hook.secret = None
    where = f"s3://{JOBS_BUCKET}/refused/${{id}}.json"
    operator = {"allow": ["private-http"], "defaults": {"notify": [{"http": "https://hooks.test/ops"}], "result": where}}
    ended = bed.finish(bed.start(job, environment=story.CA, services=hook.services(), operator=json.dumps(operator)))
    assert ended.code == code, ended
    end = end_of(ended, hook.events())
    stored = json.loads(bed.storage.get(JOBS_BUCKET, f"refused/{end['id']}.json"))
    assert stored["message"] == end["message"] and stored["exit_code"] == code


def test_where_nobody_has_said_where_a_dockerfile_may_be_built(bed, hook):
    hook.secret = None
    spec = bed.spec(image={"repository": "registry.test/x", "tags": ["a"]}, artifacts=None,
                    notify=[{"http": "https://hooks.test/"}])
    ended = bed.run(spec, environment=story.CA, services=hook.services(), executor="local")
    assert refused(ended, 2)["reason"] == "executor-unnamed"
    end_of(ended, hook.events())


@pytest.mark.parametrize("lacking", ["secret", "receiver"])
def test_a_value_that_cannot_be_had(bed, hook, lacking):
    """Of the build, or of one of the receivers, who is named."""
    hook.secret = None
    missing = {"env": "NOT_THERE"}
    changes = {"secrets": {"TOKEN": missing}} if lacking == "secret" else {}
    others = [{"http": "https://trap.test/", "api_key": missing}] if lacking == "receiver" else []
    ended = bed.run(bed.commands("true", notify=[*others, {"http": "https://hooks.test/"}], **changes),
                    environment=story.CA, services=hook.services())
    result = refused(ended, 12)
    assert "NOT_THERE" in result["message"] and end_of(ended, hook.events())["reason"] == "secret-unavailable", ended
    named = result.get("undelivered", [])
    assert [entry.partition(":")[0] for entry in named] == (["notify[0]"] if others else []), ended
    assert bed.world.trap.visitors == []


@pytest.mark.rare
def test_stopped_while_a_dead_receiver_is_tried(bed, hook):
    """Its own stop budget holds."""
    spec = bed.spec(**WRONG, notify=[{"http": "https://dead.test/"}])
    task = bed.start(spec, environment=story.CA, arguments=["--stop-budget", "4s"])
    task.wait_for("result {")
    task.signal("TERM")
    ended = bed.finish(task, 30)
    assert refused(ended)["undelivered"] and ended.seconds < 20, ended


# -- existing systems: their consumers' reading as in test_profile_events.py


def profile(bed, name, environment, services, pins, allow=(), message=None, result="${project}"):
    operator = {"pins": {"endpoint": ENDPOINT, "region": "eu-central-1", "ca_bundle": CA, **pins}, "allow": list(allow),
                "defaults": {"result": f"s3://{JOBS_BUCKET}/refused-{result}.json"}}
    arguments = ["--profile", name]
    if message is not None:
        arguments += ["--message-env", "JOB"]
        environment = {**environment, "JOB": json.dumps(message)}
    ended = bed.finish(bed.start(arguments=arguments, environment=environment, services=services, endpoint_url=None,
                                 operator=json.dumps(operator)))
    assert ended.code == 10, ended
    return ended


def stored(bed, project):
    return json.loads(bed.storage.get(JOBS_BUCKET, f"refused-{project}.json"))


@pytest.mark.parametrize("name, environment", [
    ("veren-frontend", {}), ("veren-backend", {"GIT_REPOSITORY__URL": "http://git.test/x.git", "BACKEND_PATH": "."})])
def test_veren(bed, sns_api, name, environment):
    """Without a repository; without an image's place."""
    topic = sns_api.topic(fifo=True)
    ended = profile(bed, name, {**environment, "PROJECT_ID": "p1", "DEPLOYMENTID": DEPLOYMENT,
                                "DOMAIN_EVENTS_TOPIC_ARN": topic.arn}, sns_api.services(), {"topics": [topic.arn]})
    event = topic.messages()[-1]
    assert (event["type"], event["projectId"], event["deploymentId"]) == (
        f"{name.partition('-')[2].upper()}_BUILD_FAILED", "p1", DEPLOYMENT), ended
    assert event["payload"]["msg"] == stored(bed, "p1")["message"] and "is not set" in event["payload"]["msg"]


@pytest.mark.parametrize("wrong", [{"DEPLOYMENTID": ""}, {"DEPLOYMENT_ID": "d-of-a-tenant"}])
def test_whose_job_it_is_must_be_sure(bed, sns_api, wrong):
    """No id, or two of them: a consumer would take the end for another's."""
    topic = sns_api.topic(fifo=True)
    ended = profile(bed, "veren-frontend", {
        "GIT_REPOSITORY__URL": "http://git.test/x.git", "PROJECT_ID": "p2", "DEPLOYMENTID": DEPLOYMENT,
        "DOMAIN_EVENTS_TOPIC_ARN": topic.arn, **wrong}, sns_api.services(), {"topics": [topic.arn]})
    assert topic.take() == [] and "refused-p2" not in str([seen.key for seen in bed.gate.seen(bucket=JOBS_BUCKET)]), ended


def test_vercel_clone(bed, hook, redis_server):
    """Without a bucket."""
    hook.secret, hook.headers = None, {"authorization": "Bearer jwt-of-the-clone"}
    seen = redis_server.collect("status:*")
    profile(bed, "vercel-clone", {
        "GIT_REPOSITORY__URL": "http://git.test/x.git", "PROJECT_ID": "p3", "DEPLOYMENT_ID": DEPLOYMENT,
        "API_SERVER_URL": "https://hooks.test", "JWT_TOKEN": "jwt-of-the-clone", "REDIS_URL": redis_server.url()},
        [*hook.services(), *redis_server.services()], {"callbacks": ["https://hooks.test"], "brokers": ["redis.test"]},
        ["private-http"])
    assert json.loads(hook.received[-1].body) == {"status": "FAIL"} and hook.mistakes == []
    assert hook.received[-1].path == f"/api/v1/project/deploy/{DEPLOYMENT}"
    seen.wait(lambda texts: texts and json.loads(texts[-1])["status"] == "FAIL")
    assert stored(bed, "p3")["reason"] == "profile-variable-missing"


def test_deployra(bed, hook):
    """Without a registry. And without an id nobody is called."""
    hook.secret, hook.headers = None, {"x-api-key": "key"}
    message = {"deploymentId": DEPLOYMENT, "serviceId": "p4", "branch": "main", "repositoryName": "u/r"}
    environment = {"API_URL": "https://hooks.test/api", "API_KEY": "key"}
    pins = {"callbacks": ["https://hooks.test/api"]}
    profile(bed, "deployra", environment, hook.services(), pins, ["private-http"], message)
    said = [(request.path, json.loads(request.body)) for request in hook.received if request.path.endswith("/status")]
    assert said[-1] == (f"/api/webhooks/deployments/{DEPLOYMENT}/status",
                        {"status": "FAILED", "error": stored(bed, "p4")["message"]})
    count = len(hook.received)
    del message["deploymentId"]
    profile(bed, "deployra", environment, hook.services(), pins, ["private-http"], message)
    assert len(hook.received) == count and hook.mistakes == []


def test_blacktree(bed, rabbitmq_place):
    """Without a registry."""
    rabbitmq_place.exchange("blacktree.direct")
    rabbitmq_place.queue("api.result.queue", "blacktree.direct", "api.result")
    ended = profile(bed, "blacktree", {"RABBITMQ_URL": rabbitmq_place.url()}, rabbitmq_place.server.services(),
                    {"brokers": ["rabbitmq.test"]}, message={"deploymentId": DEPLOYMENT, "repository": "u/r"}, result="${id}")
    (told,) = rabbitmq_place.wait("api.result.queue", 1)
    body = told.document()
    assert body["deploymentId"] == DEPLOYMENT and body["success"] is False and "REGISTRY" in body["error"], ended
    assert stored(bed, DEPLOYMENT)["message"] == body["error"]
