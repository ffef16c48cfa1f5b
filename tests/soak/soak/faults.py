"""What goes wrong in a job, and which exit codes it may end with."""

import random
import threading
from dataclasses import dataclass, field

from bed import s3


@dataclass
class Trouble:
    name: str
    codes: set
    faults: list = field(default_factory=list)  # of the gate
    flaky_git: int = 0                          # 503s before the git server answers
    stop_after_s: float | None = None           # SIGTERM


class Chance:
    """True for some of the requests, whichever thread asks."""

    def __init__(self, rng, probability):
        self.random, self.probability = random.Random(rng.getrandbits(64)), probability
        self.lock = threading.Lock()

    def __call__(self, seen):
        with self.lock:
            return self.random.random() < self.probability


def slow_down(rng, probability):
    return s3.Refuse(Chance(rng, probability), 503, "SlowDown")


def lost_answers(rng, probability):
    return s3.CloseConnection(Chance(rng, probability), lost_answer=True)


def lost_requests(rng, probability):
    return s3.CloseConnection(Chance(rng, probability))


def choose(rng):
    """Half of the jobs meet with none."""
    kinds = [none, none, none, none, stopped, stopped, refusals, broken_connections, flaky_git, stopped_in_trouble]
    return rng.choice(kinds)(rng)


def none(_):
    return Trouble("none", {0})


def stopped(rng):
    return Trouble("SIGTERM", {0, 143}, stop_after_s=rng.uniform(0.03, 1.0))


def refusals(rng):
    return Trouble("503s", {0, 40}, [slow_down(rng, rng.choice([0.05, 0.2, 0.6]))])


def broken_connections(rng):
    return Trouble("broken connections", {0, 40}, [lost_answers(rng, 0.1), lost_requests(rng, 0.1)])


def flaky_git(rng):
    return Trouble("flaky git", {0, 20}, flaky_git=rng.randint(1, 4))


def stopped_in_trouble(rng):
    return Trouble("SIGTERM and 503s", {0, 40, 143}, [slow_down(rng, 0.2), lost_answers(rng, 0.1)],
                   stop_after_s=rng.uniform(0.03, 1.5))
