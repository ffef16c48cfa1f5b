"""What happens to one job, and how it may end. `during` runs beside it; what it names in `may_miss` need not be told."""

import contextlib
import os
import signal
import time
from dataclasses import dataclass

from bed import redis, s3, webhook
from bed.processes import children_of

from .receivers import DNS_ADDRESS, SLOW_NAME, SlowNames


@dataclass
class Fault:
    name: str
    codes: tuple = (0,)
    before: object = None  # (receivers)
    during: object = None  # (receivers, process)
    may_miss: tuple = ()   # receivers
    command: str = "true"  # the build does it at its end
    host: str = "127.0.0.1"
    namespace: tuple = ()  # words before the program's


def _of_result(seen):
    return seen.method == "PUT" and seen.key.startswith("results/")


def _signal(name, number, codes, times=1):
    def make(rng):
        def during(receivers, process):
            time.sleep(rng.uniform(0.03, 0.7))
            for _ in range(times):
                with contextlib.suppress(ProcessLookupError):
                    process.send_signal(number)
                time.sleep(0.05)
        return Fault(name, codes, during=during)
    return make


def _answers(name, make_answers, **more):
    def make(rng):
        def before(receivers):
            receivers.hook.answers += make_answers(rng, receivers.hook)
        return Fault(name, before=before, **more)
    return make


def _storage(name, make_fault):
    def make(rng):
        return Fault(name, before=lambda receivers: receivers.world.gate.add(make_fault(rng)))
    return make


def _denied(rng):
    def before(receivers):
        receivers.hook.by_path["/events"] = [rng.choice([401, 403])]
    return Fault("receiver denies", before=before, may_miss=("http",))


def _broker(name, act):
    def make(rng):
        def during(receivers, process):
            time.sleep(rng.uniform(0, 0.6))
            act(rng, receivers)
        return Fault(name, during=during)
    return make


def _restart(rng, receivers):
    receivers.redis.kill()
    time.sleep(rng.uniform(0, 0.5))
    receivers.redis.start()


def _lose_answers(rng, receivers):
    receivers.link.lose_answers = True
    time.sleep(rng.uniform(0, 0.4))
    receivers.link.lose_answers = False
    receivers.link.cut()


def _no_room(rng, receivers):
    rng.choice([receivers.redis.fill, receivers.redis.refuse_writes])()
    time.sleep(rng.uniform(0, 0.8))
    receivers.redis.make_room()


def _slow_link(rng, receivers):
    receivers.link.rate, receivers.link.delay = 200_000, 0.02


def _refused_link(rng):
    def before(receivers):
        receivers.link.refuse = rng.randint(1, 3)
    return Fault("broker refuses connections", before=before)


def _wrong_password(rng):
    def before(receivers):
        receivers.redis.client().execute_command("ACL", "SETUSER", redis.USER, "off")
        receivers.redis.client().execute_command("CLIENT", "KILL", "USER", redis.USER)

    def during(receivers, process):
        process.wait()
        receivers.redis.client().execute_command("ACL", "SETUSER", redis.USER, "on")
    return Fault("broker denies", before=before, during=during, may_miss=("redis",))


def _kill_children(rng):
    """Whatever runs of the build."""
    def during(receivers, process):
        time.sleep(rng.uniform(0.05, 0.6))
        left = children_of(process.pid)
        while left:
            pid = left.pop()
            left |= children_of(pid)
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.kill(pid, signal.SIGKILL)
    # of whichever step it was
    return Fault("SIGKILL of children", (0, 20, 31, 40, 59), during=during)


def _no_disk(rng):
    """The file's disk is full for a while; it is one of a megabyte, mounted for all jobs."""
    def before(receivers):
        receivers.fill_disk()

    def during(receivers, process):
        time.sleep(rng.uniform(0.2, 1.5))
        receivers.free_disk()
    return Fault("disk of the file is full", before=before, during=during)


def _slow_names(rng):
    def before(receivers):
        receivers.names = receivers.names or SlowNames()
        receivers.names.delay_s = rng.uniform(0.2, 1.5)
        with open(os.path.join(receivers.folder, "resolv.conf"), "w") as file:
            file.write(f"nameserver {DNS_ADDRESS}\noptions timeout:3 attempts:2\n")
    return Fault("slow name server", before=before, host=SLOW_NAME, namespace=(
        "unshare", "--mount", "sh", "-c", 'mount --bind resolv.conf /etc/resolv.conf && exec "$0" "$@"'))


KINDS = [
    lambda rng: Fault("none"),
    _signal("SIGTERM", signal.SIGTERM, (0, 143)),
    _signal("SIGINT", signal.SIGINT, (0, 130)),
    _signal("SIGHUP", signal.SIGHUP, (0, 143)),
    _signal("SIGTERM twice", signal.SIGTERM, (0, 143), times=2),
    _answers("receiver answers 5xx", lambda rng, hook: [rng.choice([500, 502, 503])] * rng.randint(1, 4)),
    _answers("receiver is busy", lambda rng, hook: [webhook.answer(429, retry_after="1")]),
    _answers("receiver resets", lambda rng, hook: [webhook.reset() for _ in range(rng.randint(1, 3))]),
    _answers("receiver drops", lambda rng, hook: [204] * rng.randint(0, 3) + [webhook.drop()]),
    _answers("answer is lost", lambda rng, hook: [204] * rng.randint(0, 6) + [webhook.lost_answer(hook)]),
    _answers("receiver is slow", lambda rng, hook: [webhook.slow(0.3) for _ in range(4)]),
    _denied,
    _broker("broker dies and is back", _restart),
    _broker("broker resets", lambda rng, receivers: receivers.link.cut()),
    _broker("broker's answers are lost", _lose_answers),
    _broker("broker without room", _no_room),
    _broker("broker is slow", _slow_link),
    _refused_link,
    _wrong_password,
    _storage("S3 503 for the result", lambda rng: s3.Refuse(_of_result, 503, "SlowDown", times=rng.randint(1, 4))),
    _storage("S3 drops the result", lambda rng: s3.CloseConnection(_of_result, times=rng.randint(1, 4))),
    _storage("S3 loses its answer", lambda rng: s3.CloseConnection(_of_result, times=1, lost_answer=True)),
    lambda rng: Fault("build kills itself", (31,), command="kill -9 $$"),
    lambda rng: Fault("build fails", (31,), command="exit 7"),
    _kill_children,
]
if os.geteuid() == 0:
    KINDS += [_slow_names, _no_disk]
