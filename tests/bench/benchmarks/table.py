"""The table at the end, and the same as JSON."""

import dataclasses
import json
from dataclasses import dataclass


@dataclass
class Row:
    what: str
    ours: float
    unit: str
    peer: str = ""           # the other program, or nothing
    theirs: float | None = None
    target: float | None = None  # of the ratio where there is a peer, else of our own figure
    note: str = ""

    @property
    def measured(self):
        """What the target is about."""
        return self.ours / self.theirs if self.theirs is not None else self.ours

    @property
    def verdict(self):
        if self.target is None:
            return ""
        return "reached" if self.measured <= self.target else "missed"


def figure(value, unit):
    if value is None:
        return ""
    digits = 0 if unit in ("requests", "at once") else 1 if value >= 100 else 2 if value >= 1 else 3
    return f"{value:.{digits}f} {unit}"


def cells(row):
    ratio = f"{row.measured:.2f}" if row.theirs is not None else ""
    target = ""
    if row.target is not None:
        target = f"≤ {row.target:g}" + (" ×" if row.theirs is not None else f" {row.unit}")
    return (row.what, figure(row.ours, row.unit), row.peer, figure(row.theirs, row.unit), ratio, target, row.verdict,
            row.note)


def text(rows):
    titles = ("", "caisson", "peer", "peer's", "ratio", "target", "", "")
    lines = [titles, *map(cells, rows)]
    widths = [max(len(line[i]) for line in lines) for i in range(len(titles))]
    right = {1, 3, 4}
    return "\n".join(
        "  ".join(cell.rjust(width) if i in right else cell.ljust(width)
                  for i, (cell, width) in enumerate(zip(line, widths))).rstrip()
        for line in lines)


def document(rows, machine):
    return json.dumps({"machine": machine, "rows": [
        {**dataclasses.asdict(row), "ratio": row.measured if row.theirs is not None else None, "verdict": row.verdict}
        for row in rows]}, indent=2, ensure_ascii=False) + "\n"
