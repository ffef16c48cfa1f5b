"""MinIO, with real STS tokens and a session policy that allows PutObject on one prefix only."""

import http.client
import json
import os
import re
import secrets
import subprocess
import time
import urllib.parse

import pytest

from bed import http1, relay, s3, sigv4
from bed.world import ADDRESSES, tool

pytestmark = pytest.mark.rare
BUCKET = "deployments"


class Minio:
    def __init__(self, program, folder):
        self.keys = sigv4.Keys("ROOT" + secrets.token_hex(8).upper(), secrets.token_hex(20))
        probe = http1.listen("127.0.0.1")
        self.address = probe.getsockname()
        probe.close()
        environment = {"PATH": os.environ["PATH"], "HOME": folder, "MINIO_ROOT_USER": self.keys.access,
                       "MINIO_ROOT_PASSWORD": self.keys.secret, "MINIO_SITE_REGION": s3.REGION, "MINIO_UPDATE": "off",
                       "MINIO_BROWSER": "off"}
        self.log = open(os.path.join(folder, "minio.log"), "wb")
        self.process = subprocess.Popen(
            [program, "server", "--address", f"127.0.0.1:{self.address[1]}", os.path.join(folder, "data")],
            env=environment, stdin=subprocess.DEVNULL, stdout=self.log, stderr=subprocess.STDOUT)
        deadline = time.monotonic() + 60
        while True:
            try:
                self.client().make_bucket(BUCKET)
                return
            except (OSError, AssertionError, http.client.HTTPException):
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.2)

    def client(self):
        return s3.Client(self.address, self.keys)

    def assume_role(self, policy, seconds=900):
        body = urllib.parse.urlencode({
            "Action": "AssumeRole", "Version": "2011-06-15", "RoleArn": "arn:aws:iam::123456789012:role/build",
            "RoleSessionName": "task", "DurationSeconds": seconds, "Policy": json.dumps(policy)}).encode()
        host = f"{self.address[0]}:{self.address[1]}"
        headers = sigv4.sign(self.keys, s3.REGION, "POST", host, "/", body=body, service="sts", headers=[
            ("content-type", "application/x-www-form-urlencoded")])
        connection = http.client.HTTPConnection(*self.address, timeout=30)
        connection.request("POST", "/", body, dict(headers))
        text = connection.getresponse().read().decode()
        found = {name: re.search(f"<{name}>(.*?)</{name}>", text)[1]
                 for name in ("AccessKeyId", "SecretAccessKey", "SessionToken")}
        return sigv4.Keys(found["AccessKeyId"], found["SecretAccessKey"], found["SessionToken"], time.time() + seconds)

    def stop(self):
        self.process.terminate()
        self.process.wait(20)
        self.log.close()


@pytest.fixture(scope="module")
def minio(tmp_path_factory):
    server = Minio(tool("ensure-go-tool", "minio"), str(tmp_path_factory.mktemp("minio")))
    yield server
    server.stop()


def put_only(prefix):
    return {"Version": "2012-10-17", "Statement": [
        {"Effect": "Allow", "Action": ["s3:PutObject"], "Resource": [f"arn:aws:s3:::{BUCKET}/{prefix}*"]}]}


def publish(bed, minio, prefix, policy, mode):
    spec = bed.commands("mkdir dist; echo x >dist/index.html; echo a >dist/a.js", result=None)
    spec["artifacts"] = [{"to": f"s3://{BUCKET}/{prefix}", "mode": mode,
                          "s3": {"endpoint": "http://minio.test:9100", "region": s3.REGION, "path_style": True}}]
    pipe = relay.Forward(minio.address)
    hosts = "127.0.0.1 localhost minio.test\n" + "".join(f"{a} {n}\n" for n, a in ADDRESSES.items())
    task = bed.start(spec, issue=lambda: minio.assume_role(policy), files={"/etc/hosts": hosts},
                     services=[("127.0.0.1", 9100, pipe.on_connection)])
    return bed.finish(task)


def test_a_role_that_may_put_one_prefix_only(bed, minio):
    ended = publish(bed, minio, "site1/", put_only("site1/"), "add")
    assert ended.code == 0, ended
    assert minio.client().tree(BUCKET, "site1/") == {"index.html": b"x\n", "a.js": b"a\n"}


def test_the_same_role_elsewhere(bed, minio):
    ended = publish(bed, minio, "site2/", put_only("site1/"), "add")
    assert ended.code == 40, ended
    assert minio.client().keys_under(BUCKET, "site2/") == []


def test_mirror_with_a_role_for_it(bed, minio):
    policy = {"Version": "2012-10-17", "Statement": [
        {"Effect": "Allow", "Action": ["s3:PutObject", "s3:GetObject", "s3:DeleteObject"],
         "Resource": [f"arn:aws:s3:::{BUCKET}/site3/*", f"arn:aws:s3:::{BUCKET}/.caisson/*"]},
        {"Effect": "Allow", "Action": ["s3:ListBucket"], "Resource": [f"arn:aws:s3:::{BUCKET}"]}]}
    for _ in range(2):
        ended = publish(bed, minio, "site3/", policy, "mirror")
        assert ended.code == 0, ended
    assert minio.client().tree(BUCKET, "site3/") == {"index.html": b"x\n", "a.js": b"a\n"}
