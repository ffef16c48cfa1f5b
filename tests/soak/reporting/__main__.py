"""python3 -m reporting: called by tests/soak/run-reporting."""

import collections
import ctypes
import json
import os
import random
import shutil
import subprocess
import sys
import tempfile
import threading
import time

import jsonschema

from bed import s3
from soak.world import BUCKET, BUILD_UID

from . import faults
from .receivers import Receivers

PR_SET_CHILD_SUBREAPER = 36
STATUS = {0: "succeeded", 130: "cancelled", 143: "interrupted"}
STOPPED = (-15, -2, -1)  # by a signal, before there was a program to take it
LIMIT_S = 90


class Job:
    def __init__(self, receivers, fault, number):
        self.receivers, self.fault, self.id = receivers, fault, f"job{number:05d}"
        self.log_path = os.path.join(receivers.folder, f"{self.id}.log")

    def _spec(self):
        world = self.receivers.world
        storage = {"endpoint": world.s3_url, "region": s3.REGION, "path_style": True}
        build = ("mkdir dist; for i in $(seq 300); do echo line $i; done; sleep 0.3; echo x >dist/index.html; "
                 + self.fault.command)
        return {
            "version": 1, "id": self.id, "project": "soak",
            "source": {"repository": f"{world.git_url}/open/{world.repository.name}"},
            "build": {"builder": "commands", "commands": [build], "output": "dist"},
            "artifacts": [{"to": f"s3://{BUCKET}/{self.id}/", "s3": storage}],
            "result": f"s3://{BUCKET}/results/{self.id}.json", "notify": self.receivers.entries(self.fault.host)}

    def run(self):
        receivers = self.receivers
        operator = os.path.join(receivers.folder, "operator.yaml")
        with open(operator, "w") as file:
            file.write("allow: [private-http, plain-brokers]\n")
        words = [*self.fault.namespace, receivers.world.caisson, "run", "--workspace", receivers.world.workspaces,
                 "--stop-budget", "15s", "--operator", operator]
        if os.geteuid() == 0:
            words += ["--build-uid", str(BUILD_UID)]
        with open(self.log_path, "wb") as log:
            process = subprocess.Popen([*words, "-"], stdin=subprocess.PIPE, stdout=log, stderr=log,
                                       env=receivers.environment(), cwd=receivers.folder)
        process.stdin.write(json.dumps(self._spec()).encode())
        process.stdin.close()
        beside = threading.Thread(target=self.fault.during, args=(receivers, process)) if self.fault.during else None
        if beside:
            beside.start()
        began = time.monotonic()
        try:
            self.code = process.wait(LIMIT_S)
            self.seconds = time.monotonic() - began
        except subprocess.TimeoutExpired:
            process.kill()
            raise AssertionError(f"it did not end within {LIMIT_S} s") from None
        if beside:
            beside.join()

    # -- what must hold

    def check(self, schemas):
        """The outcome, for the table."""
        if self.code in STOPPED:
            assert os.path.getsize(self.log_path) == 0, "a signal has ended it after it had begun"
            return "not begun"
        assert self.code in self.fault.codes, f"exit code {self.code}, not one of {self.fault.codes}"
        result = self.receivers.result(self.id)
        if result is None:  # stopped before it had read where the document goes: the log has it
            result = self._last_result()
            assert result["step"] == "load" and result["exit_code"] == self.code == 143, result
            return "interrupted before the spec was read"
        schemas["result"].validate(result)
        assert result["exit_code"] == self.code and result["status"] == STATUS.get(self.code, "failed"), result
        undelivered = result.pop("undelivered", [])
        missed = {entry.split()[0] for entry in undelivered}
        assert missed <= set(self.fault.may_miss), undelivered
        self._told(result, missed, schemas["events"])
        return result["status"] + (f", {', '.join(sorted(missed))} not told and named" if missed else "")

    def _told(self, result, missed, schema):
        assert self.receivers.hook.mistakes == []
        ends = set()
        for name, events in self.receivers.told().items():
            by_id = {}
            for event in events:
                assert by_id.setdefault(event["id"], event) == event, "another event of the same id"
            last = [event for event in by_id.values() if event["type"].endswith(".finished")]
            if name in missed:
                continue
            assert len(last) == 1, f"{name} was told {len(last)} ends"
            told = dict(last[0]["data"]["result"])
            # Who was not told is one more warning, of which the others cannot be told; and one that comes between the
            # first writing and the telling is told alone.
            warnings, written = told.pop("warnings", []), result.get("warnings", [])
            shared = min(len(warnings), len(written))
            assert warnings[:shared] == written[:shared], result
            known = {key: value for key, value in result.items() if key != "warnings"}
            assert told == known, f"{name} was told another result: {told}, not {known}"
            assert last[0] is list(by_id.values())[-1], f"{name} was told more after the end"
            ends.add(last[0]["id"])
            sequences = [event["sequence"] for event in by_id.values()]
            assert sequences == sorted(sequences), f"{name}: {sequences}"
            for event in by_id.values():
                schema.validate(event)
        assert len(ends) == 1, ends

    def _last_result(self):
        with open(self.log_path, encoding="utf-8") as log:
            last = [line for line in log.read().splitlines() if " result {" in line]
        assert last, "the log ends without a result"
        return json.loads(last[-1].partition(" result ")[2])


def soak(receivers, rng, jobs):
    schemas = {}
    for name in ("result", "events"):
        said = subprocess.run([receivers.world.caisson, "schema", name], capture_output=True, check=True).stdout
        schemas[name] = jsonschema.Draft202012Validator(json.loads(said))
    table = collections.defaultdict(list)
    order = []
    for number in range(jobs):
        if not order:  # each as often as any other
            order = rng.sample(faults.KINDS, len(faults.KINDS))
        fault = order.pop()(rng)
        receivers.reset()
        if fault.before:
            fault.before(receivers)
        job = Job(receivers, fault, number)
        try:
            job.run()
            table[fault.name, job.check(schemas)].append(job.seconds)
        except AssertionError:
            print(f"{job.id}, {fault.name}: its log is {job.log_path}", file=sys.stderr)
            raise
        os.unlink(job.log_path)
    return table


def main():
    seed = int(os.environ.get("SOAK_SEED") or random.SystemRandom().getrandbits(32))
    jobs = int(os.environ.get("SOAK_JOBS") or 1000)
    print(f"SOAK_SEED={seed}", flush=True)
    ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    folder = tempfile.mkdtemp(prefix="caisson-soak.")
    os.chmod(folder, 0o755)
    receivers = Receivers(folder, os.path.abspath(os.environ["CAISSON"]), os.environ["VERSITYGW"])
    began = time.monotonic()
    try:
        table = soak(receivers, random.Random(seed), jobs)
    finally:
        receivers.stop()
    shutil.rmtree(folder)
    for (fault, outcome), seconds in sorted(table.items()):
        print(f"{len(seconds):6}  {fault}: {outcome}, {max(seconds):.1f} s at most")
    print(f"{sum(map(len, table.values()))} jobs in {time.monotonic() - began:.0f} s, each with one end, told once by its id")


main()
