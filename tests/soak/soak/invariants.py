"""What must hold after each job, whatever happened to it."""

import json
import os
import re
import statistics
import subprocess
import time

import jsonschema

from .world import BUCKET, PREFIX

FOREIGN = {"foreign.txt": b"somebody else's\n"}  # in the prefix, and never ours
STATUS = {0: "succeeded", 20: "failed", 40: "failed", 43: "superseded", 143: "interrupted"}


class Invariants:
    def __init__(self, world):
        self.world = world
        self.children = children_of(os.getpid())
        self.schema = json.loads(subprocess.run([world.caisson, "schema", "result"], capture_output=True, check=True).stdout)
        self.tree = {}          # of the newest job that succeeded
        self.incomplete = False # since a job that ended within phase 2
        self.descriptors = []
        self.peaks = []
        self.states = []        # sizes of the state object
        for path, data in FOREIGN.items():
            world.client.put(BUCKET, PREFIX + path, data)

    def after(self, job, codes):
        assert job.code in codes, f"exit code {job.code}, not one of {sorted(codes)}"
        self._result(job)
        self._nothing_left()
        self._published(job)
        self._figures(job)

    def _result(self, job):
        document = job.document
        assert document is not None, "no result document"
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
        assert not left, f"processes are left: {[describe(pid) for pid in left]}"
        assert os.listdir(self.world.workspaces) == [], "a workspace is left"

    def _published(self, job):
        there = self.world.published()
        for path, data in FOREIGN.items():
            assert there.pop(path, None) == data, f"{path}, which is not ours, has changed"
        if job.code == 0:
            self.tree, self.incomplete = job.files, False
            assert there == self.tree, difference(there, self.tree)
            return
        if "incomplete" in job.document.get("message", "") or job.document.get("reason") == "publish-incomplete":
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
        self.states += [len(self.world.client.get(BUCKET, key)) for key in states]
        if job.code == 0:
            uploads = self.world.client.must("GET", f"/{BUCKET}", query=[("uploads", "")]).body
            assert not re.search(rb"<UploadId>", uploads), f"a multipart upload is left: {uploads!r}"

    def at_the_end(self):
        assert_not_growing("memory of the main process, KiB", self.peaks, 1.25)
        assert_not_growing("the state object, bytes", self.states, 2.0)
        assert_not_growing("descriptors of the bed", self.descriptors, 1.5)


def assert_not_growing(what, values, factor):
    if len(values) < 20:
        return
    quarter = len(values) // 4
    early, late = statistics.median(values[:quarter]), statistics.median(values[-quarter:])
    print(f"{what}: {early:.0f} at first, {late:.0f} at last, {max(values)} at most")
    assert late <= early * factor, f"{what} grew from {early} to {late}"


def difference(there, wanted):
    return (f"missing: {sorted(wanted.keys() - there.keys())}, too many: {sorted(there.keys() - wanted.keys())}, "
            f"other bytes: {sorted(p for p in wanted.keys() & there.keys() if wanted[p] != there[p])}")


def children_of(parent):
    """Orphans of a job come to us, its subreaper, so a process that outlives it is a child of ours."""
    found = set()
    for name in os.listdir("/proc"):
        if not name.isdigit():
            continue
        try:
            with open(f"/proc/{name}/stat", encoding="ascii", errors="replace") as stat:
                fields = stat.read().rpartition(")")[2].split()
        except OSError:
            continue
        if int(fields[1]) == parent:
            found.add(int(name))
    return found


def reap(pids):
    for pid in pids:
        try:
            os.waitpid(pid, os.WNOHANG)
        except ChildProcessError:
            pass


def describe(pid):
    try:
        with open(f"/proc/{pid}/cmdline", "rb") as file:
            return f"{pid}: {file.read().replace(bytes(1), b' ').decode(errors='replace')}"
    except OSError:
        return str(pid)
