"""What the clients talk to: the S3 stand-in, and a git server that answers from memory."""

import http.client
import json
import subprocess
import threading
import time

from bed import git_server, http1


def use(server, stack):
    """The server of tests/e2e/bed, started. It is over when the stack is: its keeper looks into the folder that is removed
    then, and without a keeper the server would stay."""
    stack.enter_context(server)
    stack.callback(server.kill)
    return server


class S3Stub:
    """s3_stub.c on a free port of the loopback."""

    def __init__(self, program):
        probe = http1.listen("127.0.0.1")
        self.port = probe.getsockname()[1]
        probe.close()
        self.process = subprocess.Popen([program, str(self.port)])
        self.endpoint = f"http://127.0.0.1:{self.port}"
        for _ in range(200):
            try:
                self.ask("/__stats")
                return
            except OSError:
                time.sleep(0.02)
        raise RuntimeError("s3_stub does not start")

    def ask(self, path):
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=10)
        connection.request("GET", path)
        body = connection.getresponse().read()
        connection.close()
        return body

    def set_latency(self, milliseconds):
        self.ask(f"/__latency?{milliseconds}")

    def set_rate(self, puts_per_second, burst):
        """The rest is answered with SlowDown. 0: none is."""
        self.ask(f"/__rate?{puts_per_second},{burst}")

    def forget(self):
        """Removes what it keeps, and starts to count anew."""
        self.ask("/__reset")
        self.ask("/__stats")

    def stats(self):
        """{requests, puts, refused, connections, bytes} since the last question."""
        return json.loads(self.ask("/__stats"))

    def stop(self):
        self.process.terminate()
        self.process.wait()


class GitReplay:
    """Answers each request as `git http-backend` did the first time, so that the server's work is not measured."""

    def __init__(self, root):
        self.backend = git_server.GitServer(root)
        self.answers = {}
        self.lock = threading.Lock()
        self.listener = http1.listen("127.0.0.1")
        self.url = f"http://127.0.0.1:{self.listener.getsockname()[1]}"
        http1.serve(self.listener, self)

    def handle(self, request):
        key = (request.method, request.target, request.header("git-protocol"), request.body)
        with self.lock:
            if key not in self.answers:
                self.answers[key] = self.backend.handle(request)
        return self.answers[key]

    def stop(self):
        http1.close_listener(self.listener)
