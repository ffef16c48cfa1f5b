"""The program on a developer's machine: no container, no root needed."""

import json
import os
import pathlib
import subprocess

import jsonschema
import pytest
import yaml

from bed import repositories

SPEC = {
    "version": 1,
    "project": "shop",
    "source": {"repository": "https://git.example.test/user/repo", "ref": "main"},
    "build": {"builder": "commands", "commands": ["make"], "output": "dist"},
    "artifacts": [{"to": "s3://bucket/${project}/"}],
}


@pytest.fixture
def job(tmp_path):
    path = tmp_path / "job.yaml"
    path.write_text(yaml.safe_dump(SPEC))
    return path


def locked(library):
    """What cmake/deps builds in."""
    lock = pathlib.Path(__file__).parents[2] / "cmake/deps/sources.lock"
    for line in lock.read_text().splitlines():
        fields = line.split()
        if fields and fields[0] == library.replace("libcurl", "curl"):
            return fields[1]
    raise KeyError(library)


def test_version_and_help(caisson):
    version = caisson("version")
    assert version.returncode == 0
    libraries = json.loads(caisson("version", "--json").stdout)["libraries"]
    assert set(libraries) == {"openssl", "libcurl", "libgit2", "jansson", "libyaml", "zlib", "brotli", "zstd", "hiredis",
                              "rabbitmq-c", "librdkafka", "mimalloc"}
    for library, number in libraries.items():
        assert f"  {library:10} {number}\n" in version.stdout, version.stdout
        assert number == locked(library), library
    for words in (["help"], ["--help"], ["help", "run"], ["run", "--help"]):
        asked = caisson(*words)
        assert asked.returncode == 0 and "Usage:" in asked.stdout and asked.stderr == ""
    assert "143" in caisson("help").stdout


@pytest.mark.parametrize("words", [["frobnicate"], ["run", "--no-such-option"], ["run", "a", "b"], []])
def test_usage(caisson, words):
    assert caisson(*words).returncode == 2


def test_validate(caisson, job, tmp_path):
    assert caisson("validate", str(job)).returncode == 0
    job.write_text(job.read_text().replace("project:", "projct:") + "timeout: never\n")
    refused = caisson("validate", str(job))
    assert refused.returncode == 10
    said = refused.stdout + refused.stderr
    assert "projct" in said and "did you mean" in said and "timeout" in said
    assert f"{job.name}:" in said


def test_schema_accepts_what_validate_accepts(caisson):
    schema = json.loads(caisson("schema", "spec").stdout)
    jsonschema.Draft202012Validator.check_schema(schema)
    validator = jsonschema.Draft202012Validator(schema)
    validator.validate(SPEC)
    assert not validator.is_valid({**SPEC, "projct": "x"})
    assert not validator.is_valid({**SPEC, "version": 7})


class AsWritten(yaml.SafeLoader):
    """YAML without its guess at times, which JSON has not."""
    yaml_implicit_resolvers = {
        letter: [(tag, pattern) for tag, pattern in resolvers if tag != "tag:yaml.org,2002:timestamp"]
        for letter, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()}


def test_schema_accepts_every_valid_spec_of_the_vectors(caisson):
    validator = jsonschema.Draft202012Validator(json.loads(caisson("schema", "spec").stdout))
    folder = pathlib.Path(__file__).parents[1] / "vectors/spec"
    specs = [path for path in sorted(folder.glob("*.yaml")) if not path.name.endswith(".operator.yaml")]
    assert len(specs) > 20
    for path in specs:
        spec = yaml.load(path.read_text(), AsWritten)
        # Its source is the operator's word; what an editor sees lacks it.
        if path.name != "operator-source.yaml":
            assert [error.message for error in validator.iter_errors(spec)] == [], path.name


@pytest.mark.parametrize("keys", [
    {"build": {"builder": "docker"}}, {"build": {"template": "node20"}}, {"build": {"template": {"when": "always"}}},
    {"build": {"platform": "windows/amd64"}}, {"image": {"repository": "app"}}, {"image": {"tags": ["a/b"]}},
    {"image": {"create": {"keep": 0}}}, {"image": {"create": []}}, {"image": {"nothing": 1}},
    {"image": {"pull_auth": {"registry": "ghcr.io/user"}}}, {"cache": [{}]},
    {"cache": [{"to": "s3://b/a"}, {"to": "s3://b/c"}]}, {"cache": [{"to": "s3://b/a", "paths": ["x"]}]},
])
def test_schema_refuses_what_is_wrong_with_an_image(caisson, keys):
    validator = jsonschema.Draft202012Validator(json.loads(caisson("schema", "spec").stdout))
    assert not validator.is_valid({"version": 1, "source": SPEC["source"], **keys}), keys


def test_plan_says_where_values_come_from(caisson, job):
    plan = caisson("plan", str(job))
    assert plan.returncode == 0, plan
    assert "s3://bucket/shop/" in plan.stdout and "line" in plan.stdout and "default" in plan.stdout


def test_plan_of_a_profile(caisson, tmp_path):
    captured = tmp_path / "task.env"
    captured.write_text("GIT_REPOSITORY__URL=https://git.example.test/u/r\nPROJECT_ID=p1\nS3_BUCKET=site-bucket\nVITE_A=1\n")
    plan = caisson("plan", "--profile", "vercel-clone", "--env-file", str(captured))
    assert plan.returncode == 0, plan
    assert "PROJECT_ID" in plan.stdout and "s3://site-bucket/__outputs/p1/" in plan.stdout


def test_detect(caisson):
    folder = os.path.join(repositories.FIXTURES, "vite-react")
    told = caisson("detect", folder)
    assert told.returncode == 0 and "vite" in told.stdout and "npm" in told.stdout and "dist" in told.stdout
    assert "vite" in json.dumps(json.loads(caisson("detect", "--json", folder).stdout))
    static = caisson("detect", os.path.join(repositories.FIXTURES, "static"))
    assert static.returncode == 0, static


@pytest.fixture
def local(open_path):
    """A job from a local repository to a local folder, and its repository."""
    (open_path / "repositories").mkdir()
    repository = repositories.Repository(str(open_path / "repositories"), {"public/index.html": "hello\n"})
    return repository, {
        "version": 1, "id": "j1", "project": "shop", "source": {"repository": f"file://{repository.folder}"},
        "build": {"builder": "none", "output": "public"}, "artifacts": [{"to": f"file:{open_path}/out/"}],
        "result": f"file:{open_path}/result.json", "log": f"file:{open_path}/log.txt",
    }


def test_run_from_a_file_and_standard_input(caisson, local, open_path, result_schema):
    repository, spec = local
    (open_path / "job.json").write_text(json.dumps(spec))
    ran = caisson("run", "--workspace", str(open_path / "work"), str(open_path / "job.json"))
    assert ran.returncode == 0, ran.stdout + ran.stderr
    assert (open_path / "out/index.html").read_text() == "hello\n"
    result = json.loads((open_path / "result.json").read_text())
    result_schema.validate(result)
    assert result["source"]["commit"] == repository.commit
    assert "checkout" in (open_path / "log.txt").read_text()
    assert os.listdir(open_path / "work") == []
    again = caisson("run", "-", input=yaml.safe_dump(spec))
    assert again.returncode == 0, again.stdout + again.stderr
    assert caisson("run", environment={"CAISSON_JOB": json.dumps(spec)}).returncode == 0


def test_run_says_which_file_is_missing(caisson, open_path):
    ran = caisson("run", str(open_path / "none.yaml"))
    assert ran.returncode == 11
    assert "none.yaml" in ran.stdout + ran.stderr


def test_where_the_workspace_is(caisson, local, open_path):
    repository, spec = local
    spec["build"] = {"builder": "commands", "commands": ["pwd", "mkdir dist", "cp public/index.html dist/"],
                     "output": "dist"}
    for path in (str(open_path / "a folder with blanks"), "a folder with blanks"):
        ran = caisson("run", "--workspace", path, "-", input=json.dumps(spec), cwd=open_path)
        assert ran.returncode == 0, ran.stdout + ran.stderr
        assert f"{open_path}/a folder with blanks" in ran.stdout


def test_umask_does_not_show(caisson, local, open_path):
    _, spec = local
    old = os.umask(0o077)
    try:
        ran = caisson("run", "-", input=json.dumps(spec))
    finally:
        os.umask(old)
    assert ran.returncode == 0, ran.stdout + ran.stderr


def test_closed_standard_output_is_survived(program, local, open_path):
    _, spec = local
    process = subprocess.Popen([program, "run", "-"], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                               env={"PATH": os.environ["PATH"]})
    process.stdout.close()
    process.stdin.write(json.dumps(spec).encode())
    process.stdin.close()
    assert process.wait(60) == 0
    assert (open_path / "out/index.html").exists()


def folder_tree(root):
    """{path: text}, our own state left out."""
    return {str(path.relative_to(root)): path.read_text() for path in root.rglob("*")
            if path.is_file() and ".caisson" not in path.parts}


def test_mirror_to_a_folder(caisson, local, open_path):
    """Removes what it put there, leaves what it did not; an older job changes nothing."""
    repository, spec = local
    out = open_path / "out"

    def publish(job, created_at, files):
        repository.add({f"public/{path}": text for path, text in files.items()})
        spec.update(id=job, created_at=created_at)
        return caisson("run", "-", input=json.dumps(spec))

    assert publish("a", "2026-01-02T00:00:00Z", {"index.html": "1\n", "old.html": "1\n"}).returncode == 0
    (out / "robots.txt").write_text("of someone else\n")
    ran = publish("b", "2026-01-03T00:00:00Z", {"index.html": "2\n", "new.html": "2\n"})
    assert ran.returncode == 0, ran.stdout
    expected = {"index.html": "2\n", "new.html": "2\n", "robots.txt": "of someone else\n"}
    assert folder_tree(out) == expected
    ran = publish("c", "2026-01-01T00:00:00Z", {"index.html": "0\n"})
    assert ran.returncode == 43, ran.stdout
    assert folder_tree(out) == expected
