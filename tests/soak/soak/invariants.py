"""What must hold after each job, whatever happened to it."""

import json
import os
import re
import signal
import statistics
import subprocess
import time

import jsonschema

from bed.processes import children_of, command_line

from .world import BUCKET, PREFIX

FOREIGN = {"foreign.txt": b"somebody else's\n"}  # in the prefix, and never ours
# What unfinished publishes meant to do is kept until no request of theirs can still come: 20 minutes (publish/plan.h).
SETTLED_S = 25 * 60
STATE_BYTES_A_PATH = 600
STATUS = {0: "succeeded", 20: "failed", 40: "failed", 43: "superseded", 143: "interrupted"}


class Invariants:
    def __init__(self, world):
        self.world = world
        self.children = children_of(os.getpid())
        said = subprocess.run([world.caisson, "schema", "result"], capture_output=True, check=True).stdout
        self.schema = json.loads(said)
        self.tree = {}          # of the newest job that succeeded
        self.incomplete = False # since a job that ended within phase 2
        self.descriptors = []
        self.peaks = []
        self.states = []        # sizes of the state object, once it may hold no more than before
        self.paths = set()      # of all jobs
        self.lost_uploads = 0   # multipart uploads whose beginning was not answered
        self.started = time.monotonic()
        for path, data in FOREIGN.items():
            world.client.put(BUCKET, PREFIX + path, data)

    def after(self, job, codes):
        if job.code == -signal.SIGTERM and job.trouble.stop_after_s is not None:
            assert os.path.getsize(job.log_path) == 0, "a signal has ended it after it had begun"
        else:
            assert job.code in codes, f"exit code {job.code}, not one of {sorted(codes)}"
            self._result(job)
        self._nothing_left()
        self._published(job)
        self._figures(job)

    def _result(self, job):
        document = job.document
        if document is None:  # stopped before it had read where the document goes: the log has it
            document = last_result(job.log_path)
            assert document["step"] == "load", document
            assert document["exit_code"] == job.code == 143, document
            return
        jsonschema.validate(document, self.schema)
        assert document["exit_code"] == job.code, document
        assert document["status"] == STATUS[job.code], document
        assert document["id"] == job.id, document
        if job.code == 0:
            assert document["source"]["commit"] == job.commit, document
            assert document["artifacts"][0]["files"] == len(job.files), document

    def _nothing_left(self):
        deadline = time.monotonic() + 2
        while (left := children_of(os.getpid()) - self.children) and time.monotonic() < deadline:
            time.sleep(0.02)
            reap(left)
        assert not left, f"processes are left: {[command_line(pid) for pid in left]}"
        assert os.listdir(self.world.workspaces) == [], "a workspace is left"

    def _published(self, job):
        there = self.world.published()
        for path, data in FOREIGN.items():
            assert there.pop(path, None) == data, f"{path}, which is not ours, has changed"
        if job.code == 0:
            self.tree, self.incomplete = job.files, False
            assert there == self.tree, difference(there, self.tree)
            return
        if job.document and "incomplete" in job.document["message"] + job.document["reason"]:
            self.incomplete = True
        if self.incomplete:
            return
        # An attempt may leave new files that nobody links to; what people see is the newest success.
        kept = {path: data for path, data in there.items() if path in self.tree}
        assert kept == self.tree, difference(kept, self.tree)

    def _figures(self, job):
        self.descriptors.append(len(os.listdir("/proc/self/fd")))
        if job.peak_kib and job.trouble.name == "none":
            self.peaks.append(job.peak_kib)
        states = self.world.client.keys_under(BUCKET, ".caisson/")
        assert len(states) <= 1, states
        self.paths |= job.files.keys()
        for key in states:
            size = len(self.world.client.get(BUCKET, key))
            assert size <= 4096 + STATE_BYTES_A_PATH * len(self.paths), f"{key} has {size} bytes"
            if time.monotonic() - self.started > SETTLED_S:
                self.states.append(size)
        # Of one whose id never came we cannot know: a lifecycle rule of the bucket is for those.
        self.lost_uploads += sum(seen.method == "POST" and "uploads" in seen.query and seen.status == 0
                                 for seen in self.world.gate.requests)
        if job.code == 0:
            there = self.world.client.must("GET", f"/{BUCKET}", query=[("uploads", "")]).body
            assert len(re.findall(rb"<UploadId>", there)) <= self.lost_uploads, f"a multipart upload is left: {there!r}"

    def at_the_end(self):
        assert_not_growing("memory of the main process, KiB", self.peaks)
        assert_not_growing("the state object, bytes", self.states)
        assert_not_growing("descriptors of the bed", self.descriptors)


def assert_not_growing(what, values):
    """The second quarter against the last: in the first it fills what it is meant to hold."""
    if len(values) < 40:
        return
    quarter = len(values) // 4
    early, late = statistics.median(values[quarter:2 * quarter]), statistics.median(values[-quarter:])
    print(f"{what}: {early:.0f} in the second quarter, {late:.0f} in the last, {max(values)} at most")
    assert late <= early * 1.3, f"{what} grew from {early} to {late}"


def last_result(path):
    """The result line at the end of a log."""
    with open(path, encoding="utf-8") as log:
        last = log.read().splitlines()[-1]
    _, mark, text = last.partition(" result ")
    assert mark, f"the log ends without a result: {last[:200]}"
    return json.loads(text)


def difference(there, wanted):
    return (f"missing: {sorted(wanted.keys() - there.keys())}, too many: {sorted(there.keys() - wanted.keys())}, "
            f"other bytes: {sorted(p for p in wanted.keys() & there.keys() if wanted[p] != there[p])}")


def reap(pids):
    for pid in pids:
        try:
            os.waitpid(pid, os.WNOHANG)
        except ChildProcessError:
            pass
