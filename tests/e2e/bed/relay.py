"""The ends of a task's network that are no server of ours: the way out to the package registry, pipes, and a trap."""

import socket
import ssl
import threading
import urllib.parse
import urllib.request


def _pump(source, target):
    try:
        while data := source.recv(65536):
            target.sendall(data)
    except OSError:
        pass
    for sock in (source, target):
        try:
            sock.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass


class ConnectProxy:
    """An HTTP proxy that knows CONNECT only. It stands in the task's network and connects from the host's, through
    the host's own proxy where the environment names one: npm in a task reaches its registry with no route out."""

    def __init__(self):
        self.hosts = []

    def on_connection(self, client):
        try:
            with client, client.makefile("rb") as reader:
                words = reader.readline(8192).split()
                while reader.readline(8192).strip():
                    pass
                if len(words) != 3 or words[0] != b"CONNECT":
                    client.sendall(b"HTTP/1.1 405 Method Not Allowed\r\nContent-Length: 0\r\n\r\n")
                    return
                host, _, port = words[1].decode().rpartition(":")
                self.hosts.append(host)
                with _connect(host, int(port)) as upstream:
                    client.sendall(b"HTTP/1.1 200 Connection established\r\n\r\n")
                    back = threading.Thread(target=_pump, args=(upstream, client), daemon=True)
                    back.start()
                    _pump(client, upstream)
                    back.join()
        except OSError:
            pass


class Forward:
    """A plain pipe to a server of the host's network."""

    def __init__(self, address):
        self.address = address

    def on_connection(self, client):
        try:
            with client, socket.create_connection(self.address) as upstream:
                back = threading.Thread(target=_pump, args=(upstream, client), daemon=True)
                back.start()
                _pump(client, upstream)
                back.join()
        except OSError:
            pass


def _connect(host, port):
    proxy = urllib.request.getproxies().get("https")
    if not proxy or urllib.request.proxy_bypass(host):
        return socket.create_connection((host, port), timeout=60)
    address = urllib.parse.urlsplit(proxy)
    upstream = socket.create_connection((address.hostname, address.port or 8080), timeout=60)
    if address.scheme == "https":
        upstream = ssl.create_default_context().wrap_socket(upstream, server_hostname=address.hostname)
    upstream.sendall(f"CONNECT {host}:{port} HTTP/1.1\r\nHost: {host}:{port}\r\n\r\n".encode())
    answer = b""
    while not answer.endswith(b"\r\n\r\n"):
        byte = upstream.recv(1)
        if not byte:
            raise OSError("the proxy closed the connection")
        answer += byte
    if b" 200 " not in answer.split(b"\r\n")[0]:
        raise OSError(f"the proxy refuses {host}")
    return upstream


class Trap:
    """Counts who comes; what a client says first is kept. Nobody should."""

    def __init__(self):
        self.visitors = []

    def on_connection(self, client):
        with client:
            client.settimeout(2)
            try:
                said = client.recv(4096)
            except OSError:
                said = b""
            self.visitors.append(said)
