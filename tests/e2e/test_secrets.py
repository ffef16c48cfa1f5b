"""Secrets from the Parameter Store and the Secrets Manager, as variables and as files; who sees them and who does not."""

import json
import time

import pytest

from bed import http1, npm_registry, secret_services, tls
from bed.world import ADDRESSES

PLACE = ADDRESSES["elsewhere.test"], 443
NPM = "npm_5ecretOfTheRegistry"
DEPLOY = "d3ploy-word-of-the-build"


@pytest.fixture(scope="module")
def authority(tmp_path_factory):
    return tls.Authority(str(tmp_path_factory.mktemp("aws-tls")), secret_services.HOSTS)


@pytest.fixture
def aws(bed):
    """Both services under their own names."""
    return secret_services.SecretServices(bed.gate.issued.get)


@pytest.fixture
def run(bed, aws, authority):
    def start(spec, services=(), files=None, environment=None, **options):
        hosts = "127.0.0.1 localhost\n" + "".join(f"{address} {name}\n" for name, address in ADDRESSES.items())
        hosts += f"{PLACE[0]} {' '.join(secret_services.HOSTS)}\n"
        with open(authority.bundle) as file:
            files = {"/etc/hosts": hosts, "/etc/aws-ca.pem": file.read(), **(files or {})}
        environment = {"AWS_CA_BUNDLE": "/etc/aws-ca.pem", **(environment or {})}
        return bed.start(spec, services=[(*PLACE, over_tls), *services], files=files, environment=environment, **options)

    def over_tls(client):
        try:
            client = authority.context.wrap_socket(client, server_side=True)
        except OSError:
            client.close()
            return
        http1.Connection(client, aws, True).serve()

    def run_to_the_end(spec, timeout=120, **options):
        ended = bed.finish(start(spec, **options), timeout)
        assert aws.mistakes == [], ended
        return ended

    run_to_the_end.start = start
    return run_to_the_end


def shell(bed, install="true", build="true", test=None, secrets=None, **changes):
    """A job whose install, build and test are these command lines."""
    package = json.dumps({"name": "site", "version": "1.0.0", "private": True})
    repository = bed.repository({"package.json": package, "public/index.html": "hello\n"})
    commands = {"install": install, "command": build, "output": "public", **({"test": test} if test else {})}
    return bed.spec(repository, build={"builder": "node", **commands}, secrets=secrets or {}, **changes)


def test_parameters_and_secrets_reach_the_build(bed, aws, run):
    parameter = aws.parameter("/shop/npm", NPM)
    aws.parameter("plain", "first\nsecond $line '\" é")
    whole = aws.secret("prod/database", {"user": "shop", "password": DEPLOY, "port": 5432, "tls": True})
    aws.secret("prod/database", {"user": "old"}, stage="AWSPREVIOUS")
    aws.secret("word", "just-a-long-word")
    wanted = {"BY_PATH": NPM, "BY_VERSION": NPM, "BY_LABEL": NPM, "BY_ARN": NPM, "PLAIN": "first\nsecond $line '\" é",
              "PASSWORD": DEPLOY, "PORT": "5432", "TLS": "true", "OLD_USER": "old", "WORD": "just-a-long-word"}
    checks = "const want = JSON.parse(process.env.WANT); for (const name in want) " \
             "if (process.env[name] !== want[name]) { console.log('WRONG ' + name); process.exit(3) }"
    spec = shell(bed, build="node check.js", env={"WANT": json.dumps(wanted)}, secrets={
        "BY_PATH": {"ssm": "/shop/npm"}, "BY_VERSION": {"ssm": "/shop/npm:1"}, "BY_LABEL": {"ssm": "/shop/npm:live"},
        "BY_ARN": {"ssm": parameter}, "PLAIN": {"ssm": "plain"}, "PASSWORD": {"secret": f"{whole}#password"},
        "PORT": {"secret": "prod/database#port"}, "TLS": {"secret": "prod/database#tls"},
        "OLD_USER": {"secret": f"{whole}:user:AWSPREVIOUS:"}, "WORD": {"secret": "word"}})
    repository = bed.repository({"package.json": '{"name": "site"}', "check.js": checks, "public/index.html": "x"})
    spec["source"]["repository"] = repository.url()
    ended = run(spec)
    assert ended.code == 0, ended
    asked = [json.loads(request.body) for request in aws.requests]
    database = [body for body in asked if "prod/database" in body.get("SecretId", "")]
    assert len(database) == 3, asked  # by name, by ARN, and the earlier stage; two keys of one name are one request
    token = ended.endpoint.given[0].token
    assert all(request.header("x-amz-security-token") == token for request in aws.requests)


def test_only_what_a_step_gets_is_asked_for(bed, aws, run):
    aws.parameter("/used", NPM)
    spec = shell(bed, install=False, secrets={
        "USED": {"ssm": "/used", "steps": ["build"]}, "NO_INSTALL": {"ssm": "/missing", "steps": ["install"]},
        "NO_TEST": {"secret": "missing", "steps": ["test"]}})
    ended = run(spec)
    assert ended.code == 0, ended
    assert [json.loads(request.body)["Name"] for request in aws.requests] == ["/used"]


def test_all_that_is_missing_is_named_at_once(bed, aws, run):
    aws.parameter("/denied", NPM)
    aws.parameter("/locked", NPM)
    aws.secret("locked", NPM)
    aws.secret("binary", b"\0\1")
    aws.secret("json", {"a": NPM, "list": [1]})
    aws.secret("text", NPM)
    aws.denied |= {"/denied"}
    aws.denied_keys |= {"/locked", "locked"}
    spec = shell(bed, secrets={
        "ABSENT": {"ssm": "/absent"}, "DENIED": {"ssm": "/denied"}, "LOCKED": {"ssm": "/locked"},
        "LOCKED_TOO": {"secret": "locked"}, "GONE": {"secret": "gone"}, "BINARY": {"secret": "binary"},
        "NO_KEY": {"secret": "json#b"}, "LIST": {"secret": "json#list"}, "NO_JSON": {"secret": "text#a"},
        "VARIABLE": {"env": "NOT_THERE"}})
    ended = run(spec)
    assert ended.code == 12 and ended.result["class"] == "secret-unavailable", ended
    assert ended.result["reason"] == "secret-unavailable" and not ended.result["retryable"]
    for name in spec["secrets"]:
        assert f"{name}: " in ended.text, (name, ended)
    assert NPM not in ended.text
    hint = ended.result["hint"]
    for words in ("ssm:GetParameter on arn:aws:ssm:eu-central-1:*:parameter/denied", "kms:Decrypt"):
        assert words in hint, ended
    assert not any(step["name"] == "checkout" for step in ended.result["steps"])


@pytest.mark.parametrize("source, reason, words", [
    ({"ssm": "/absent"}, "secret-not-found", "parameter/absent"),
    ({"ssm": "/denied"}, "secret-denied", "allow ssm:GetParameter on arn:aws:ssm:eu-central-1:*:parameter/denied"),
    ({"secret": "denied"}, "secret-denied", "allow secretsmanager:GetSecretValue on arn:aws:secretsmanager:"),
    ({"secret": "locked"}, "secret-key-refused", "kms:Decrypt"),
    ({"secret": "binary"}, "secret-binary", "SecretString"),
    ({"secret": "json#b"}, "secret-key-missing", "case-sensitive"),
])
def test_each_refusal_has_its_reason(bed, aws, run, source, reason, words):
    aws.parameter("/denied", NPM)
    for name, value in (("denied", NPM), ("locked", NPM), ("binary", b"\0"), ("json", {"a": NPM})):
        aws.secret(name, value)
    aws.denied |= {"/denied", "denied"}
    aws.denied_keys.add("locked")
    ended = run(shell(bed, secrets={"IT": source}))
    assert ended.code == 12 and ended.result["reason"] == reason and words in ended.result["hint"], ended
    assert NPM not in ended.text


def drop():
    raise http1.Drop


@pytest.mark.parametrize("faults", [
    [secret_services.fault(400, "ThrottlingException", "Rate exceeded")] * 2,
    [secret_services.fault(500, "InternalServerError"), secret_services.fault(503)],
    [drop, secret_services.fault(429, retry_after="1")],
], ids=["throttled", "server-errors", "dropped"])
def test_troubles_that_pass(bed, aws, run, faults):
    aws.parameter("/shop/npm", NPM)
    aws.faults = list(faults)
    ended = run(shell(bed, build=f'test "$IT" = {NPM}', secrets={"IT": {"ssm": "/shop/npm"}}))
    assert ended.code == 0 and len(aws.requests) == 3, ended


@pytest.mark.parametrize("faults, code, reason, retryable", [
    ([secret_services.fault(400, "ThrottlingException", "Rate exceeded")] * 9, 51, "slow-down", True),
    ([secret_services.fault(500)] * 9, 51, "server-error", True),
    ([secret_services.fault(307, location="https://evil.test/")] * 9, 51, "request-refused", False),
    ([secret_services.fault(200)], 12, "secret-unreadable", False),
    ([lambda: http1.Response(200, b'{"Parameter": {"Value": 5}}')], 12, "secret-unreadable", False),
    ([lambda: http1.Response(200, b"{" + b'"a": "' + b"x" * 600_000 + b'"}')], 51, "response-too-large", False),
    ([lambda: http1.Response(200, b"[" * 100_000)], 12, "secret-unreadable", False),
    ([secret_services.fault(400, "UnrecognizedClientException", "invalid token")], 50, "credentials-refused", False),
], ids=["throttled", "broken", "redirect", "not-json", "no-text", "endless", "deep", "refused"])
def test_troubles_that_stay(bed, aws, run, faults, code, reason, retryable):
    aws.parameter("/shop/npm", NPM)
    aws.faults = list(faults)
    ended = run(shell(bed, secrets={"IT": {"ssm": "/shop/npm"}}))
    assert (ended.code, ended.result["reason"]) == (code, reason), ended
    assert ended.result["retryable"] is retryable and "IT: " in ended.result["message"], ended


def test_expired_credentials_are_renewed_once(bed, aws, run):
    aws.parameter("/shop/npm", NPM)
    issued = []

    def issue():
        keys = bed.gate.issue()
        issued.append(keys)
        if len(issued) == 1:
            aws.faults = [secret_services.fault(400, "ExpiredTokenException", "The security token is expired")]
        return keys

    ended = run(shell(bed, secrets={"IT": {"ssm": "/shop/npm"}}), issue=issue)
    assert ended.code == 0 and len(issued) >= 2, ended
    assert aws.requests[1].header("x-amz-security-token") == issued[1].token


def test_a_wrong_clock_is_corrected(bed, aws, run):
    aws.parameter("/shop/npm", NPM)
    aws.now = lambda: time.time() + 1200
    late = [("Date", http1.http_date(time.time() + 1200))]
    answer = aws._answer
    aws._answer = lambda status, document, headers=(): answer(status, document, [*headers, *late])
    ended = run(shell(bed, build=f'test "$IT" = {NPM}', secrets={"IT": {"ssm": "/shop/npm"}}))
    assert ended.code == 0 and len(aws.requests) == 2, ended


def test_a_service_that_hangs_ends_in_time(bed, aws, run):
    aws.parameter("/shop/npm", NPM)
    aws.faults = [secret_services.hang(30)] * 9
    task = run.start(shell(bed, secrets={"IT": {"ssm": "/shop/npm"}}))
    deadline = time.monotonic() + 20
    while not aws.requests and time.monotonic() < deadline:
        time.sleep(0.05)
    task.signal("TERM")
    ended = bed.finish(task, 30)
    assert ended.code == 143 and ended.seconds < 30, ended


@pytest.mark.rare
def test_a_service_that_hangs_for_ever(bed, aws, run):
    aws.faults = [secret_services.hang(60)] * 9
    ended = run(shell(bed, secrets={"IT": {"ssm": "/shop/npm"}}))
    assert ended.code == 51 and ended.result["retryable"] and ended.seconds < 75, ended


def test_git_token_from_the_secrets_manager(bed, aws, run):
    token = "ghp_0123456789abcdefTOKEN"
    aws.secret("git/shop", {"token": token})
    bed.git.tokens = {token}
    repository = bed.repository({"public/index.html": "hello\n"})
    spec = bed.spec(repository, build={"builder": "commands", "commands": ["cat .git/config; env; ls -la"],
                                       "output": "public"})
    spec["source"] = {"repository": repository.url().replace("/open/", "/token/"),
                      "auth": {"token": {"secret": "git/shop#token"}}}
    ended = run(spec)
    assert ended.code == 0, ended
    assert token not in ended.text


LOOK = r"""
const fs = require('fs'), path = require('path'), needles = process.argv.slice(2).map(t => Buffer.from(t, 'hex'))
const seen = (what, data) => { for (const n of needles) if (data.includes(n)) console.log('SEEN ' + what) }
for (const pid of fs.readdirSync('/proc').filter(n => /^\d+$/.test(n) && n !== String(process.pid)))
  for (const file of ['environ', 'cmdline', 'maps'])
    try { seen(`/proc/${pid}/${file}`, fs.readFileSync(`/proc/${pid}/${file}`)) } catch {}
seen('environ', Buffer.from(JSON.stringify(process.env)))
const walk = (folder, depth) => {
  let names = []
  try { names = fs.readdirSync(folder) } catch { return }
  for (const name of names) {
    const at = path.join(folder, name)
    let stat
    try { stat = fs.lstatSync(at) } catch { continue }
    if (stat.isDirectory() && depth < 6) walk(at, depth + 1)
    else if (stat.isFile() && stat.size < 1e6) try { seen(at, fs.readFileSync(at)) } catch {}
  }
}
for (const folder of [process.env.HOME, process.cwd(), process.env.TMPDIR, '/tmp', '/run', '/etc', '/dev/shm',
                      path.dirname(process.env.HOME), path.dirname(process.env.HOME) + '/secrets']) walk(folder, 0)
console.log('looked')
"""


@pytest.mark.parametrize("delivery", ["env", "file", "npmrc"])
def test_no_step_but_the_named_one_sees_it(bed, aws, run, delivery):
    value = f"//127.0.0.1:4873/:_authToken={NPM}\n" if delivery == "npmrc" else DEPLOY + "\n" if delivery == "file" \
        else DEPLOY
    needle = NPM if delivery == "npmrc" else DEPLOY
    aws.secret("it", value)
    variable = "npm_config_userconfig" if delivery == "npmrc" else "IT"
    got = f'test "${variable}" = {DEPLOY}' if delivery == "env" else \
        f'grep -q {needle} "${variable}" && test "$(stat -c %a-%u "${variable}")" = "400-$(id -u)" && ' \
        f'cp -l "${variable}" kept && ! ls "$(dirname "${variable}")" && ! rm -f "${variable}" && ' \
        f'! mv kept "$(dirname "${variable}")/other"'
    look = f"node look.js {needle.encode().hex()}"
    spec = shell(bed, install=f"{got} || {{ echo NOT-GOT; exit 3; }}", build=f"{look}; test ! -s kept",
                 test=f'{look}; test -z "${variable}"', secrets={"IT": {"secret": "it", "as": delivery,
                                                                        "steps": ["install"]}})
    repository = bed.repository({"package.json": '{"name": "site"}', "look.js": LOOK, "public/index.html": "x"})
    spec["source"]["repository"] = repository.url()
    ended = run(spec)
    assert ended.code == 0, ended
    assert ended.text.count("looked") == 2 and "SEEN" not in ended.text, ended
    assert needle not in ended.text and needle not in json.dumps(ended.result)
    assert needle.encode() not in b"".join(bed.published(spec).values())


def test_a_file_of_several_lines_ends_in_a_newline(bed, aws, run):
    aws.secret("key", "-----BEGIN KEY-----\nline-of-the-key\n-----END KEY-----")
    aws.secret("word", "just-a-long-word")
    build = 'test "$(tail -c1 "$KEY" | od -An -c | tr -d " ")" = "\\n" && test "$(wc -c <"$WORD")" = 16'
    ended = run(shell(bed, build=build, secrets={"KEY": {"secret": "key", "as": "file"},
                                                  "WORD": {"secret": "word", "as": "file"}}))
    assert ended.code == 0, ended


def test_a_build_that_prints_parts_of_its_secrets(bed, aws, run):
    aws.secret("json", {"user": "shop-user-1", "password": DEPLOY})
    aws.secret("npmrc", f"registry=http://127.0.0.1:4873/\n//127.0.0.1:4873/:_authToken={NPM}\n")
    build = "node -e 'console.log(JSON.parse(process.env.ALL).password)'"
    ended = run(shell(bed, install='sed "s/.*Token=//" "$npm_config_userconfig"', build=build, secrets={
        "ALL": {"secret": "json"}, "RC": {"secret": "npmrc", "as": "npmrc"}}))
    assert ended.code == 0, ended
    assert NPM not in ended.text and DEPLOY not in ended.text, ended


def test_endpoints_of_the_environment(bed, aws, run):
    """AWS_ENDPOINT_URL_SSM wins over AWS_ENDPOINT_URL; under a profile neither counts (test_profiles)."""
    aws.parameter("/shop/npm", NPM)
    name = secret_services.HOSTS[0]
    ended = run(shell(bed, secrets={"IT": {"ssm": "/shop/npm"}}),
                environment={"AWS_ENDPOINT_URL": "http://trap.test:9000", "AWS_ENDPOINT_URL_SSM": f"https://{name}"})
    assert ended.code == 0 and bed.world.trap.visitors == [], ended
    assert len(aws.requests) == 1


SITE = {"name": "site", "version": "1.0.0", "private": True, "dependencies": {npm_registry.PACKAGE: "1.0.0"},
        "scripts": {"build": "node build.js"}}
BUILD_SITE = f"""
require('fs').mkdirSync('dist', {{ recursive: true }})
require('fs').writeFileSync('dist/index.html', require('{npm_registry.PACKAGE}').name + '\\n')
"""


def private_site(bed, needle, **changes):
    look = LOOK.replace("process.argv.slice(2)", json.dumps([needle.encode().hex()]))
    repository = bed.repository({"package.json": json.dumps(SITE), "build.js": BUILD_SITE + look})
    return bed.spec(repository, build={"output": "dist"}, **changes)


@pytest.mark.parametrize("source", ["secret", "ssm", "file"])
def test_private_packages_are_installed_by_the_install_alone(bed, aws, run, source):
    registry = npm_registry.PrivateRegistry(NPM)
    text, files = npm_registry.npmrc(NPM), {}
    if source == "file":
        value, files = {"file": "/run/secrets/npmrc"}, {"/run/secrets/npmrc": (text, 0o600)}
    else:
        (aws.secret if source == "secret" else aws.parameter)("npmrc", text)
        value = {source: "npmrc"}
    spec = private_site(bed, NPM, secrets={"NPMRC": {**value, "as": "npmrc"}})
    ended = run(spec, services=[registry.service()], files=files)
    assert ended.code == 0, ended
    assert bed.published(spec) == {"index.html": b"the private pad is here\n"}
    assert len(registry.requests) >= 2 and registry.refused == 0
    assert "looked" in ended.text and "SEEN" not in ended.text, ended
    assert NPM not in ended.text and NPM not in json.dumps(ended.result)


def test_private_packages_by_a_token_in_the_projects_npmrc(bed, aws, run):
    """The other usual way: the project's .npmrc names a variable, which only the install has."""
    registry = npm_registry.PrivateRegistry(NPM)
    aws.parameter("/npm", NPM)
    spec = private_site(bed, NPM, secrets={"NPM_TOKEN": {"ssm": "/npm", "steps": ["install"]}})
    files = {"package.json": json.dumps(SITE), "build.js": BUILD_SITE, ".npmrc": npm_registry.npmrc("${NPM_TOKEN}")}
    spec["source"]["repository"] = bed.repository(files).url()
    ended = run(spec, services=[registry.service()])
    assert ended.code == 0 and registry.refused == 0, ended
    assert NPM not in ended.text


def test_private_packages_without_the_token(bed, aws, run):
    registry = npm_registry.PrivateRegistry(NPM)
    aws.secret("npmrc", npm_registry.npmrc("another"))
    ended = run(private_site(bed, NPM, secrets={"NPMRC": {"secret": "npmrc", "as": "npmrc"}}),
                services=[registry.service()])
    assert ended.code == 30 and registry.refused > 0 and "401" in ended.text, ended
