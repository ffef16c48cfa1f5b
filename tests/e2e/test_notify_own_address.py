"""`notify` to a broker whose name leads back to the task: the build shares its network and may be the one who answers."""

import pytest

from bed import story

HOSTS = "127.0.0.1 localhost\n127.0.0.1 broker.example.com\n10.98.0.10 git.test\n10.98.0.20 s3.test\n"
PORT = 7443
TARGETS = {
    "redis": {"redis": f"rediss://broker.example.com:{PORT}", "channel": "builds"},
    "amqp": {"amqp": f"amqps://broker.example.com:{PORT}", "exchange": "builds"},
    "kafka": {"kafka": f"broker.example.com:{PORT}", "topic": "builds"},
}


class Listener:
    """Whoever answers there, a build for one."""

    def __init__(self):
        self.connections = 0

    def on_connection(self, connection, *_):
        self.connections += 1
        connection.close()


def run(bed, kind, listener, **options):
    entry = {**TARGETS[kind], "username": "ci", "password": {"env": "BROKER_PASSWORD"}, "events": ["finished"]}
    started = bed.start(
        bed.commands(*story.COMMANDS, notify=[entry]), services=[("127.0.0.1", PORT, listener.on_connection)],
        environment={**story.CA, "BROKER_PASSWORD": "a-password-of-the-broker"}, files={"/etc/hosts": HOSTS},
        arguments=["--stop-budget", "8s"], **options)
    return bed.finish(started)


@pytest.mark.parametrize("kind", TARGETS)
def test_a_broker_at_an_address_of_the_task_needs_the_operators_word(bed, kind):
    listener = Listener()
    ended = run(bed, kind, listener, operator="allow: [file-targets, private-http]\n")
    assert ended.code == 0 and ended.result["status"] == "succeeded", ended
    assert listener.connections == 0
    assert "an address of this machine" in story.undelivered(ended), ended
    assert "allow: [plain-brokers]" in ended.text


@pytest.mark.parametrize("kind", TARGETS)
def test_with_the_operators_word_it_is_called(bed, kind):
    listener = Listener()
    ended = run(bed, kind, listener, operator="allow: [file-targets, plain-brokers]\n")
    assert ended.code == 0 and listener.connections > 0, ended
    assert "this machine" not in ended.text
