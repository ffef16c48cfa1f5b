"""Runs programs and takes medians."""

import os
import statistics
import subprocess
from dataclasses import dataclass


@dataclass
class Cost:
    """What one run took."""

    started_s: float  # wall clock
    wall_s: float
    cpu_s: float
    peak_mib: float


class Failed(Exception):
    """A program that is measured did not do its work."""


class Launcher:
    """Starts programs through launch.c, in a scratch folder."""

    def __init__(self, program, folder):
        self.program, self.report = program, os.path.join(folder, "launch.report")
        self.output = os.path.join(folder, "launch.output")

    def run(self, argv, request=b"", cwd="/", env=None):
        """(Cost, what it printed). Raises Failed when it exits with anything but 0."""
        with open(self.output, "wb") as output:
            subprocess.run([self.program, self.report, *argv], input=request, stdout=output, stderr=output, cwd=cwd,
                           env=env if env is not None else os.environ, check=True)
        with open(self.output, "rb") as output:
            printed = output.read()
        with open(self.report, encoding="ascii") as report:
            start, wall, user, system, peak, status = map(int, report.read().split())
        if status != 0:
            raise Failed(f"{' '.join(argv[:3])} … ended with {status}:\n{printed[-2000:].decode(errors='replace')}")
        return Cost(start / 1e6, wall / 1e6, (user + system) / 1e6, peak / 1024), printed


def in_turn(rounds, **contestants):
    """Calls each contestant once a round, one after the other: {name: what they returned}."""
    results = {name: [] for name in contestants}
    for _ in range(rounds):
        for name, run in contestants.items():
            results[name].append(run())
    return results


def median(values, attribute=None):
    return statistics.median(getattr(value, attribute) if attribute else value for value in values)
