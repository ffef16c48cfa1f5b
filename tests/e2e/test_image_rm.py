"""`caisson image rm` at registries that know the distribution specification alone."""

import json
import os
import shutil

import pytest

from bed import layouts, registry

ANONYMOUS = {"HOME": "/nonexistent"}


@pytest.fixture(params=[2, 3])
def hub(request, tmp_path):
    with registry.Registry(str(tmp_path), generation=request.param) as made:
        yield made


class Images:
    def __init__(self, caisson, hub, folder, *login, environment=ANONYMOUS):
        self.caisson, self.hub, self.folder, self.login = caisson, hub, str(folder), login
        self.environment, self.repository = environment, f"{hub.host}/team/shop"

    def push(self, name, *tags):
        folder = os.path.join(self.folder, "layout-" + name)
        digest = layouts.write(folder, {"hello": name.encode()})
        done = self.caisson("image", "push", folder, f"{self.repository}:{tags[0]}", "--tag", ",".join(tags[1:]),
                            *self.login, environment=self.environment)
        assert done.returncode == 0, done
        return digest

    def rm(self, *images):
        done = self.caisson("image", "rm", self.repository, *images, "--json", *self.login,
                            environment=self.environment)
        said = json.loads(done.stdout)
        assert done.returncode == said.get("exit_code", 0), done
        return said

    def tags(self):
        return self.hub.tags("team/shop")


@pytest.fixture
def images(caisson, hub, tmp_path):
    return Images(caisson, hub, tmp_path)


def test_images_go_by_tag_and_by_digest(images):
    first, second, third = images.push("one", "a"), images.push("two", "b", "b2"), images.push("three", "c")
    done = images.rm("a", second, "nothing", "sha256:" + "0" * 64, "a")
    assert done["removed"] == ["a", second] and done["missing"] == ["nothing", "sha256:" + "0" * 64]
    assert images.tags() == {"c": third} and done["failed"] == [], first


def test_all_tags_of_an_image_are_named(images):
    images.push("one", "a", "b")
    kept = images.push("two", "c")
    assert images.rm("a", "b")["removed"] == ["a", "b"]
    assert images.tags() == {"c": kept}


def test_a_digest_and_its_tag_are_named(images):
    digest = images.push("one", "a", "b")
    assert images.rm("a", digest)["removed"] == ["a", digest]
    assert images.tags() == {}


def test_no_other_tag_goes(images, hub):
    """A tag alone is removed where the registry can do that, and left where it cannot."""
    digest = images.push("one", "a", "b")
    done = images.rm("a")
    kept = hub.pull("team/shop", "b", os.path.join(images.folder, "pulled"))
    assert os.path.isdir(kept)
    if "b" in images.tags() and "a" not in images.tags():
        assert done["removed"] == ["a"] and done["failed"] == []
    else:
        assert images.tags() == {"a": digest, "b": digest} and done["removed"] == []
        assert (done["exit_code"], done["reason"]) == (41, "images-not-removed")
        assert done["failed"][0].startswith("a: shared: b hold") and done["failed"][0] in done["message"]


@pytest.mark.rare
def test_many_tags(images, hub):
    """The list comes in pages, and all of them are looked at: the one tag that is not named is the last."""
    digest = images.push("one", "t0000")
    folder = os.path.join(hub.store, "repositories/team/shop/_manifests/tags")
    for number in range(1, 1010):
        shutil.copytree(f"{folder}/t0000", f"{folder}/t{number:04}")
    done = images.rm("t0000")
    assert len(images.tags()) >= 1009 and images.tags()["t1009"] == digest
    assert done["removed"] == ["t0000"] or "and more hold the same image" in done["failed"][0], done


def test_an_empty_registry(images):
    done = images.rm("a")
    assert done["missing"] == ["a"] and done["removed"] == []


def test_with_a_password(caisson, tmp_path):
    with registry.Registry(str(tmp_path), auth="basic") as hub:
        password = tmp_path / "password"
        password.write_text(registry.PASSWORD + "\n")
        good = Images(caisson, hub, tmp_path, "--username", registry.USER, "--password-file", str(password))
        bad = Images(caisson, hub, tmp_path)
        digest = good.push("one", "a")
        assert bad.rm("a")["reason"] == "registry-unauthorized" and hub.tags("team/shop") == {"a": digest}
        assert good.rm("a")["removed"] == ["a"] and hub.tags("team/shop") == {}


def test_with_a_token(caisson, tmp_path):
    """It asks for the right to delete."""
    with registry.Registry(str(tmp_path), auth="bearer", reach="host") as hub:
        environment = {**ANONYMOUS, "CAISSON_REGISTRY_PASSWORD": registry.PASSWORD}
        images = Images(caisson, hub, tmp_path, "--username", registry.USER, environment=environment)
        images.push("one", "a")
        assert images.rm("a")["removed"] == ["a"] and hub.tags("team/shop") == {}
        asked = [value for request in hub.tokens.requests for name, value in request.query if name == "scope"]
        assert any("delete" in scope for scope in asked), asked


def test_a_registry_that_removes_nothing(caisson, tmp_path):
    with registry.Registry(str(tmp_path), settings={"storage": {"delete": {"enabled": False}}}) as hub:
        images = Images(caisson, hub, tmp_path)
        digest = images.push("one", "a")
        done = images.rm("a")
        assert done["reason"] == "registry-denied" and "storage.delete.enabled" in done["hint"], done
        assert images.tags() == {"a": digest}
