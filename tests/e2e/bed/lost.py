"""Who tells of a job whose PID 1 could not: EventBridge, by the rules of terraform's module events.

They are in tests/vectors/lost_consumers.json as terraform renders them, which tests/terraform compares. A pattern is matched
by AWS's own matcher.

    told = lost_jobs.told("deployra", event)    # of ECS's last event; an AssertionError where the rule does not take it
    told.body                                   # what the target gets: JSON text
    told.method, told.path, told.group
"""

import json
import os
import subprocess
import sys
from dataclasses import dataclass

from .world import ROOT, tool

TERRAFORM = os.path.join(ROOT, "tests", "terraform")


@dataclass
class Told:
    body: str
    method: str = None  # of an endpoint
    path: str = None
    group: str = None  # of a FIFO queue

    def document(self):
        return json.loads(self.body)


class LostJobs:
    def __init__(self):
        self.jars = tool("ensure-event-ruler")
        with open(os.path.join(ROOT, "tests", "vectors", "lost_consumers.json")) as file:
            self.rules = json.load(file)
        sys.path.insert(0, TERRAFORM)
        try:
            import transformer  # of tests/terraform
        finally:
            sys.path.pop(0)
        self.transformer = transformer

    def told(self, consumer, event):
        rule = self.rules[consumer]
        assert self._match(rule["pattern"], event), f"{consumer} is not told of {json.dumps(event)}"
        told = Told(self.transformer.transform(rule, event), rule.get("method"), group=rule.get("group"))
        json.loads(told.body)
        if "endpoint" in rule:
            (parameter,) = (self.transformer.look_up(path, event) for path in rule["path_parameters"])
            told.path = "/" + rule["endpoint"].split("/", 3)[3].replace("*", parameter)
        return told

    def _match(self, pattern, event):
        ended = subprocess.run(
            ["java", "-cp", f"{self.jars}/*", os.path.join(TERRAFORM, "Match.java")], text=True, check=True, timeout=120,
            input=json.dumps({"patterns": {"it": pattern}, "events": {"event": event}}), stdout=subprocess.PIPE)
        return json.loads(ended.stdout)["event"] == ["it"]
