"""Publishing never destroys: an older job never overwrites a newer one, whenever it is held up."""

import pytest

from bed import s3
from bed.world import BUCKET, storage_options

SHARED = "body { margin: 0 }\n"
BASE = {"index.html": "base\n", "assets/app-0.js": "base()\n", "gone.html": "base\n", "style.css": SHARED}
OLDER = {"index.html": "older\n", "assets/app-1.js": "older()\n", "about.html": "older\n", "style.css": SHARED,
         "gone.html": "base\n"}
NEWER = {"index.html": "newer\n", "assets/app-2.js": "newer()\n", "style.css": SHARED + "/* newer */\n"}
WHEN = {"base": "2026-01-01T00:00:00Z", "older": "2026-01-02T00:00:00Z", "newer": "2026-01-03T00:00:00Z"}
FOREIGN = ("robots.txt", b"of someone else")


class Site:
    """One prefix and the jobs that publish to it."""

    def __init__(self, bed, prefix, repositories, mode="mirror"):
        self.bed, self.prefix, self.repositories, self.mode = bed, prefix, repositories, mode
        bed.storage.put(BUCKET, prefix + FOREIGN[0], FOREIGN[1])

    def spec(self, name, **changes):
        return self.bed.spec(
            self.repositories[name], build={"builder": "none", "output": "public"}, created_at=WHEN[name],
            artifacts=[{"to": f"s3://{BUCKET}/{self.prefix}", "mode": self.mode, "s3": storage_options()}], **changes)

    def publish(self, name, **options):
        ended = self.bed.run(self.spec(name), **options)
        assert ended.code == 0, ended
        return ended

    def tree(self):
        return self.bed.storage.tree(BUCKET, self.prefix)

    def expect(self, files, note):
        wanted = {path: text.encode() for path, text in files.items()} | {FOREIGN[0]: FOREIGN[1]}
        assert self.tree() == wanted, note


@pytest.fixture
def trees(bed):
    return {name: bed.repository({f"public/{path}": text for path, text in files.items()})
            for name, files in (("base", BASE), ("older", OLDER), ("newer", NEWER))}


def held_at(bed, site, number, name="older"):
    """Starts the job and returns (task, hold) with its request `number` held, or (task, None) when it has fewer."""
    mine = set()

    def issue():
        keys = bed.gate.issue()
        mine.add(keys.access)
        return keys

    counter = iter(range(1, 10000))
    hold = s3.Hold(lambda seen: seen.bucket == BUCKET and seen.access in mine and next(counter) == number)
    bed.gate.faults = [hold]
    task = bed.start(site.spec(name), issue=issue)
    while not hold.reached.wait(0.05):
        if task.process.poll() is not None:
            return task, None
    return task, hold


def test_older_job_held_at_each_of_its_requests(bed, trees):
    number, outcomes = 0, []
    while True:
        number += 1
        site = Site(bed, f"held-{number}-{trees['base'].name[:6]}/", trees)
        site.publish("base")
        task, hold = held_at(bed, site, number)
        if hold is None:
            assert bed.finish(task).code == 0
            break
        newer = site.publish("newer")
        manifests = bed.storage.tree(BUCKET, ".caisson/")
        assert manifests
        hold.release()
        ended = bed.finish(task)
        note = f"older held at its request {hold.seen}; {ended}"
        site.expect(NEWER, note)
        assert bed.storage.tree(BUCKET, ".caisson/") == manifests, note
        assert ended.code == 43 and ended.result["status"] == "superseded", note
        assert newer.result["artifacts"][0]["ordered"] is True
        outcomes.append(str(hold.seen))
    assert number > 5, outcomes  # at least: claim, a new key, an overwrite, a removal, the manifest


def test_older_job_that_starts_later_is_superseded(bed, trees):
    site = Site(bed, f"late-{trees['base'].name[:6]}/", trees)
    site.publish("newer")
    bed.gate.requests.clear()
    ended = bed.run(site.spec("older"))
    assert ended.code == 43 and ended.result["status"] == "superseded", ended
    site.expect(NEWER, ended)
    assert not [seen for seen in bed.gate.seen(bucket=BUCKET) if seen.method == "PUT" and seen.status < 300], \
        [str(seen) for seen in bed.gate.requests]


def test_same_job_may_be_tried_again(bed, trees):
    site = Site(bed, f"again-{trees['base'].name[:6]}/", trees)
    spec = site.spec("older")
    assert bed.run(spec).code == 0
    assert bed.run(spec).code == 0
    site.expect(OLDER, "the same id twice")


def test_created_at_in_the_future_is_refused(bed, trees):
    spec = {**Site(bed, "future/", trees).spec("older"), "created_at": "2199-01-01T00:00:00Z"}
    ended = bed.run(spec)
    assert ended.code == 10, ended


def test_add_removes_nothing(bed, trees):
    site = Site(bed, f"add-{trees['base'].name[:6]}/", trees, mode="add")
    site.publish("base")
    site.publish("newer")
    site.expect({**BASE, **NEWER}, "add")


def test_without_the_manifests_key(bed, trees):
    """A role that may touch the prefix alone: `add` goes on and says so once, `mirror` refuses and writes nothing."""
    adding = Site(bed, f"plain-{trees['base'].name[:6]}/", trees, mode="add")
    bed.gate.allow = lambda seen: seen.bucket != BUCKET or (
        seen.method == "PUT" and not seen.key.startswith(".caisson/"))
    ended = bed.run(adding.spec("older"))
    assert ended.code == 0, ended
    assert ended.result["artifacts"][0]["ordered"] is False and len(ended.result["warnings"]) == 1, ended
    adding.expect(OLDER, ended)
    mirroring = Site(bed, f"refused-{trees['base'].name[:6]}/", trees)
    ended = bed.run(mirroring.spec("older"))
    assert ended.code == 40, ended
    mirroring.expect({}, ended)


def test_interrupted_publish_is_completed_by_the_next_run(bed, trees):
    """Killed at each request after the first, run again: it ends right."""
    number = 0
    while True:
        number += 1
        site = Site(bed, f"killed-{number}-{trees['base'].name[:6]}/", trees)
        site.publish("base")
        task, hold = held_at(bed, site, number)
        if hold is None:
            assert bed.finish(task).code == 0
            break
        task.kill()
        hold.release()
        bed.gate.faults = []
        ended = bed.run(task.spec)
        assert ended.code == 0, (number, ended)
        site.expect(OLDER, f"killed at {hold.seen}")
    assert number > 5


def test_adopt(bed, trees):
    site = Site(bed, f"adopt-{trees['base'].name[:6]}/", trees)
    bed.storage.put(BUCKET, site.prefix + "left-by-another-builder.html", b"old")
    spec = site.spec("newer")
    spec["artifacts"][0]["adopt"] = True
    ended = bed.run(spec)
    assert ended.code == 0, ended
    assert set(site.tree()) == set(NEWER)


def test_changed_headers_are_a_change(bed, trees):
    site = Site(bed, f"headers-{trees['base'].name[:6]}/", trees)
    site.publish("base")
    spec = {**site.spec("older"), "source": {"repository": trees["base"].url()}}
    spec["artifacts"][0]["headers"] = [{"match": "*.html", "cache_control": "no-cache"}]
    ended = bed.run(spec)
    assert ended.code == 0, ended
    assert bed.storage.head(BUCKET, site.prefix + "index.html")["cache-control"] == "no-cache"
    assert ended.result["artifacts"][0]["written"] == 2, ended
