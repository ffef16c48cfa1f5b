"""What the soak found: a result that said too little, and an exit code that said something else."""

import os
import signal
import subprocess

from bed import s3
from bed.world import BUCKET


def test_publish_incomplete_whatever_a_later_attempt_said(bed):
    first = bed.commands("mkdir dist; echo 1 >dist/old.txt; echo 1 >dist/index.html")
    first["artifacts"][0]["mode"] = "mirror"
    assert bed.run(first).code == 0
    second = bed.commands("mkdir dist; echo 2 >dist/index.html", retry={"max_attempts": 2, "backoff": "50ms"})
    second["artifacts"] = first["artifacts"]
    of_site = lambda seen: seen.bucket == BUCKET and seen.method == "DELETE" and not seen.key.startswith(".caisson/")
    removals = bed.gate.add(s3.Refuse(of_site, 500, "InternalError"))
    # The second attempt fails at its first request.
    bed.gate.add(s3.Refuse(lambda seen: removals.hits and seen.key.startswith(".caisson/"), 403, "AccessDenied"))
    ended = bed.run(second)
    assert ended.code == 40, ended
    assert [step["attempts"] for step in ended.result["steps"] if step["name"] == "publish"] == [2], ended
    assert "incomplete" in ended.result["message"], ended
    assert bed.published(second) == {"index.html": b"2\n", "old.txt": b"1\n"}, ended


def test_a_signal_after_the_result_changes_nothing(program, tmp_path):
    spec = tmp_path / "bad.yaml"
    spec.write_text("version: 1\nprojct: x\n")
    for _ in range(40):
        with subprocess.Popen([program, "run", "--log", "plain", str(spec)], stdout=subprocess.PIPE,
                              stderr=subprocess.DEVNULL, env={"PATH": os.environ["PATH"]}) as process:
            for line in process.stdout:
                if b' result {"schema"' in line:
                    process.send_signal(signal.SIGTERM)
            assert process.wait(20) == 10
