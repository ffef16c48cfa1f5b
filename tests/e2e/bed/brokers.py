"""Fixtures of the brokers and receivers: each starts when the first test asks for it.

Those that take seconds to start are one for all workers of a run (servers.py). A test that kills, pauses or fills such a
one is marked `alone`: it waits for the others' tests, and they for it.
"""

import importlib
import os
import subprocess

import pytest

# The modules that hold clients of brokers are imported by the fixture that needs them: together they take a second.
from . import servers, sigv4, tls, world

MISSING = "no server of"
NEEDS = {"rabbitmq": "ensure-rabbitmq", "kafka": "ensure-kafka", "elasticmq": "ensure-elasticmq", "redis": "ensure-redis",
         "event-ruler": "ensure-event-ruler"}


def pytest_configure(config):
    config.addinivalue_line("markers", "alone: kills, pauses or fills a broker that other tests share")


@pytest.fixture(scope="session")
def run_folder(tmp_path_factory):
    """One for all workers of this run."""
    base = tmp_path_factory.getbasetemp()
    folder = (base.parent if "PYTEST_XDIST_WORKER" in os.environ else base) / "run"
    folder.mkdir(exist_ok=True)
    return folder


def _authority(folder, names):
    folder.mkdir(exist_ok=True)
    return tls.Authority(str(folder), names)


@pytest.fixture(scope="session")
def run_authority(run_folder):
    """Whom the tasks trust."""
    return _authority(run_folder / "tls", [*world.ADDRESSES, "localhost"])


@pytest.fixture(scope="session")
def stranger(run_folder):
    """Whom nobody trusts, with the same names."""
    return _authority(run_folder / "stranger", [*world.ADDRESSES, "localhost"])


@pytest.fixture(scope="session")
def shared_servers(run_folder, run_authority, stranger):
    folder = run_folder / "servers"
    folder.mkdir(exist_ok=True)
    shared = servers.Shared(str(folder), {
        "rabbitmq": lambda path: _module("rabbitmq").RabbitMQ(path, run_authority, stranger),
        "kafka": lambda path: _module("kafka").Kafka(path, run_authority, stranger),
        "elasticmq": lambda path: _module("sqs").ElasticMQ(path),
        "moto": lambda path: _module("aws_messages").Moto(path),
    })
    yield shared
    shared.close()


def _module(name):
    return importlib.import_module(f".{name}", __package__)


def _require(name):
    """Skips, loudly (conftest.py), where what it needs cannot be had on this machine."""
    if name in NEEDS:
        try:
            world.tool(NEEDS[name])
        except subprocess.CalledProcessError:
            pytest.skip(f"{MISSING} {name}: tests/tools/{NEEDS[name]} says why")


def _use(request, shared, name):
    _require(name)
    return shared.use(name, alone=request.node.get_closest_marker("alone") is not None)


def _of_test(request, made):
    """Tells the report of a failure where to look."""
    request.node.stash.setdefault(EVIDENCE, []).append(made)
    return made


EVIDENCE = pytest.StashKey[list]()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item, call):
    report = yield
    if report.failed:
        report.sections += [made.evidence() for made in item.stash.get(EVIDENCE, [])]
    return report


@pytest.fixture
def redis_server(request, tmp_path, run_authority, stranger):
    """A Redis of the test's own; `@pytest.mark.parametrize("redis_server", [{…}], indirect=True)` gives it options."""
    _require("redis")
    options = getattr(request, "param", {})
    with _module("redis").Redis(str(tmp_path / "redis"), run_authority, stranger, **options) as made:
        yield _of_test(request, made)


@pytest.fixture
def rabbitmq_server(request, shared_servers):
    with _use(request, shared_servers, "rabbitmq") as server:
        yield _of_test(request, server)


@pytest.fixture
def rabbitmq_place(rabbitmq_server):
    """A virtual host of the test's own."""
    place = rabbitmq_server.place()
    yield place
    place.close()


@pytest.fixture
def kafka_server(request, shared_servers):
    with _use(request, shared_servers, "kafka") as server:
        yield _of_test(request, server)


class Keys:
    """Whom the gates of AWS's services know: its own, unless a test has tasks, whose role's keys come from the S3 gate."""

    def __init__(self):
        self.own = sigv4.Keys("ASIATESTOFTHEBED", "secret/of+the-bed", "session-token")
        self.find = self._own

    def _own(self, access):
        return self.own if access == self.own.access else None

    def __call__(self, access):
        return self.find(access)


@pytest.fixture
def aws_keys(request):
    """The role's keys of a task where the test has one (bed), else its own."""
    keys = Keys()
    if "bed" in request.fixturenames:
        keys.find = request.getfixturevalue("bed").gate.issued.get
    return keys


@pytest.fixture
def sqs_api(request, shared_servers, aws_keys, run_authority):
    with _use(request, shared_servers, "elasticmq") as server:
        yield _of_test(request, _module("sqs").Sqs(aws_keys, run_authority, server))


@pytest.fixture
def sns_api(request, shared_servers, aws_keys, run_authority):
    with _use(request, shared_servers, "moto") as server:
        yield _of_test(request, _module("aws_messages").Sns(aws_keys, run_authority, server))


@pytest.fixture
def events_api(request, shared_servers, aws_keys, run_authority):
    with _use(request, shared_servers, "moto") as server:
        yield _of_test(request, _module("aws_messages").Events(aws_keys, run_authority, server))


@pytest.fixture
def logs_api(request, aws_keys, run_authority):
    return _of_test(request, _module("aws_messages").Logs(aws_keys, run_authority))


@pytest.fixture
def hook(request, run_authority, stranger):
    """A receiver of webhooks at hooks.test."""
    return _of_test(request, _module("webhook").Webhook(run_authority, stranger))


@pytest.fixture
def github_api(request, run_authority):
    return _of_test(request, _module("github").GitHub(run_authority))


@pytest.fixture(scope="session")
def lost_jobs():
    """What EventBridge tells of a task that stopped without a result."""
    _require("event-ruler")
    return _module("lost").LostJobs()
