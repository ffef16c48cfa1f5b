"""The double of ECR, proved with its ordinary clients: the SDK's for the API, skopeo for the registry."""

import base64
import http.client
import json
import os
import ssl
import subprocess
import time

import botocore.config
import botocore.exceptions
import botocore.session
import pytest

from bed import ecr as bed_ecr, layouts, sigv4, tls

KEYS = sigv4.Keys("AKIDOFTHETESTS", "of-the-tests", "a-session-token")


@pytest.fixture(scope="module")
def authority(tmp_path_factory):
    return tls.Authority(str(tmp_path_factory.mktemp("tls")), list(bed_ecr.ADDRESSES))


@pytest.fixture
def ecr(tmp_path):
    with bed_ecr.Ecr(str(tmp_path), {KEYS.access: KEYS}.get) as made:
        yield made


@pytest.fixture
def client(ecr, authority):
    return connect(ecr, authority)


def connect(ecr, authority, **changes):
    options = {"aws_access_key_id": KEYS.access, "aws_secret_access_key": KEYS.secret,
               "aws_session_token": KEYS.token, **changes}
    settings = botocore.config.Config(proxies={"https": ecr.proxy_url(authority)}, retries={"total_max_attempts": 1})
    return botocore.session.Session().create_client("ecr", bed_ecr.REGION, verify=authority.bundle, config=settings,
                                                    **options)


def code_of(call, *arguments, **parameters):
    with pytest.raises(botocore.exceptions.ClientError) as caught:
        call(*arguments, **parameters)
    return caught.value.response["Error"]["Code"]


def password_of(client):
    data = client.get_authorization_token()["authorizationData"][0]
    assert data["proxyEndpoint"] == f"https://{bed_ecr.HOST}"
    user, _, password = base64.b64decode(data["authorizationToken"]).decode().partition(":")
    assert user == "AWS" and 11 * 3600 < data["expiresAt"].timestamp() - time.time() < 13 * 3600
    return password


def skopeo(ecr, authority, *words):
    """As docker would: through the proxy, with the authority's certificate."""
    environment = {"PATH": os.environ["PATH"], "HTTPS_PROXY": ecr.proxy_url(authority), "HOME": "/nonexistent",
                   "SSL_CERT_FILE": authority.bundle}
    return subprocess.run(["skopeo", "--insecure-policy", *words], capture_output=True, text=True, check=False,
                          timeout=60, env=environment)


def push(ecr, authority, client, folder, reference):
    return skopeo(ecr, authority, "copy", "--quiet", "--dest-creds", f"AWS:{password_of(client)}", f"oci:{folder}",
                  f"docker://{bed_ecr.HOST}/{reference}")


def test_the_sdk_makes_describes_and_removes(ecr, authority, client, tmp_path):
    assert code_of(client.describe_repositories, repositoryNames=["shop"]) == "RepositoryNotFoundException"
    made = client.create_repository(repositoryName="shop", imageTagMutability="IMMUTABLE")["repository"]
    assert made["repositoryUri"] == f"{bed_ecr.HOST}/shop" and made["repositoryArn"] == bed_ecr.arn_of("shop")
    assert client.describe_repositories(repositoryNames=["shop"])["repositories"] == [made]
    assert code_of(client.create_repository, repositoryName="shop") == "RepositoryAlreadyExistsException"
    assert code_of(client.describe_images, repositoryName="shop", imageIds=[{"imageTag": "a"}]) == \
        "ImageNotFoundException"
    digest = layouts.write(str(tmp_path / "layout"), {"hello": b"hello"})
    pushed = push(ecr, authority, client, tmp_path / "layout", "shop:a")
    assert pushed.returncode == 0, pushed.stderr
    detail = client.describe_images(repositoryName="shop", imageIds=[{"imageTag": "a"}])["imageDetails"][0]
    assert detail["imageDigest"] == digest and detail["imageTags"] == ["a"] and detail["imageSizeInBytes"] > 100
    answer = client.batch_delete_image(repositoryName="shop", imageIds=[{"imageTag": "a"}, {"imageTag": "b"}])
    assert answer["imageIds"] == [{"imageTag": "a", "imageDigest": digest}]
    assert answer["failures"][0]["failureCode"] == "ImageNotFound" and ecr.images("shop") == {}
    assert ecr.mistakes == []


def test_lifecycle_policies(ecr, client):
    client.create_repository(repositoryName="shop")
    assert code_of(client.get_lifecycle_policy, repositoryName="shop") == "LifecyclePolicyNotFoundException"
    rule = {"rulePriority": 1, "selection": {"tagStatus": "any", "countType": "imageCountMoreThan", "countNumber": 5},
            "action": {"type": "expire"}}
    aged = {**rule, "rulePriority": 2, "selection": {"tagStatus": "untagged", "countType": "sinceImagePushed",
                                                     "countUnit": "days", "countNumber": 5}}
    bad = [[rule, aged], [{**rule, "rulePriority": 0}], [rule, rule], [], [{**rule, "action": {"type": "keep"}}],
           [{**aged, "selection": {**aged["selection"], "countUnit": "hours"}}], [{**rule, "other": 1}]]
    for rules in bad:
        text = json.dumps({"rules": rules}).ljust(100)
        assert code_of(client.put_lifecycle_policy, repositoryName="shop", lifecyclePolicyText=text) == \
            "InvalidParameterException", rules
    assert len(ecr.mistakes) == len(bad)
    text = json.dumps({"rules": [{**aged, "rulePriority": 1}, {**rule, "rulePriority": 2}]})
    client.put_lifecycle_policy(repositoryName="shop", lifecyclePolicyText=text)
    assert client.get_lifecycle_policy(repositoryName="shop")["lifecyclePolicyText"] == text


@pytest.mark.parametrize("changes, code", [
    ({"aws_secret_access_key": "another"}, "InvalidSignatureException"),
    ({"aws_access_key_id": "AKIDANOTHER"}, "UnrecognizedClientException"),
    ({"aws_session_token": "another"}, "UnrecognizedClientException")])
def test_signatures(ecr, authority, changes, code):
    assert code_of(connect(ecr, authority, **changes).get_authorization_token) == code


def test_parameters(ecr, authority, client):
    assert code_of(client.create_repository, repositoryName="Upper") == "InvalidParameterException"
    assert code_of(client.create_repository, repositoryName="shop", tags=[{"Key": "aws:x", "Value": ""}]) == \
        "InvalidTagParameterException"
    assert code_of(client.create_repository, repositoryName="shop", imageTagMutability="SOMETIMES") == \
        "InvalidParameterException"
    assert code_of(client.batch_delete_image, repositoryName="shop", imageIds=[{"imageTag": "a"}] * 101) == \
        "InvalidParameterException"
    assert len(ecr.mistakes) == 3


def test_permissions(ecr, client):
    ecr.allowed = {"ecr:GetAuthorizationToken"}
    assert password_of(client)
    with pytest.raises(botocore.exceptions.ClientError) as caught:
        client.create_repository(repositoryName="shop")
    assert caught.value.response["Error"] == {
        "Code": "AccessDeniedException",
        "Message": f"User: {bed_ecr.ROLE} is not authorized to perform: ecr:CreateRepository on resource: "
                   f"{bed_ecr.arn_of('shop')} because no identity-based policy allows the ecr:CreateRepository action"}


def test_the_registry_refuses(ecr, authority, client, tmp_path):
    layouts.write(str(tmp_path / "layout"), {"hello": b"hello"})
    layouts.write(str(tmp_path / "other"), {"hello": b"other"})
    missing = push(ecr, authority, client, tmp_path / "layout", "shop:a")
    assert missing.returncode != 0 and "name unknown: The repository with name 'shop' does not exist" in missing.stderr
    ecr.add("shop", imageTagMutability="IMMUTABLE")
    assert push(ecr, authority, client, tmp_path / "layout", "shop:a").returncode == 0
    moved = push(ecr, authority, client, tmp_path / "other", "shop:a")
    assert moved.returncode != 0 and "cannot be overwritten because the tag is immutable" in moved.stderr, moved.stderr
    ecr.denied = {"ecr:InitiateLayerUpload"}
    layouts.write(str(tmp_path / "third"), {"hello": b"third"})
    denied = push(ecr, authority, client, tmp_path / "third", "shop:b")
    assert denied.returncode != 0 and "authorized to perform: ecr:InitiateLayerUpload" in denied.stderr, denied.stderr


class Raw:
    """Requests to the registry by hand."""

    def __init__(self, ecr, authority, password):
        proxy = ecr.proxy_url(authority).removeprefix("http://").split(":")
        self.connection = http.client.HTTPSConnection(proxy[0], int(proxy[1]), timeout=20,
                                                      context=ssl.create_default_context(cafile=authority.bundle))
        self.connection.set_tunnel(bed_ecr.HOST, 443)
        self.headers = {"Authorization": "Basic " + base64.b64encode(f"AWS:{password}".encode()).decode()}

    def ask(self, method, path, body=None):
        headers = {**self.headers, "Content-Type": "application/octet-stream"}
        self.connection.request(method, path.removeprefix(f"https://{bed_ecr.HOST}"), body, headers)
        answer = self.connection.getresponse()
        return answer.status, answer.read(), answer.headers


def test_passwords_and_patches(ecr, authority, client):
    ecr.add("shop")
    raw = Raw(ecr, authority, "wrong")
    status, _, headers = raw.ask("GET", "/v2/")
    assert status == 401 and headers["Www-Authenticate"].startswith("Basic realm=")
    raw = Raw(ecr, authority, password_of(client))
    assert raw.ask("GET", "/v2/")[0] == 200
    status, _, headers = raw.ask("POST", "/v2/shop/blobs/uploads/")
    assert status == 202 and headers["Location"].startswith(f"https://{bed_ecr.HOST}/v2/shop/blobs/uploads/")
    status, _, headers = raw.ask("PATCH", headers["Location"], b"first")
    assert status == 202 and headers["Range"] == "0-4"
    status, _, headers = raw.ask("PATCH", headers["Location"], b"second")
    assert status == 202 and headers["Range"] == "0-4"  # dropped, and not a word of it
    ecr.expire_tokens()
    status, body, _ = raw.ask("GET", "/v2/")
    assert status == 403 and json.loads(body)["errors"][0] == {
        "code": "DENIED", "message": "Your authorization token has expired. Reauthenticate and try again."}
