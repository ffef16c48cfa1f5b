"""Redaction: its throughput, and what it adds to the way of a command's output into the spool."""

import os

from .measure import Failed
from .table import Row

LOG_TARGET = 1.1


def run(bench):
    _, printed = bench.launcher.run([os.environ["REDACT"]])
    figures = dict(line.split() for line in printed.decode().splitlines())
    try:
        value = {name: float(text) for name, text in figures.items()}
        rows = [Row(f"redaction, clean text, {count} secrets", value[f"clean.{count}"], "MB/s")
                for count in (1, 10, 100, 1000)]
        rows += [Row("  text of one letter, secrets of it", value["hostile.repeated"], "MB/s"),
                 Row("  text that is almost a secret", value["hostile.almost"], "MB/s")]
        rows += [Row(f"log path with {count} secrets, CPU", value[f"log.{count}"], "s", "without", value["log.0"],
                     LOG_TARGET if count <= 10 else None) for count in (1, 10, 100, 1000)]
    except KeyError as missing:
        raise Failed(f"{missing} was not measured") from missing
    return rows
