"""A certificate authority of the tests' own, made anew in each run."""

import fcntl
import os
import ssl
import subprocess


class Authority:
    """One that stands in `folder` already is taken as it is, so workers of a run may share one."""

    def __init__(self, folder, names):
        self.folder = folder
        self.bundle = os.path.join(folder, "ca.pem")
        self.key, self.certificate = (os.path.join(folder, name) for name in ("key.pem", "server.pem"))
        with open(os.path.join(folder, "lock"), "w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            if not os.path.exists(self.certificate):
                self._make(names)
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.context.load_cert_chain(self.certificate, self.key)

    def _make(self, names):
        extensions, request, ca_key = (os.path.join(self.folder, name) for name in ("extensions", "server.csr", "ca.key"))
        with open(extensions, "w") as file:
            file.write("subjectAltName=" + ",".join(f"DNS:{name}" for name in names))
        _openssl("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2",
                 "-subj", "/CN=Test authority", "-keyout", ca_key, "-out", self.bundle)
        _openssl("req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-subj", f"/CN={names[0]}",
                 "-keyout", self.key, "-out", request)
        _openssl("x509", "-req", "-in", request, "-CA", self.bundle, "-CAkey", ca_key, "-days", "2",
                 "-extfile", extensions, "-out", self.certificate)


def _openssl(*words):
    subprocess.run(["openssl", *words], check=True, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
