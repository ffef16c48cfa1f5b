"""A certificate authority of the tests' own, made anew in each run."""

import os
import ssl
import subprocess


class Authority:
    def __init__(self, folder, names):
        self.folder = folder
        self.bundle = os.path.join(folder, "ca.pem")
        key, certificate, request = (os.path.join(folder, name) for name in ("key.pem", "server.pem", "server.csr"))
        self.key, self.certificate = key, certificate  # for servers that are programs of their own
        extensions = os.path.join(folder, "extensions")
        with open(extensions, "w") as file:
            file.write("subjectAltName=" + ",".join(f"DNS:{name}" for name in names))
        _openssl("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2",
                 "-subj", "/CN=Test authority", "-keyout", os.path.join(folder, "ca.key"), "-out", self.bundle)
        _openssl("req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-subj", f"/CN={names[0]}",
                 "-keyout", key, "-out", request)
        _openssl("x509", "-req", "-in", request, "-CA", self.bundle, "-CAkey", os.path.join(folder, "ca.key"),
                 "-days", "2", "-extfile", extensions, "-out", certificate)
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.context.load_cert_chain(certificate, key)


def _openssl(*words):
    subprocess.run(["openssl", *words], check=True, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
