"""`caisson image` and a registry that is no relative of the two that test_registry.py has: it speaks the same protocol in
other forms: its places for uploads, its codes, nothing asked of who comes."""

import pytest

from bed import layouts, real_layouts, registry_other
from test_registry import only_digest, push


@pytest.fixture
def hub(tmp_path):
    with registry_other.OtherRegistry(str(tmp_path)) as made:
        yield made


@pytest.mark.parametrize("maker", ["umoci", "buildah"])
def test_an_image_comes_back_as_it_went(caisson, hub, tmp_path, maker):
    layout = getattr(real_layouts, f"by_{maker}")(str(tmp_path / "layout"))
    said = push(caisson, layout, f"{hub.host}/team/shop:one", "--tag", "two")
    assert said["digest"] == only_digest(layout) and said["tags_written"] == ["one", "two"], said
    assert hub.tags("team/shop") == dict.fromkeys(("one", "two"), said["digest"])
    assert only_digest(hub.pull("team/shop", "two", str(tmp_path / "pulled"))) == said["digest"]
    uploads = [entry for entry in hub.requests() if entry.method == "PUT" and "/uploads/" in entry.path]
    assert len(uploads) == said["blobs_sent"] and not any(entry.status for entry in uploads)
    again = push(caisson, layout, f"{hub.host}/team/shop:one")
    assert again["bytes_sent"] == 0 and again["tags_there"] == ["one"], again


def test_a_large_layer_goes_in_one_request(caisson, hub, tmp_path):
    layout = str(tmp_path / "layout")
    layouts.write(layout, {"large": bytes(range(256)) * (64 << 12)}, {"small": b"y"})
    said = push(caisson, layout, f"{hub.host}/shop:one")
    assert said["blobs_sent"] == 3, said
    assert not any(entry.method == "PATCH" for entry in hub.requests())


def test_where_nothing_can_be_mounted_it_is_sent(caisson, hub, tmp_path):
    layout = str(tmp_path / "layout")
    layouts.write(layout, {"hello": b"there"})
    first = push(caisson, layout, f"{hub.host}/base:one")
    second = push(caisson, layout, f"{hub.host}/shop:one", "--mount-from", "base")
    assert second["digest"] == first["digest"] and hub.tags("shop") == {"one": first["digest"]}, second
    assert second["blobs_there"] + second["blobs_sent"] + second["blobs_mounted"] == first["blobs_sent"]


def test_a_tag_moves_to_another_image(caisson, hub, tmp_path):
    for name in ("one", "other"):
        layouts.write(str(tmp_path / name), {"name": name.encode()})
        said = push(caisson, str(tmp_path / name), f"{hub.host}/shop:latest")
        assert hub.tags("shop") == {"latest": said["digest"]}


def test_images_are_removed(caisson, hub, tmp_path):
    layout = str(tmp_path / "layout")
    layouts.write(layout, {"hello": b"there"})
    said = push(caisson, layout, f"{hub.host}/shop:one")
    done = caisson("image", "rm", f"{hub.host}/shop", said["digest"], environment={"HOME": "/nonexistent"})
    assert done.returncode == 0, done
    assert hub.get(f"/v2/shop/manifests/{said['digest']}")[0] == 404


def test_a_hostile_image_is_not_sent(caisson, hub, tmp_path):
    layout = str(tmp_path / "layout")
    layouts.write(layout, {"hello": b"there"})
    blob = next((tmp_path / "layout" / "blobs" / "sha256").iterdir())
    blob.write_bytes(blob.read_bytes()[:-1] + b"?")
    said = push(caisson, layout, f"{hub.host}/shop:one")
    assert said["exit_code"] == 42 and hub.requests() == [], said
