"""caisson's own children, driven alone: `caisson --worker NAME` reads a request and writes messages, both JSON."""

import json
import time

from .measure import Failed

ACCESS_KEY, SECRET_KEY, REGION = "AKIAIOSFODNN7EXAMPLE", "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY", "us-east-1"
AWS_ENVIRONMENT = {"AWS_ACCESS_KEY_ID": ACCESS_KEY, "AWS_SECRET_ACCESS_KEY": SECRET_KEY, "AWS_REGION": REGION}


def run(launcher, caisson, name, request):
    """(Cost, the result's value)"""
    cost, printed = launcher.run([caisson, "--worker", name], json.dumps(request).encode())
    for line in printed.splitlines():
        message = json.loads(line)
        if message["type"] == "result":
            return cost, message["value"]
    raise Failed(f"caisson --worker {name} gave no result: {printed[-1000:]!r}")


def checkout_request(url, folder):
    return {"repository": url, "directory": folder, "connect_timeout_ms": 0, "max_bytes": 0}


def publish_request(folder, endpoint, mode):
    return {
        "from": folder, "root": folder, "to": "s3://bucket/__outputs/site/", "mode": mode, "job_id": "bench",
        "created_at_ms": int(time.time() * 1000), "endpoint": endpoint, "region": REGION, "path_style": True,
        "credentials": {"kind": "static", "access_key": ACCESS_KEY, "secret_key": SECRET_KEY},
        "build_uid": -1, "build_gid": -1, "max_bytes": 0, "secrets": [],
    }
