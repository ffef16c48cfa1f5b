"""A mirror that takes over what another builder has left, and what may come between."""

import time

import pytest

from bed import s3
from bed.world import BUCKET, storage_options

OLDER = {"index.html": "older\n", "assets/app-1.js": "older()\n", "style.css": "shared\n"}
NEWER = {"index.html": "newer\n", "assets/app-2.js": "newer()\n", "style.css": "shared\n"}
LEFT = {"index.html": b"theirs\n", "static/js/main.1.js": b"theirs()\n", "style.css": b"shared\n", "a b+c&d.txt": b"theirs\n"}
WHEN = {"older": "2026-01-02T00:00:00Z", "newer": "2026-01-03T00:00:00Z"}


class Site:
    def __init__(self, bed, prefix):
        self.bed, self.prefix = bed, prefix
        self.repositories = {name: bed.repository({f"public/{path}": text for path, text in files.items()})
                             for name, files in (("older", OLDER), ("newer", NEWER))}
        for path, body in LEFT.items():
            bed.storage.put(BUCKET, prefix + path, body)

    def spec(self, name, **artifact):
        return self.bed.spec(
            self.repositories[name], build={"builder": "none", "output": "public"}, created_at=WHEN[name],
            artifacts=[{"to": f"s3://{BUCKET}/{self.prefix}", "adopt": True, "s3": storage_options(), **artifact}])

    def tree(self):
        return {path: body.decode() for path, body in self.bed.storage.tree(BUCKET, self.prefix).items()}


@pytest.fixture
def prefix(bed):
    return f"taken-{bed.repository({'x': 'x'}).name[:8]}"


def test_everything_is_taken_over_once(bed, prefix):
    site = Site(bed, f"{prefix}/")
    bed.storage.put(BUCKET, f"{prefix}-beside/index.html", b"a neighbour\n")
    ended = bed.run(site.spec("older"))
    assert ended.code == 0, ended
    assert site.tree() == OLDER and ended.result["artifacts"][0]["removed"] == 2, ended
    assert bed.storage.tree(BUCKET, f"{prefix}-beside/") == {"index.html": b"a neighbour\n"}
    bed.storage.put(BUCKET, f"{prefix}/proof.html", b"by hand\n")
    ended = bed.run(site.spec("newer"))
    assert ended.code == 0, ended
    assert site.tree() == {**NEWER, "proof.html": "by hand\n"}, ended


def test_role_that_may_not_list(bed, prefix):
    site = Site(bed, f"{prefix}/")
    bed.gate.allow = lambda seen: "list-type" not in seen.query
    ended = bed.run(site.spec("older"))
    assert ended.code == 40 and ended.result["retryable"] is False, ended
    assert "adopt" in ended.result["message"] and "ListBucket" in ended.result["hint"], ended
    assert bed.storage.tree(BUCKET, f"{prefix}/") == LEFT
    assert not [seen for seen in bed.gate.seen(bucket=BUCKET) if seen.method in ("PUT", "DELETE")]


def test_older_job_held_while_a_newer_takes_over(bed, prefix):
    number = 0
    while True:
        number += 1
        site = Site(bed, f"{prefix}-{number}/")
        mine, counter = set(), iter(range(1, 10000))

        def issue(mine=mine):
            keys = bed.gate.issue()
            mine.add(keys.access)
            return keys

        hold = s3.Hold(lambda seen, mine=mine, counter=counter, number=number:
                       seen.bucket == BUCKET and seen.access in mine and next(counter) == number)
        bed.gate.faults = [hold]
        task = bed.start(site.spec("older"), issue=issue)
        while not hold.reached.wait(0.05) and task.process.poll() is None:
            pass
        if not hold.reached.is_set():
            assert bed.finish(task).code == 0
            break
        newer = bed.run(site.spec("newer"))
        note = f"older held at its request {hold.seen}; {newer}"
        assert newer.code == 0 and site.tree() == NEWER, note
        manifests = bed.storage.tree(BUCKET, ".caisson/")
        hold.release()
        ended = bed.finish(task)
        assert ended.code == 43 and site.tree() == NEWER, (note, ended)
        assert bed.storage.tree(BUCKET, ".caisson/") == manifests, (note, ended)
    assert number > 8  # state, two lists, claim, a new key, commit, overwrites, removals, state


def test_stop_before_the_point_of_no_return_takes_nothing(bed, prefix):
    site = Site(bed, f"{prefix}/")
    puts = bed.gate.add(s3.Hold(lambda seen: seen.bucket == BUCKET and seen.method == "PUT" and "/assets/" in seen.key))
    task = bed.start(site.spec("older"))
    assert puts.reached.wait(30), task.text()
    task.signal("TERM")
    task.wait_for("received SIGTERM")
    time.sleep(0.3)  # until the publisher has heard of it too
    puts.release()
    ended = bed.finish(task)
    assert ended.code == 143, ended
    assert bed.storage.tree(BUCKET, f"{prefix}/") == LEFT, ended
    bed.gate.faults = []
    # and a mirror that adopts nothing still refuses
    refused = bed.run(site.spec("newer", adopt=False))
    assert refused.code == 40 and refused.result["reason"] == "foreign-object", refused
    assert bed.storage.tree(BUCKET, f"{prefix}/") == LEFT, refused
