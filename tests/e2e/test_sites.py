"""The main job on real sites: cloned over smart HTTP, installed from the registry, built, and published."""

import gzip
import hashlib
import os
import re
import subprocess
import sys
import tempfile

import pytest

from bed import repositories, s3
from bed.world import BUCKET, storage_options

PAGES = 350
IMMUTABLE = "public, max-age=31536000, immutable"
TOKEN = "ghp_t0kenOfTheRepository123"


def test_vite_react_with_credentials_that_expire_mid_job(bed):
    repository = bed.repository(repositories.fixture("vite-react"))
    bed.git.tokens = {TOKEN}
    spec = bed.spec(repository, env={"VITE_GREETING": "Good morning"})
    spec["source"] = {"repository": repository.url("token"), "ref": "main",
                      "auth": {"token": {"env": "REPOSITORY_TOKEN"}}}
    spec["artifacts"][0]["headers"] = [{"match": "assets/**", "cache_control": IMMUTABLE},
                                       {"match": "**/*.html", "cache_control": "no-cache"}]
    # The claim is held until the keys that signed it are over: what follows must be signed with new ones.
    held = bed.gate.add(s3.Hold(lambda seen: seen.bucket == BUCKET and seen.method == "PUT"))
    task = bed.start(spec, environment={"REPOSITORY_TOKEN": TOKEN})
    assert held.reached.wait(180), task.text()
    bed.gate.expire(held.seen.access)
    held.release()
    ended = bed.finish(task)
    assert ended.code == 0, ended
    assert bed.world.registry.hosts, "npm asked no registry"
    assert len(task.endpoint.given) >= 2 and len({seen.access for seen in bed.gate.seen(bucket=BUCKET)}) >= 2
    tree = bed.published(spec)
    script, style = (next(path for path in tree if path.endswith(end)) for end in (".js", ".css"))
    assert set(tree) == {"index.html", "mark.svg", script, style}
    assert b"Good morning" in tree[script] and f"/{script}".encode() in tree["index.html"]
    folder = bed.folder_of(spec)
    head = {path: bed.storage.head(BUCKET, folder + path) for path in tree}
    assert head[script]["cache-control"] == IMMUTABLE and head["index.html"]["cache-control"] == "no-cache"
    assert head[script]["content-type"].startswith("text/javascript")
    assert head["mark.svg"]["content-type"] == "image/svg+xml"
    assert head["index.html"]["content-type"].startswith("text/html")
    assert ended.result["source"]["commit"] == repository.commit
    artifact = ended.result["artifacts"][0]
    assert artifact["files"] == 4 and artifact["bytes"] == sum(map(len, tree.values()))
    assert {step["name"] for step in ended.result["steps"]} >= {"checkout", "install", "build", "publish"}


STATIC = {"index.html", "about.html", "assets/style.css"}


def test_static_site_to_s3(bed):
    files = repositories.fixture("static")
    spec = bed.spec(bed.repository(files))
    ended = bed.run(spec)
    assert ended.code == 0, ended
    assert bed.published(spec) == files


def test_static_site_in_virtual_host_style(bed):
    files = repositories.fixture("static")
    spec = bed.spec(bed.repository(files))
    spec["artifacts"][0]["s3"] = storage_options(path_style=False)
    ended = bed.run(spec)
    assert ended.code == 0, ended
    assert bed.published(spec) == files
    assert all(seen.headers["host"].startswith(BUCKET + ".") for seen in bed.gate.seen(bucket=BUCKET))


def test_static_site_over_tls(bed):
    files = repositories.fixture("static")
    spec = bed.spec(bed.repository(files))
    spec["artifacts"][0]["s3"] = storage_options(endpoint="https://s3.test")
    ended = bed.run(spec, environment={"SSL_CERT_FILE": "/etc/test-ca.pem"})
    assert ended.code == 0, ended
    assert bed.published(spec) == files


def test_static_site_to_a_folder(bed):
    files = repositories.fixture("static")
    out = os.path.join(bed.folder, "out")
    os.mkdir(out)
    os.chmod(out, 0o755)
    spec = bed.spec(bed.repository(files), artifacts=[{"to": "file:/out/site/"}])
    ended = bed.run(spec, volumes={"/out": out})
    assert ended.code == 0, ended
    assert folder_tree(os.path.join(out, "site")) == files
    assert ended.result["artifacts"][0]["url"].startswith("file:///out/site")


def folder_tree(root):
    tree = {}
    for folder, folders, names in os.walk(root):
        folders[:] = [name for name in folders if name != ".caisson"]
        for name in names:
            with open(os.path.join(folder, name), "rb") as file:
                tree[os.path.relpath(os.path.join(folder, name), root)] = file.read()
    return tree


@pytest.fixture(scope="module")
def handbook():
    """The VitePress project with its generated pages."""
    files = repositories.fixture("vitepress")
    with tempfile.TemporaryDirectory() as folder:
        generator = os.path.join(repositories.FIXTURES, "vitepress", "generate.py")
        subprocess.run([sys.executable, generator, folder, str(PAGES)], check=True)
        for name in os.listdir(folder):
            with open(os.path.join(folder, name), "rb") as file:
                files[f"docs/pages/{name}"] = file.read()
    return files


@pytest.mark.rare  # the longest of all: React and the plain sites are the quick set's
def test_vitepress_of_over_a_thousand_files(bed, handbook):
    spec = bed.spec(bed.repository(handbook), created_at="2026-01-01T00:00:00Z")
    ended = bed.run(spec, timeout=200)
    assert ended.code == 0, ended
    folder = bed.folder_of(spec)
    keys = bed.storage.keys_under(BUCKET, folder)
    assert len(keys) > 1000 and folder + "pages/page-0001.html" in keys
    assert ended.result["artifacts"][0]["files"] == len(keys)

    # The same tree once more: nothing to do, and hardly a question asked.
    tree = bed.published(spec)
    again = bed.spec(bed.repository({f"public/{path}": content for path, content in tree.items()}),
                     build={"builder": "none", "output": "public"}, created_at="2026-01-02T00:00:00Z",
                     artifacts=spec["artifacts"])
    bed.gate.requests.clear()
    ended = bed.run(again)
    assert ended.code == 0, ended
    assert len(bed.gate.seen(bucket=BUCKET)) <= 4, [str(seen) for seen in bed.gate.seen(bucket=BUCKET)]
    assert ended.result["artifacts"][0]["unchanged"] == len(keys), ended

    # A page fewer and one changed, beside a file that is not ours.
    bed.storage.put(BUCKET, folder + "robots.txt", b"of someone else")
    changed = dict(tree)
    del changed["pages/page-0007.html"]
    changed["pages/page-0008.html"] = b"<h1>changed</h1>"
    third = bed.spec(bed.repository({f"public/{path}": content for path, content in changed.items()}),
                     build={"builder": "none", "output": "public"}, created_at="2026-01-03T00:00:00Z",
                     artifacts=spec["artifacts"])
    bed.gate.requests.clear()
    ended = bed.run(third)
    assert ended.code == 0, ended
    artifact = ended.result["artifacts"][0]
    assert artifact["removed"] == 1 and artifact["written"] == 1, ended
    expected = {folder + path for path in changed} | {folder + "robots.txt"}
    assert set(bed.storage.keys_under(BUCKET, folder)) == expected
    assert bed.storage.get(BUCKET, folder + "pages/page-0008.html") == b"<h1>changed</h1>"
    assert bed.storage.get(BUCKET, folder + "robots.txt") == b"of someone else"


def test_large_file_goes_up_in_parts(bed):
    spec = bed.commands("mkdir dist; echo x >dist/index.html; head -c 30000000 /dev/urandom >dist/large.bin; "
                        "sha256sum dist/large.bin")
    ended = bed.run(spec)
    assert ended.code == 0, ended
    stored = bed.storage.get(BUCKET, bed.folder_of(spec) + "large.bin")
    assert hashlib.sha256(stored).hexdigest() == re.search(r"([0-9a-f]{64})\s+dist/large.bin", ended.text)[1]
    assert [seen for seen in bed.gate.seen(bucket=BUCKET) if "partNumber" in seen.query]
    pending = bed.storage.must("GET", f"/{BUCKET}", query=[("uploads", "")]).body
    assert b"<UploadId>" not in pending


def test_odd_names_and_links(bed):
    """Names that need encoding go up as they are; what leads out of the output is refused."""
    names = ["a b.txt", "ü/é+%41.txt", "x&y='\"<>.html", "~tilde", "index.html"]
    files = {f"public/{name}": name for name in names}
    spec = bed.spec(bed.repository(files), build={"builder": "none", "output": "public"})
    ended = bed.run(spec)
    assert ended.code == 0, ended
    assert bed.published(spec) == {name: name.encode() for name in names}


def test_compressed_siblings(bed):
    """What the build compressed is served as what it is, compressed."""
    script = b"console.log(1)\n" * 100
    spec = bed.spec(bed.repository({"public/app.js": script, "public/app.js.gz": gzip.compress(script, mtime=0),
                                    "public/data.gz": gzip.compress(b"x", mtime=0)}),
                    build={"builder": "none", "output": "public"})
    ended = bed.run(spec)
    assert ended.code == 0, ended
    folder = bed.folder_of(spec)
    sibling = bed.storage.head(BUCKET, folder + "app.js.gz")
    assert sibling["content-encoding"] == "gzip" and sibling["content-type"].startswith("text/javascript"), sibling
    alone = bed.storage.head(BUCKET, folder + "data.gz")
    assert "content-encoding" not in alone, alone


def test_sparse_giant_is_refused(bed):
    spec = bed.commands("mkdir dist; echo x >dist/index.html; truncate -s 10G dist/x")
    ended = bed.run(spec, timeout=30)
    assert ended.code == 42, ended
    assert bed.published(spec) == {}


@pytest.mark.parametrize("make", [
    "ln -s /etc/passwd dist/x", "ln -s /proc/self/environ dist/x", "ln -s ../.. dist/x", "mkfifo dist/x",
    "ln -s nowhere dist/x", "mkdir /tmp/secret-$$ && ln -s /tmp/secret-$$ dist/x",
])
def test_what_leads_out_is_refused(bed, make):
    spec = bed.commands(f"mkdir dist; echo x >dist/index.html; {make}")
    ended = bed.run(spec)
    assert ended.code == 42, ended
    assert ended.result["message"].startswith("x is "), ended
    assert bed.published(spec) == {}
