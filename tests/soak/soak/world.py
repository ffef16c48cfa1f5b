"""The servers, and a job as it is started."""

import json
import os
import subprocess
import time

from bed import git_server, http1, repositories, s3
from bed.processes import peak_kib

from . import site

BUCKET, PREFIX = "site", "public/"
BUILD_UID = 1000


class World:
    """Lives as long as the soak."""

    def __init__(self, folder, caisson, versitygw):
        self.folder, self.caisson = folder, caisson
        self.git_root = self._make("repositories")
        self.workspaces = self._make("workspaces")
        self.versity = s3.Versity(versitygw, self._make("versity"))
        self.gate = s3.Gate(self.versity)
        self.git = git_server.GitServer(self.git_root)
        self.s3_url, self.git_url = self._serve(self.gate), self._serve(self.git)
        self.client = self.versity.client()
        self.client.make_bucket(BUCKET)
        self.keys = self.gate.issue(seconds=7 * 24 * 3600)
        self.repository = repositories.Repository(self.git_root, {"README": "empty"})

    def _make(self, name):
        path = os.path.join(self.folder, name)
        os.makedirs(path)
        os.chmod(path, 0o755)
        return path

    def _serve(self, service):
        listener = http1.listen("127.0.0.1")
        http1.serve(listener, service)
        return f"http://127.0.0.1:{listener.getsockname()[1]}"

    def published(self):
        return self.client.tree(BUCKET, PREFIX)

    def stop(self):
        self.versity.stop()


class Job:
    """One run of caisson."""

    def __init__(self, world, number, files, trouble, created_at=None):
        self.world, self.trouble, self.files = world, trouble, files
        self.id = f"job{number:05d}"
        self.commit = world.repository.add(site.repository_files(files))
        self.created_at = created_at or time.time()
        self.result_path = os.path.join(world.folder, f"{self.id}.json")
        self.log_path = os.path.join(world.folder, f"{self.id}.log")
        self.code = self.document = self.peak_kib = None

    def _spec(self):
        stamp = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(self.created_at))
        return {
            "version": 1, "id": self.id, "project": "soak",
            "created_at": f"{stamp}.{int(self.created_at % 1 * 1000):03d}Z",
            "source": {"repository": f"{self.world.git_url}/flaky/{self.world.repository.name}", "commit": self.commit},
            "build": {"builder": "commands", "commands": ["sh -e build.sh"], "output": "dist"},
            "artifacts": [{"to": f"s3://{BUCKET}/{PREFIX}", "mode": "mirror",
                           "s3": {"endpoint": self.world.s3_url, "region": s3.REGION, "path_style": True}}],
            "timeout": "60s", "retry": {"max_attempts": 3, "backoff": "50ms"},
            "result": f"file:{self.result_path}",
        }

    def start(self):
        keys = self.world.keys
        environment = {"PATH": os.environ["PATH"], "AWS_ACCESS_KEY_ID": keys.access,
                       "AWS_SECRET_ACCESS_KEY": keys.secret, "AWS_SESSION_TOKEN": keys.token}
        words = [self.world.caisson, "run", "--workspace", self.world.workspaces, "--stop-budget", "15s"]
        if os.geteuid() == 0:
            words += ["--build-uid", str(BUILD_UID)]
        with open(self.log_path, "wb") as log:
            self.process = subprocess.Popen([*words, "-"], stdin=subprocess.PIPE, stdout=log, stderr=log,
                                            env=environment, cwd=self.world.folder)
        self.process.stdin.write(json.dumps(self._spec()).encode())
        self.process.stdin.close()

    def wait(self, limit_s=90):
        if self.trouble.stop_after_s is not None:
            try:
                self.process.wait(self.trouble.stop_after_s)
            except subprocess.TimeoutExpired:
                self.process.terminate()
        deadline = time.monotonic() + limit_s
        while self.process.poll() is None and time.monotonic() < deadline:
            self.peak_kib = peak_kib(self.process.pid) or self.peak_kib
            time.sleep(0.01)
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
            raise AssertionError(f"{self.id} did not end within {limit_s} s; its log is {self.log_path}")
        self.code = self.process.returncode
        if os.path.exists(self.result_path):
            with open(self.result_path, encoding="utf-8") as file:
                self.document = json.load(file)

    def forget(self):
        for path in (self.result_path, self.log_path):
            if os.path.exists(path):
                os.unlink(path)
