"""A job as it is started, with something that happens to it in one of its phases."""

import contextlib
import json
import os
import re
import subprocess
import threading
import time

from bed import s3
from soak.world import BUCKET, BUILD_UID

LIMIT_S = 90
PHASES = ("start", "checkout", "build", "publish", "report")
THROUGHOUT, AFTER = "throughout", "after"  # the fault is there from before the job; it came too late
LINES = 300
BUILD = f"mkdir dist; for i in $(seq {LINES}); do echo line $i; done; sleep 0.3; echo x >dist/index.html; "
BEGINS = re.compile(r"\S+ (checkout|build|publish) +begins")
STEPS_OVER = re.compile(r"\S+ (publish +done|\w+ +(failed|cancelled|interrupted) |error: job|job \S+ )")


class Lengths:
    """How long phases last here, so that faults are drawn from all of one."""

    def __init__(self):
        self.seen = {"start": [0.05], "checkout": [0.15], "build": [0.4], "publish": [0.1], "report": [0.05]}

    def add(self, phase, seconds):
        self.seen.setdefault(phase, []).append(seconds)
        del self.seen[phase][:-15]

    def usual(self, phase):
        return sorted(self.seen[phase])[len(self.seen[phase]) // 2]


class Job:
    def __init__(self, receivers, fault, name, phase, lengths, rng):
        self.receivers, self.fault, self.id, self.wanted = receivers, fault, name, phase
        self.lengths, self.rng = lengths, rng
        self.log_path = os.path.join(receivers.folder, f"{self.id}.log")
        self.hit = THROUGHOUT
        self.trouble = None
        self.phase, self.changed = "start", threading.Condition()

    def spec(self):
        world = self.receivers.world
        storage = {"endpoint": world.s3_url, "region": s3.REGION, "path_style": True}
        return {
            "version": 1, "id": self.id, "project": "soak",
            "source": {"repository": f"{world.git_url}/open/{world.repository.name}"},
            "build": {"builder": "commands", "commands": [BUILD + self.fault.command], "output": "dist"},
            "artifacts": [{"to": f"s3://{BUCKET}/{self.id}/", "s3": storage}],
            "log": f"s3://{BUCKET}/logs/{self.id}.gz", "result": f"s3://{BUCKET}/results/{self.id}.json",
            "notify": self.receivers.entries(self.fault.host)}

    def _words(self):
        receivers = self.receivers
        words = [*self.fault.words, receivers.world.caisson, "run", "--workspace", receivers.workspaces,
                 "--stop-budget", "15s", "--operator", receivers.operator]
        if os.geteuid() == 0:
            words += ["--build-uid", str(BUILD_UID)]
        return [*words, "-"]

    def run(self):
        began = time.monotonic()
        with subprocess.Popen(self._words(), stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                              env=self.receivers.environment(), cwd=self.receivers.folder) as self.process:
            threads = [threading.Thread(target=self._watch)]
            if self.fault.act:
                threads.append(threading.Thread(target=self._happen))
            for thread in threads:
                thread.start()
            with contextlib.suppress(BrokenPipeError):
                self.process.stdin.write(json.dumps(self.spec()).encode())
                self.process.stdin.close()
            try:
                self.code = self.process.wait(LIMIT_S)
                self.seconds = time.monotonic() - began
            except subprocess.TimeoutExpired:
                self.process.kill()
                raise AssertionError(f"it did not end within {LIMIT_S} s") from None
            finally:
                self._enter(AFTER)
                for thread in threads:
                    thread.join()
        if self.trouble:
            raise AssertionError("what was to happen did not") from self.trouble

    # -- phases

    def _watch(self):
        began = time.monotonic()
        with open(self.log_path, "wb", buffering=0) as log:
            for line in self.process.stdout:
                log.write(line)
                text = line[:80].decode(errors="replace")
                begins = BEGINS.match(text)
                phase = begins[1] if begins else "report" if STEPS_OVER.match(text) else self.phase
                if phase != self.phase and self.phase != "report":
                    now = time.monotonic()
                    self.lengths.add(self.phase, now - began)
                    self._enter(phase)
                    began = now
        self.lengths.add(self.phase, time.monotonic() - began)

    def _enter(self, phase):
        with self.changed:
            self.phase = phase
            self.changed.notify_all()

    def _happen(self):
        after = (*PHASES, AFTER)[PHASES.index(self.wanted):]
        with self.changed:
            self.changed.wait_for(lambda: self.phase in after, LIMIT_S)
        time.sleep(self.rng.uniform(0, self.lengths.usual(self.wanted)))
        self.hit = self.phase
        try:
            self.fault.act(self.receivers, self.process)
        except Exception as error:  # a thread's own would only be printed
            self.trouble = error
