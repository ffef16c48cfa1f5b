"""A site without a build is the checkout itself: what is there for git and for one machine alone is not published."""

import json
import os

from bed import repositories

FILES = {"index.html": "hello\n", ".well-known/a": "x", ".env": "S=1\n", "a/.env.local": "S=1\n", ".github/w": "x",
         ".gitattributes": "# none\n"}


def published(caisson, folder, artifact):
    repository = repositories.Repository(str(folder), FILES)
    spec = {"version": 1, "source": {"repository": f"file://{repository.folder}"},
            "artifacts": [{"from": ".", "to": f"file:{folder}/out/", **artifact}]}
    ran = caisson("run", "-", input=json.dumps(spec))
    assert ran.returncode == 0, ran.stdout + ran.stderr
    out = os.path.join(folder, "out")
    return {os.path.relpath(os.path.join(at, name), out) for at, _, names in os.walk(out) for name in names}


def test_private_files_stay(caisson, open_path):
    assert published(caisson, open_path, {}) == {"index.html", ".well-known/a"}


def test_unless_the_spec_says_what_it_wants(caisson, open_path):
    assert published(caisson, open_path, {"exclude": ["a/**"]}) >= {".gitattributes", ".github/w"}


def test_environment_files_stay_unless_they_are_named(caisson, open_path):
    assert not any(".env" in path for path in published(caisson, open_path, {"include": ["**"], "exclude": ["x"]}))
    assert published(caisson, open_path, {"include": ["**/.env*"]}) == {".env", "a/.env.local"}
