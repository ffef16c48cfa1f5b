"""Existing workers start our container by their own variables, unchanged; and none of a tenant's steers PID 1."""

import ctypes
import json
import os

import pytest

from bed import repositories
from bed.world import BUCKET, ENDPOINT, VEREN_BUCKET

OPERATOR = f"""
pins: {{ endpoint: '{ENDPOINT}', region: eu-central-1 }}
defaults: {{ result: 's3://jobs-bucket/${{project}}/result.json' }}
"""
PACKAGE = json.dumps({"name": "x", "version": "1.0.0", "scripts": {"build": "sh build.sh"},
                      "dependencies": {"local": "file:./local"}})
BUILD = 'mkdir -p dist\necho "$VITE_API" >dist/index.html\nenv | sort\n'
FILES = {"package.json": PACKAGE, "build.sh": BUILD, "local/package.json": '{"name": "local", "version": "1.0.0"}'}

HOSTILE = {
    "CAISSON_JOB": '{"version": 1, "source": {"repository": "http://trap.test/x"}}',
    "CAISSON_OPERATOR": "/workspace/evil.yaml",
    "CAISSON_CA_BUNDLE": "/nonexistent.pem",
    "CAISSON_ENDPOINT": "http://trap.test:8080",
    "CAISSON_LOG": "json",
    "HTTP_PROXY": "http://trap.test:3128", "http_proxy": "http://trap.test:3128",
    "HTTPS_PROXY": "http://trap.test:3128", "https_proxy": "http://trap.test:3128",
    "ALL_PROXY": "http://trap.test:3128", "all_proxy": "http://trap.test:3128", "NO_PROXY": "", "no_proxy": "",
    "SSL_CERT_FILE": "/nonexistent.pem", "SSL_CERT_DIR": "/nonexistent", "CURL_CA_BUNDLE": "/nonexistent.pem",
    "AWS_CA_BUNDLE": "/nonexistent.pem", "NODE_EXTRA_CA_CERTS": "/nonexistent.pem",
    "AWS_ENDPOINT_URL": "http://trap.test:9000", "AWS_ENDPOINT_URL_S3": "http://trap.test:9000",
    "AWS_ENDPOINT_URL_STS": "http://trap.test:9000",
    "AWS_CONTAINER_CREDENTIALS_FULL_URI": "http://trap.test:8080/credentials",
    "AWS_CONTAINER_AUTHORIZATION_TOKEN": "x", "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE": "/etc/shadow",
    "AWS_SHARED_CREDENTIALS_FILE": "/etc/shadow", "AWS_CONFIG_FILE": "/etc/shadow", "AWS_PROFILE": "evil",
    "AWS_WEB_IDENTITY_TOKEN_FILE": "/etc/shadow", "AWS_ROLE_ARN": "arn:aws:iam::1:role/x",
    "OPENSSL_CONF": "/nonexistent.cnf", "OPENSSL_MODULES": "/nonexistent", "OPENSSL_ENGINES": "/nonexistent",
    "MIMALLOC_SHOW_STATS": "1", "MIMALLOC_VERBOSE": "1",
    "GIT_SSL_NO_VERIFY": "1", "GIT_PROXY_COMMAND": "/bin/false", "GIT_CONFIG_GLOBAL": "/nonexistent",
    "GIT_CONFIG_COUNT": "1", "GIT_CONFIG_KEY_0": "http.proxy", "GIT_CONFIG_VALUE_0": "http://trap.test:3128",
    "GIT_DIR": "/nonexistent", "GIT_WORK_TREE": "/nonexistent", "GIT_TRACE": "1",
    "HOME": "/home/evil", "XDG_CONFIG_HOME": "/home/evil", "TMPDIR": "/nonexistent", "NETRC": "/home/evil/.netrc",
    "LD_PRELOAD": "/nonexistent.so", "LD_LIBRARY_PATH": "/nonexistent", "BASH_ENV": "/home/evil/rc",
    "ENV": "/home/evil/rc",
    "LOCALDOMAIN": "trap.test", "RES_OPTIONS": "debug", "SSLKEYLOGFILE": "/tmp/keys.log", "PATH": "/nonexistent",
    "ECS_CONTAINER_METADATA_URI_V4": "http://trap.test/v4/x", "ECS_CONTAINER_METADATA_URI": "http://trap.test/v3/x",
}
EVIL_FILES = {
    "/home/evil/.gitconfig": '[http]\n\tproxy = http://trap.test:3128\n'
                             '[url "http://trap.test/"]\n\tinsteadOf = http://git.test/\n',
    "/home/evil/.aws/credentials": "[evil]\naws_access_key_id = AKIAEVIL\naws_secret_access_key = evil\n",
    "/home/evil/.netrc": "machine git.test login evil password evil\n",
    "/home/evil/rc": "echo rc-was-read\n",
    "/home/evil/git/config": "[http]\n\tproxy = http://trap.test:3128\n",
}


def variables_of(name, repository, project):
    if name == "vercel-clone":
        return {"GIT_REPOSITORY__URL": repository.url(), "PROJECT_ID": project, "S3_BUCKET": BUCKET,
                "OUTPUT_DIR": "dist"}
    return {"GIT_REPOSITORY__URL": repository.url(), "PROJECT_ID": project, "DEPLOYMENTID": "d1", "FRONTENDPATH": ".",
            "INSTALLCOMMAND": "npm install", "BUILDCOMMAND": "npm run build", "FRONTENDOUTPUTDIR": "dist",
            "KAFKA_BROKER1": "broker.test:9092", "KAFKA_SASL_PASSWORD": "kafka-s3cret-w0rd",
            "DOMAIN_EVENTS_TOPIC_ARN": "arn:aws:sns:ap-south-1:123456789012:events.fifo"}


def start(bed, name, variables, **options):
    options.setdefault("operator", OPERATOR)
    return bed.start(arguments=["--profile", name], environment=variables, endpoint_url=None, **options)


BUCKET_OF = {"vercel-clone": BUCKET, "veren-frontend": VEREN_BUCKET}


@pytest.fixture(params=["vercel-clone", "veren-frontend"])
def profile(request):
    return request.param


def test_started_by_the_variables_alone(bed, profile):
    repository = bed.repository(FILES)
    project = "p" + repository.name[1:8]
    ended = bed.finish(start(bed, profile, {**variables_of(profile, repository, project), "VITE_API": "https://api"}))
    assert ended.code == 0, ended
    assert bed.storage.tree(BUCKET_OF[profile], f"__outputs/{project}/") == {"index.html": b"https://api\n"}
    result = json.loads(bed.storage.get("jobs-bucket", f"{project}/result.json"))
    bed.schema.validate(result)
    assert result["status"] == "succeeded" and result["artifacts"][0]["mode"] == "add"
    if profile == "veren-frontend":
        assert "kafka-s3cret-w0rd" not in ended.text and "KAFKA_SASL_PASSWORD=" not in ended.text
        assert any("KAFKA_BROKER1" in warning for warning in result["warnings"]), result["warnings"]
        assert result["id"] == "d1" or "d1" in json.dumps(result)


def test_nothing_of_a_tenant_steers_pid_1(bed, profile):
    repository = bed.repository(FILES)
    project = "h" + repository.name[1:8]
    variables = {**variables_of(profile, repository, project), "VITE_API": "x", **HOSTILE}
    task = start(bed, profile, variables, files=EVIL_FILES)
    ended = bed.finish(task)
    assert bed.world.trap.visitors == [], ended
    assert ended.code == 0, ended
    assert bed.storage.tree(BUCKET_OF[profile], f"__outputs/{project}/") == {"index.html": b"x\n"}
    assert "rc-was-read" not in ended.text and "mimalloc:" not in ended.text, ended
    build = {line.partition("| ")[2].partition("=")[0] for line in ended.text.splitlines() if "| " in line}
    assert "CI" in build and "VITE_API" in build, ended
    for name in HOSTILE:
        if name not in ("HOME", "PATH", "TMPDIR"):  # which the build has from us
            assert name not in build, (name, ended)
    for value in ("/home/evil", "/nonexistent"):
        assert f"={value}" not in ended.text, ended


def test_missing_variable_is_named(bed, profile):
    ended = bed.finish(start(bed, profile, {"PROJECT_ID": "p1"}))
    assert ended.code == 10, ended
    assert "GIT_REPOSITORY__URL" in ended.text, ended


def test_defaults_of_veren(bed):
    """Their container's: npm install, npm run build, the framework's folder, Mumbai's bucket."""
    repository = bed.repository({f"web/{path}": content for path, content in FILES.items()})
    project = "w" + repository.name[1:8]
    ended = bed.finish(start(bed, "veren-frontend", {
        "GIT_REPOSITORY__URL": repository.url(), "PROJECT_ID": project, "DEPLOYMENTID": "d2", "FRONTENDPATH": "web",
        "OUTDIR": "dist", "VITE_API": "y"}))
    assert ended.code == 0, ended
    assert bed.storage.tree(VEREN_BUCKET, f"__outputs/{project}/") == {"index.html": b"y\n"}
    assert "npm install" in ended.text and "npm run build" in ended.text


def test_private_repository_of_a_clone(bed):
    bed.git.tokens = {"ghp_secretOfTheTenant9"}
    repository = bed.repository(FILES)
    project = "g" + repository.name[1:8]
    variables = {"GIT_REPOSITORY__URL": repository.url("token"), "PROJECT_ID": project, "BUCKET_NAME": BUCKET,
                 "OUTPUT_DIR": "dist", "GITHUB_TOKEN": "ghp_secretOfTheTenant9",
                 "ENV_VARIABLES": '{"VITE_API": "from-json"}'}
    ended = bed.finish(start(bed, "vercel-clone", variables))
    if ended.code == 21:  # a token for GitHub goes to GitHub alone
        assert not [request for request in bed.git.requests if request.header("authorization")]
    else:
        assert ended.code == 0, ended
        assert bed.storage.tree(BUCKET, f"__outputs/{project}/") == {"index.html": b"from-json\n"}
    assert "ghp_secretOfTheTenant9" not in ended.text


def of_buildqueue(repository, project):
    """What Veren's API puts into the queue."""
    return {"url": repository, "projectId": project, "deploymentId": "d7",
            "frontendConfig": {"frontendDir": ".", "buildVersion": "", "buildType": "spa", "outDir": "dist",
                               "frontendBuildCommand": "npm run build", "frontendInstallCommand": "npm install",
                               "frontendEnv": [{"key": "VITE_API", "value": "of-the-message"}]},
            "backendConfig": {"backendDir": "api", "backendInstallCommand": "npm install", "buildVersion": 20,
                              "backendEnv": [{"key": "DATABASE_URL", "value": "x"}]}}


NOWHERE = "http://127.0.0.1:1/team/app.git"
MESSAGES = {
    "veren-frontend": of_buildqueue(NOWHERE, "p7"),
    "veren-backend": of_buildqueue(NOWHERE, "p7"),
    "deployra": {"deploymentId": "d7", "serviceId": "s7", "commitSha": "", "branch": "main", "repositoryName": "team/app",
                 "gitProvider": {"type": "CUSTOM", "url": "https://127.0.0.1:1/", "username": "u", "password": "pw-of-u"}},
    "blacktree": {"deploymentId": "d7", "token": "", "repository": NOWHERE, "branch": "main", "dockerFilePath": "./Dockerfile",
                  "contextDir": ".", "createdAt": "2026-01-02T03:04:05Z", "AutoDeploy": False},
}
HOSTS = {"ECR_URI": "123456789012.dkr.ecr.eu-central-1.amazonaws.com/veren", "ECR_REGISTRY": "123456789012.dkr.ecr.eu-central-1.amazonaws.com",
         "REGISTRY": "123456789012.dkr.ecr.eu-central-1.amazonaws.com"}


@pytest.mark.parametrize("how", ["-", "--message-env"])
@pytest.mark.parametrize("system", MESSAGES)
def test_a_queue_message_is_a_spec(caisson, system, how):
    """As far as to the repository, which nobody serves."""
    text = json.dumps(MESSAGES[system])
    words = ["-"] if how == "-" else [how, "JOB"]
    ran = caisson("run", "--profile", system, *words, environment={**HOSTS, **({} if how == "-" else {"JOB": text})},
                  **({"input": text} if how == "-" else {}))
    result = json.loads(ran.stdout.rpartition(" result ")[2])
    assert ran.returncode == 20 and result["id"] == "d7" and result["step"] == "checkout", ran
    assert result["source"]["repository"].partition("://")[2] == NOWHERE.partition("://")[2] and "pw-of-u" not in ran.stdout + ran.stderr


def test_a_queue_message_in_a_task(bed):
    repository = bed.repository(FILES)
    project = "q" + repository.name[1:8]
    message = of_buildqueue(repository.url(), project)
    ended = bed.finish(bed.start(arguments=["--profile", "veren-frontend", "--message-env", "JOB"], endpoint_url=None,
                                 environment={"JOB": json.dumps(message)}, operator=OPERATOR))
    assert ended.code == 0, ended
    assert bed.storage.tree(VEREN_BUCKET, f"__outputs/{project}/") == {"index.html": b"of-the-message\n"}
    assert "JOB=" not in ended.text  # the build sees the user's variables alone


@pytest.mark.parametrize("name", ["PROJECT_ID", "S3_BUCKET"])
def test_name_that_stands_twice(program, name):
    """An exec with the name twice in its environment, as an override may make it."""
    environment = [b"PATH=/usr/bin:/bin", b"GIT_REPOSITORY__URL=http://127.0.0.1:1/x", b"PROJECT_ID=p", b"S3_BUCKET=b",
                   f"{name}=other".encode()]
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        os.dup2(writing, 1)
        os.dup2(writing, 2)
        words = [program.encode(), b"run", b"--profile", b"vercel-clone"]
        argv = (ctypes.c_char_p * (len(words) + 1))(*words, None)
        envp = (ctypes.c_char_p * (len(environment) + 1))(*environment, None)
        ctypes.CDLL(None).execve(words[0], argv, envp)
        os._exit(99)
    os.close(writing)
    with os.fdopen(reading, "rb") as file:
        said = file.read().decode()
    _, status = os.waitpid(child, 0)
    assert os.waitstatus_to_exitcode(status) == 10, said
    assert name in said, said


@pytest.mark.rare
def test_vite_site_by_a_clones_variables(bed):
    repository = bed.repository(repositories.fixture("vite-react"))
    project = "v" + repository.name[1:8]
    ended = bed.finish(start(bed, "vercel-clone", {**variables_of("vercel-clone", repository, project),
                                                   "VITE_GREETING": "Hi there"}), timeout=200)
    assert ended.code == 0, ended
    tree = bed.storage.tree(BUCKET, f"__outputs/{project}/")
    assert "index.html" in tree and any(b"Hi there" in body for body in tree.values())
