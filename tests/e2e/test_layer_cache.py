"""The layer cache of Kaniko builds, kept in S3 from job to job: what is reused, by whom, and what a spoiled one does."""

import json
import re
import uuid

import pytest

from bed import images, repositories, s3, world

pytestmark = pytest.mark.usefixtures("kaniko")

DOCKERFILE = """\
FROM busybox AS build
WORKDIR /src
COPY package.json .
RUN echo installing && for i in $(seq 60); do echo module $i >>modules; done && sleep 2 && date +%s%N >stamp
COPY greeting .
RUN echo compiling && cat greeting >out && date +%s%N >>stamp

FROM busybox
COPY --from=build /src/out /src/stamp /app/
RUN echo finishing && date +%s%N >/app/finished
CMD ["cat", "/app/out"]
"""
FILES = {"Dockerfile": DOCKERFILE, "package.json": "{}\n", "greeting": "hello\n"}
# What Kaniko runs: its output would be in the log.
RUNS = ("installing", "compiling", "finishing")


class Project:
    """A repository, and jobs that build its branches with a cache at one place."""

    def __init__(self, bed, executor="sandbox", **cache):
        self.bed, self.executor = bed, executor
        self.prefix = f"layers-{uuid.uuid4().hex[:8]}/"
        self.cache = {"to": f"s3://{world.BUCKET}/{self.prefix}", **cache}
        self.repository = bed.repository(FILES)
        self.name = "shop"

    def push(self, files, branch):
        self.repository.add({**FILES, **files}, branch)
        repositories.git(self.repository.folder, "symbolic-ref", "HEAD", "refs/heads/main")

    def start(self, ref=None, commit=None, **options):
        source = {"repository": self.repository.url(), "ref": ref, "commit": commit}
        spec = images.spec(self.bed, FILES, to="oci:/var/lib/caisson/out", cache=[self.cache], project=self.name,
                           source={key: value for key, value in source.items() if value})
        return images.start(self.bed, spec, self.executor, **options)

    def build(self, *arguments, **options):
        ended = self.bed.finish(self.start(*arguments, **options), 180)
        assert ended.code == 0, ended
        return ended

    def keys(self, below=""):
        return self.bed.storage.keys_under(world.BUCKET, self.prefix + below)

    def manifest(self, ref="refs~2fheads~2fmain", project="shop"):
        return json.loads(self.bed.storage.get(world.BUCKET, f"{self.prefix}{project}/{ref}/manifest.json"))


def ran(ended):
    return tuple(word for word in RUNS if re.search(rf"\| {word}$", ended.text, re.MULTILINE))


def cached(ended):
    return [step["text"].split()[0] + " " + step["text"].split()[1] for step in ended.result["image"]["instructions"]
            if step["cached"]]


def step(ended, name):
    return next(item for item in ended.result["steps"] if item["name"] == name)


@pytest.fixture(params=["sandbox", "local"])
def project(request, bed):
    return Project(bed, request.param)


def test_a_rebuild_without_a_change_runs_nothing(project):
    cold = project.build()
    assert ran(cold) == RUNS and cold.result["cache"]["restored"] == 0
    assert cold.result["cache"]["added"] > 0 and cold.result["cache"]["sent_bytes"] > 0
    manifest = project.manifest()
    assert manifest["ref"] == "refs/heads/main" and manifest["project"] == "shop" and not manifest["pending"]
    listed = {file["sha256"] for entry in manifest["entries"].values() for file in entry["files"].values()}
    assert {key.rpartition("/")[2] for key in project.keys() if "/blobs/" in key} == listed
    warm = project.build()
    assert ran(warm) == () and warm.result["cache"]["restored"] == len(manifest["entries"])
    assert warm.result["cache"]["added"] == 0 and warm.result["cache"]["sent_bytes"] == 0
    assert warm.result["cache"]["used"] > 0
    assert step(warm, "build")["seconds"] < step(cold, "build")["seconds"] - 1.5
    assert "layer cache:" in warm.text and warm.result.get("warnings", []) == []


def test_a_change_builds_from_there_on(bed):
    project = Project(bed)
    project.build()
    project.push({"greeting": "changed\n"}, "main")
    changed = project.build()
    assert ran(changed) == ("compiling", "finishing")
    assert changed.result["cache"]["added"] > 0 and changed.result["cache"]["used"] > 0
    assert ran(project.build()) == ()


def test_a_branch_reads_the_default_branchs_and_writes_its_own(bed):
    project = Project(bed)
    project.build(ref="main")
    before = {key: bed.storage.get(world.BUCKET, key) for key in project.keys()}
    project.push({"greeting": "topic\n"}, "topic")
    first = project.build(ref="topic")
    assert ran(first) == ("compiling", "finishing")
    assert first.result["cache"]["from_default_branch"] == first.result["cache"]["restored"] > 0
    after = project.keys()
    assert {key: bed.storage.get(world.BUCKET, key) for key in before} == before
    own = [key for key in after if key not in before]
    assert own and all(key.startswith(f"{project.prefix}shop/refs~2fheads~2ftopic/") for key in own)
    assert not set(project.manifest("refs~2fheads~2ftopic")["entries"]) & set(project.manifest()["entries"])
    assert ran(project.build(ref="topic")) == ()
    # nothing of it reaches another branch, the default branch, or another project
    project.push({"greeting": "topic\n"}, "other")
    assert ran(project.build(ref="other")) == ("compiling", "finishing")
    project.push({"greeting": "topic\n"}, "main")
    assert ran(project.build()) == ("compiling", "finishing")
    project.name = "stranger"
    assert ran(project.build(ref="topic")) == RUNS


def test_a_commit_of_a_ref_has_that_refs_cache(bed):
    project = Project(bed)
    project.build()
    project.push({"greeting": "tagged\n"}, "topic")
    commit = repositories.git(project.repository.folder, "rev-parse", "topic")
    repositories.git(project.repository.folder, "tag", "v1", commit)
    for ref, place in (("topic", "heads~2ftopic"), ("v1", "tags~2fv1")):
        assert ran(project.build(ref=ref, commit=commit)) == ("compiling", "finishing")
        assert project.manifest(f"refs~2f{place}")["entries"]
    ended = project.build(ref="nowhere", commit=commit)
    assert ran(ended) == ("compiling", "finishing") and "names no branch or tag" in ended.text
    places = {key.split("/")[2] for key in project.keys()}
    assert places == {"refs~2fheads~2fmain", "refs~2fheads~2ftopic", "refs~2ftags~2fv1"}


def test_a_commit_without_a_ref_only_reads(bed):
    project = Project(bed)
    project.build()
    before = project.keys()
    commit = project.repository.add({**FILES, "greeting": "loose\n"}, "loose")
    repositories.git(project.repository.folder, "symbolic-ref", "HEAD", "refs/heads/main")
    ended = project.build(commit=commit)
    assert ran(ended) == ("compiling", "finishing") and "names no branch or tag" in ended.text
    assert project.keys() == before


def test_a_spoiled_cache_costs_time_and_heals(bed):
    project = Project(bed)
    project.build()
    manifest = project.manifest()
    largest = {max(entry["files"].values(), key=lambda file: file["size"])["sha256"]
               for entry in manifest["entries"].values()}
    for sha256 in largest:
        key = f"{project.prefix}shop/refs~2fheads~2fmain/blobs/sha256/{sha256}"
        bed.storage.put(world.BUCKET, key, b"poison" + bed.storage.get(world.BUCKET, key)[6:])
    ended = project.build()
    assert ran(ended) == RUNS and "are not what their names say" in ended.text
    assert any("not what their names say" in warning for warning in ended.result["warnings"])
    healed = project.build()
    assert ran(healed) == () and "not what their names say" not in healed.text


def test_no_cache_is_no_failure(bed):
    project = Project(bed)
    bed.gate.add(s3.Refuse(lambda seen: seen.bucket == world.BUCKET, 403, "AccessDenied"))
    ended = project.build()
    assert ran(ended) == RUNS and "the layer cache was not saved" in ended.text
    assert any("layer cache" in warning for warning in ended.result["warnings"])


def test_a_build_that_fills_the_folder_harms_its_own_cache_only(bed):
    project = Project(bed)
    dockerfile = ("FROM busybox\nRUN cd /var/lib/caisson/*/cache; "
                  "ln -s /proc/1/environ evil; mkdir l:link l:fifo ..x; ln -s /etc/passwd l:link/layer; "
                  "mkfifo l:fifo/fifo; ls\n")
    project.push({"Dockerfile": dockerfile}, "main")
    ended = project.build()
    names = set(project.manifest()["entries"])
    assert names and all(re.fullmatch(r"l:[0-9a-f]{64}", name) for name in names), names
    assert "l:link is not kept" in ended.text and "evil is not kept" in ended.text


@pytest.mark.parametrize("what", ["ln -s /etc cache", "ln -s ../secret cache", "echo no folder >cache"])
def test_a_build_that_replaces_the_folder_is_saved_nothing_of(bed, what):
    project = Project(bed)
    dockerfile = ("FROM busybox\nRUN cd /var/lib/caisson/*/ && mkdir secret && echo canary-of-the-test >secret/file && "
                  f"rm -rf cache && {what}\n")
    project.push({"Dockerfile": dockerfile}, "main")
    ended = project.build()
    assert "the layer cache was not saved: opening the layer cache's folder" in ended.text
    assert project.keys() == []


def stopped(project, match, reached):
    """A job that is sent SIGTERM when S3 keeps the first request waiting that `match` selects."""
    hold = project.bed.gate.add(s3.Hold(match))
    task = project.start()
    assert hold.reached.wait(60), task.text()
    task.signal("TERM")
    task.wait_for("SIGTERM")
    ended = project.bed.finish(task, 60)
    hold.release()
    assert reached in ended.text, ended
    return ended


def test_a_stop_ends_the_restore(bed):
    project = Project(bed)
    project.build()
    ended = stopped(project, lambda seen: seen.method == "GET" and "/blobs/" in seen.key, "restore  begins")
    assert ended.code == 143 and ended.result["status"] == "interrupted", ended
    assert ended.seconds < 30 and step(ended, "restore")["status"] != "succeeded"


def test_a_stop_ends_the_save_of_a_job_that_has_published(bed):
    project = Project(bed)
    ended = stopped(project, lambda seen: seen.method == "PUT" and "/blobs/" in seen.key, "save     begins")
    assert ended.code == 0 and ended.result["image"]["published"], ended
    assert ended.seconds < 60 and "the layer cache was not saved" in ended.text
    assert not project.manifest()["entries"] and project.manifest()["pending"]
    healed = project.build()
    assert ran(healed) == RUNS and ran(project.build()) == ()
