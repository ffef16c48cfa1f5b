"""git over smart HTTP for the unit tests: git_server.py ROOT CA-FOLDER

Serves the bare repositories of ROOT as tests/e2e/bed/git_server.py does, and in addition

    /status-N/R     answers N             /html/R      answers a web page
    /garbage/R      answers a broken pack advertisement
    /leak/R         wants credentials (users), then redirects to /basic/R of another host
    /moved-path/R   redirects to /open/R of the same host
    /downgrade/R    redirects to http:// of the same host
    /half/R         sends half of the pack

on 127.0.0.1. Prints one line, "HTTP-PORT OTHER-PORT TLS-PORT PROXY-PORT" (OTHER is a second server that counts as
another host; PROXY lets CONNECT through for user px, password pw), and a line for each request: "SERVER METHOD TARGET
AUTHORIZATION".
Ends when standard input does. The user is ann, her password "p:w ü", the token "t0ken-of-ann".
"""

import base64
import os
import socket
import sys
import threading

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "e2e"))

from bed import git_server, http1, relay, tls  # noqa: E402


class Server(git_server.GitServer):
    def __init__(self, root, name):
        super().__init__(root)
        self.name = name
        self.users = {"ann": "p:w ü"}
        self.tokens = {"t0ken-of-ann"}
        self.flaky = 1

    def handle(self, request):
        print(self.name, request.method, request.target, request.header("authorization", "-"), flush=True)
        mode, _, rest = request.path[1:].partition("/")
        query = request.target.partition("?")[2]
        suffix = rest + (f"?{query}" if query else "")
        if mode.startswith("status-"):
            return http1.Response(int(mode[7:]), b"no\n")
        if mode == "html":
            return http1.Response(200, b"<html>", [("Content-Type", "text/html")])
        if mode == "garbage":
            kind = "application/x-git-upload-pack-advertisement"
            return http1.Response(200, b"001e# service=git-upload-pack\n0000zzzz", [("Content-Type", kind)])
        if mode == "leak":
            return self._refusal("basic", request) or redirect(f"{self.elsewhere}/basic/{suffix}")
        if mode == "moved-path":
            return redirect(f"/open/{suffix}")
        if mode == "downgrade":
            return redirect(f"http://{request.header('host')}/open/{suffix}")
        if mode == "half":
            response = self._backend(request, "/" + rest)
            if request.method == "POST" and b"PACK" in response.body:
                response.body = response.body[:response.body.index(b"PACK") + 40]
            return response
        return super().handle(request)


def redirect(target):
    return http1.Response(302, b"", [("Location", target)])


def on_proxy_connection(client):
    """One tunnel; the client may first be asked for its password."""
    with client, client.makefile("rb") as reader:
        while True:
            words = reader.readline(8192).decode("latin-1").split()
            headers = {}
            while line := reader.readline(8192).strip().decode("latin-1"):
                name, _, value = line.partition(": ")
                headers[name.lower()] = value
            if len(words) != 3:
                return
            given = headers.get("proxy-authorization", "-")
            print("proxy", words[0], words[1], given, flush=True)
            if words[0] != "CONNECT":
                client.sendall(b"HTTP/1.1 405 No\r\nContent-Length: 0\r\n\r\n")
                return
            if given == "Basic " + base64.b64encode(b"px:pw").decode():
                break
            client.sendall(b"HTTP/1.1 407 Who?\r\nProxy-Authenticate: Basic realm=\"p\"\r\nContent-Length: 0\r\n\r\n")
        with socket.create_connection(("127.0.0.1", int(words[1].rpartition(":")[2]))) as server:
            client.sendall(b"HTTP/1.1 200 Connected\r\n\r\n")
            threading.Thread(target=relay._pump, args=(server, client), daemon=True).start()
            relay._pump(client, server)


def main():
    root, authority = sys.argv[1:]
    servers = [Server(root, name) for name in ("http", "other", "tls")]
    sockets = [http1.listen("127.0.0.1") for _ in range(4)]
    ports = [sock.getsockname()[1] for sock in sockets]
    for server in servers:
        server.elsewhere = f"http://localhost:{ports[1]}"
    http1.serve(sockets[0], servers[0])
    http1.serve(sockets[1], servers[1])
    http1.serve(sockets[2], servers[2], tls.Authority(authority, ["localhost"]).context)
    http1.accept_on(sockets[3], on_proxy_connection)
    print(*ports, flush=True)
    sys.stdin.read()


main()
