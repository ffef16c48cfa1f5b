"""What happens to one job, and how it may end. `act` is done at a moment of one of its phases (job.py); who is named in
`may_miss` need not be told, if the result says so."""

import contextlib
import os
import platform
import signal
import subprocess
import time
from dataclasses import dataclass

from bed import redis, s3, webhook
from bed.processes import children_of

from .receivers import SLOW_NAME

HOUR_S = 3600
CLOCKS = {"clock is an hour ahead": HOUR_S, "clock is an hour behind": -HOUR_S, "clock is a day behind": -24 * HOUR_S,
          "clock is five years ahead": 5 * 365 * 24 * HOUR_S}
_programs = {}


@dataclass
class Fault:
    name: str
    codes: tuple = (0,)
    before: object = None  # (receivers)
    act: object = None     # (receivers, process)
    may_miss: tuple = ()   # receivers
    gaps: bool = False     # lines of the log may be missed
    clock: bool = False    # receivers may see times that are not theirs
    command: str = "true"  # the build does it at its end
    host: str = "127.0.0.1"
    words: tuple = ()      # before the program's


def prepare(folder):
    """Makes what faults need."""
    if CLOCKS_STEP:
        _programs["clock_step"] = os.path.join(folder, "clock_step")
        source = os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "clock_step.c")
        subprocess.run(["cc", "-std=c17", "-D_GNU_SOURCE", "-O1", "-Wall", "-Wextra", "-Werror", "-o",
                        _programs["clock_step"], source], check=True)


def _of_result(seen):
    return seen.method == "PUT" and seen.key.startswith("results/")


def _of_log(seen):
    return seen.method == "PUT" and seen.key.startswith("logs/")


def _any(seen):
    return True


def _signal(name, number, codes, times=1):
    def make(rng):
        def act(receivers, process):
            for _ in range(times):
                with contextlib.suppress(ProcessLookupError):
                    process.send_signal(number)
                time.sleep(0.05)
        return Fault(name, codes, act=act)
    return make


def _answers(name, make_answers):
    def make(rng):
        def act(receivers, process):
            receivers.hook.answers += make_answers(rng, receivers.hook)
        return Fault(name, act=act)
    return make


def _storage(name, make_fault):
    """From some moment on, for the requests that match."""
    def make(rng):
        return Fault(name, act=lambda receivers, process: receivers.world.gate.add(make_fault(rng)))
    return make


def _denied(rng):
    def act(receivers, process):
        receivers.hook.by_path["/events"] = [rng.choice([401, 403])]
    return Fault("receiver denies", act=act, may_miss=("http",))


def _broker(name, does, **more):
    def make(rng):
        return Fault(name, act=lambda receivers, process: does(rng, receivers, process), **more)
    return make


def _restart(rng, receivers, process):
    receivers.redis.kill()
    time.sleep(rng.uniform(0, 0.5))
    receivers.redis.start()


def _pause(rng, receivers, process):
    receivers.redis.pause()
    time.sleep(rng.uniform(0, 1.5))
    receivers.redis.resume()


def _no_room(rng, receivers, process):
    rng.choice([receivers.redis.fill, receivers.redis.refuse_writes])()
    time.sleep(rng.uniform(0, 0.8))
    receivers.redis.make_room()


def _die(rng, receivers, process):
    receivers.redis.kill()


def _deny_user(rng, receivers, process):
    receivers.redis.client().execute_command("ACL", "SETUSER", redis.USER, "off")
    receivers.redis.client().execute_command("CLIENT", "KILL", "USER", redis.USER)
    process.wait()
    receivers.redis.client().execute_command("ACL", "SETUSER", redis.USER, "on")


def _lose_answers(rng, link):
    link.lose_answers = True
    time.sleep(rng.uniform(0, 0.4))
    link.lose_answers = False
    link.cut()


def _slow(rng, link):
    link.rate, link.delay = 200_000, 0.02


def _refuse(rng, link):
    link.refuse = rng.randint(1, 3)
    link.cut()


def _hole(rng, link):
    link.hold()
    time.sleep(rng.uniform(0, 1.5))
    link.flow()


def _on_the_way_to(broker):
    def make(name, does):
        return _broker(name, lambda rng, receivers, process: does(rng, receivers.links[broker]))

    return [
        make(f"{broker} resets", lambda rng, link: link.cut()),
        make(f"answers of {broker} are lost", _lose_answers),
        make(f"{broker} is slow", _slow),
        make(f"{broker} refuses connections", _refuse),
        make(f"nothing passes to {broker}", _hole),
    ]


def _kill_children(rng):
    """Whatever runs of the job."""
    def act(receivers, process):
        while not (left := children_of(process.pid)) and process.poll() is None:
            time.sleep(0.01)
        while left:
            pid = left.pop()
            left |= children_of(pid)
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.kill(pid, signal.SIGKILL)
    # of whichever step it was
    return Fault("SIGKILL of children", (0, 20, 23, 31, 40, 59), act=act)


def _full(name, disk, codes, gaps):
    """For a while."""
    def make(rng):
        def act(receivers, process):
            receivers.fill(getattr(receivers, disk))
            time.sleep(rng.uniform(0.2, 1.5))
            receivers.free(getattr(receivers, disk))
        return Fault(name, codes, act=act, gaps=gaps)
    return make


def _slow_names(rng):
    def before(receivers):
        receivers.name_server().delay_s = rng.uniform(0.2, 1.5)
    return Fault("slow name server", before=before, host=SLOW_NAME, words=(
        "unshare", "--mount", "sh", "-c", 'mount --bind resolv.conf /etc/resolv.conf && exec "$0" "$@"'))


def _clock(name, ahead_s):
    def make(rng):
        return Fault(name, act=lambda receivers, process: receivers.step_clock(ahead_s), clock=True,
                     words=(_programs["clock_step"], "clock"))
    return make


def _clock_from_the_start(rng):
    ahead_s = rng.choice(list(CLOCKS.values()))
    return Fault("clock is wrong from the start", before=lambda receivers: receivers.step_clock(ahead_s), clock=True,
                 words=(_programs["clock_step"], "clock"))


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
    *_on_the_way_to("Redis"),
    _broker("Redis dies and is back", _restart),
    _broker("Redis dies", _die, may_miss=("redis",)),
    _broker("Redis stands still", _pause),
    _broker("Redis without room", _no_room),
    _broker("Redis denies", _deny_user, may_miss=("redis",)),
    _storage("S3 503 for the result", lambda rng: s3.Refuse(_of_result, 503, "SlowDown", times=rng.randint(1, 6))),
    _storage("S3 drops the result", lambda rng: s3.CloseConnection(_of_result, times=rng.randint(1, 4))),
    _storage("S3 loses the result's answer", lambda rng: s3.CloseConnection(_of_result, times=1, lost_answer=True)),
    _storage("S3 503 for the log", lambda rng: s3.Refuse(_of_log, 503, "SlowDown", times=rng.randint(3, 6))),
    _storage("S3 503", lambda rng: s3.Refuse(_any, 503, "SlowDown", times=rng.randint(1, 3))),
    _storage("S3 500", lambda rng: s3.Refuse(_any, 500, "InternalError", times=rng.randint(1, 3))),
    _storage("S3 drops", lambda rng: s3.CloseConnection(_any, times=rng.randint(1, 3))),
    _storage("S3 loses an answer", lambda rng: s3.CloseConnection(_any, times=1, lost_answer=True)),
    _storage("S3 is slow", lambda rng: s3.Delay(_any, rng.uniform(0.1, 0.6), times=6)),
    lambda rng: Fault("build kills itself", (31,), command="kill -9 $$"),
    lambda rng: Fault("build fails", (31,), command="exit 7"),
    _kill_children,
]
RABBITMQ = os.environ.get("SOAK_RABBITMQ") != "0"
if RABBITMQ:
    KINDS += _on_the_way_to("RabbitMQ")
CLOCKS_STEP = os.geteuid() == 0 and platform.machine() == "x86_64"
if CLOCKS_STEP:
    KINDS += [_clock_from_the_start, *(_clock(name, ahead_s) for name, ahead_s in CLOCKS.items())]
if os.geteuid() == 0:
    KINDS += [_slow_names, _full("disk of the file is full", "file_disk", (0,), False),
              _full("disk of the job is full", "workspaces", (0, 34), True)]
