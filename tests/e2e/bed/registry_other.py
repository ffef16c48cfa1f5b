"""A registry of other people's code than registry.Registry's two generations: go-containerregistry's own server.

    with registry_other.OtherRegistry(folder) as hub:      # http on 127.0.0.1, no authentication, all in memory
        hub.host, hub.requests(), hub.tags("shop"), hub.pull("shop", "one", folder)
"""

import http.client
import json
import os
import re
import subprocess
import time

from . import http1
from .registry import Entry

# Answers of success have no status in its log.
LINE = re.compile(r"^\S+ \S+ (?P<method>[A-Z]+) (?P<path>/\S*)(?: (?P<status>\d{3}) .*)?$", re.M)


class OtherRegistry:
    def __init__(self, folder):
        from .world import tool

        probe = http1.listen("127.0.0.1")
        self.port = probe.getsockname()[1]
        probe.close()
        self.host, self.log_path = f"127.0.0.1:{self.port}", os.path.join(folder, "other-registry.log")
        with open(self.log_path, "wb") as log:
            self.process = subprocess.Popen(
                [tool("ensure-go-tool", "crane"), "registry", "serve", "--address", self.host],
                stdin=subprocess.DEVNULL, stdout=log, stderr=log, env={"PATH": os.environ["PATH"]})
        deadline = time.monotonic() + 20
        while True:
            try:
                http1.socket.create_connection(("127.0.0.1", self.port), timeout=1).close()
                return
            except OSError:
                if time.monotonic() > deadline or self.process.poll() is not None:
                    raise AssertionError("the registry does not start") from None
                time.sleep(0.01)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.terminate()
        self.process.wait(10)

    def requests(self):
        """Status 0: a success."""
        with open(self.log_path, errors="replace") as file:
            return [Entry(found["method"], found["path"], int(found["status"] or 0), "")
                    for found in LINE.finditer(file.read())]

    def get(self, path, accept="*/*"):
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=10)
        connection.request("GET", path, headers={"Accept": accept})
        answer = connection.getresponse()
        return answer.status, dict(answer.getheaders()), answer.read()

    def tags(self, repository):
        """{tag: digest}"""
        status, _, text = self.get(f"/v2/{repository}/tags/list")
        names = (json.loads(text)["tags"] or []) if status == 200 else []
        return {name: self.get(f"/v2/{repository}/manifests/{name}")[1]["Docker-Content-Digest"] for name in names}

    def pull(self, repository, tag, folder):
        """By skopeo, as a client does it: a layout in `folder`."""
        done = subprocess.run(["skopeo", "--insecure-policy", "copy", "--quiet", "--src-tls-verify=false",
                               f"docker://{self.host}/{repository}:{tag}", f"oci:{folder}:{tag}"],
                              capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        return folder
