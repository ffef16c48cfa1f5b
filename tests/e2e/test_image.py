"""A Dockerfile built by Kaniko as a task's job, in both executors: pushed, pulled back, run, and told in the result."""

import json

import pytest

from bed import images

pytestmark = pytest.mark.usefixtures("kaniko")

BACKEND = {
    "Dockerfile": """\
FROM busybox AS build
WORKDIR /src
COPY . .
RUN echo building && sed s/WHO/world/ greeting >/greeting

FROM busybox
COPY --from=build /greeting /greeting
USER 65534
CMD ["cat", "/greeting"]
""",
    "greeting": "hello WHO\n",
}


@pytest.fixture(params=["sandbox", "local"])
def where(request):
    return request.param


def succeeded(ended):
    assert ended.code == 0, ended
    return ended.result["image"]


def test_an_image_is_built_pushed_pulled_back_and_runs(bed, hub, where, tmp_path):
    spec = images.spec(bed, BACKEND, hub, "shop/app", "one", "two")
    ended = images.run(bed, spec, where, hub)
    image = succeeded(ended)
    assert image["engine"] == "kaniko" and image["platform"] == "linux/amd64"
    assert image["published"] and not image["existed"]
    assert image["digest"] == hub.digest("shop/app", "one") == hub.digest("shop/app", "two")
    assert image["tags"] == ["one", "two"] and image["repository"] == "registry.test/shop/app"
    assert image["layers"] == len(hub.manifest("shop/app", "one")["layers"])
    texts = [step["text"] for step in image["instructions"]]
    assert texts[0].startswith("FROM busybox") and any(text.startswith("RUN echo building") for text in texts)
    assert "/8] RUN echo building" in ended.text and "| building" in ended.text
    layout = hub.pull("shop/app", "one", str(tmp_path / "layout"))
    labels = images.config(layout)["config"]["Labels"]
    assert labels["org.opencontainers.image.revision"] == ended.result["source"]["commit"]
    with images.started(bed, layout) as container:
        container.wait_for("hello world")
