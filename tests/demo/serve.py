#!/usr/bin/env python3
"""A private git server for the demonstration: serve.py ROOT PORT_FILE, the token in DEMO_TOKEN.

Smart HTTP on a free port of loopback; ends when standard input does.
"""

import os
import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "e2e"))

from bed import git_server, http1  # noqa: E402


def main():
    server = git_server.GitServer(sys.argv[1])
    server.tokens = {os.environ["DEMO_TOKEN"]}
    sock = http1.listen("127.0.0.1")
    http1.serve(sock, server)
    port_file = pathlib.Path(sys.argv[2])
    port_file.with_suffix(".new").write_text(f"{sock.getsockname()[1]}\n")
    port_file.with_suffix(".new").rename(port_file)
    sys.stdin.read()


main()
