"""Amazon ECR: its API, and its registry in front of a real one.

The API checks SigV4, validates what it is sent by the service's published model (that of botocore) and answers in the
shapes of that model, which are validated too. The registry behaves as ECR's does: it takes the user AWS and a token
that the API gave, says 403 when that has run out, knows only repositories that were made, drops the body of every PATCH
after an upload's first, and lets no tag of an immutable repository be moved.

Sources: the service's API reference; https://docs.aws.amazon.com/AmazonECR/latest/userguide/registry_auth.html;
https://github.com/aws/containers-roadmap/issues/2831 (PATCH).
"""

import base64
import copy
import functools
import http.client
import json
import os
import re
import secrets
import shutil
import ssl
import threading
import time
import uuid

from . import ecs, http1, registry, s3, sigv4
from .ecr_model import Invalid, check_lifecycle, model, validate

REGION, ACCOUNT = s3.REGION, ecs.ACCOUNT
HOST = f"{ACCOUNT}.dkr.ecr.{REGION}.amazonaws.com"
API_HOST = f"api.ecr.{REGION}.amazonaws.com"
ADDRESSES = {HOST: "10.98.0.70", API_HOST: "10.98.0.71"}  # in a task's network
TARGET = "AmazonEC2ContainerRegistry_V20150921."
CONTENT_TYPE = "application/x-amz-json-1.1"
ROLE = f"arn:aws:sts::{ACCOUNT}:assumed-role/build/0123"
TOKEN_SECONDS = 12 * 3600
SIGNATURE_CODES = {"ExpiredToken": "ExpiredTokenException", "InvalidToken": "UnrecognizedClientException",
                   "InvalidAccessKeyId": "UnrecognizedClientException",
                   "AccessDenied": "MissingAuthenticationTokenException",
                   "RequestTimeTooSkewed": "InvalidSignatureException",
                   "SignatureDoesNotMatch": "InvalidSignatureException"}
# What a request to the registry needs, by method and by the kind of path.
NEEDED = {("HEAD", "blobs"): "ecr:BatchCheckLayerAvailability", ("GET", "blobs"): "ecr:GetDownloadUrlForLayer",
          ("POST", "uploads"): "ecr:InitiateLayerUpload", ("PATCH", "uploads"): "ecr:UploadLayerPart",
          ("GET", "uploads"): "ecr:UploadLayerPart", ("PUT", "uploads"): "ecr:CompleteLayerUpload",
          ("DELETE", "uploads"): "ecr:UploadLayerPart", ("HEAD", "manifests"): "ecr:BatchGetImage",
          ("GET", "manifests"): "ecr:BatchGetImage", ("PUT", "manifests"): "ecr:PutImage",
          ("GET", "tags"): "ecr:ListImages"}
PUSH_ACTIONS = ["ecr:GetAuthorizationToken", *sorted(set(NEEDED.values()))]
PATHS = re.compile(r"/v2/(?P<name>.+?)/(?:(?P<uploads>blobs/uploads/)(?P<upload>[^/]*)|"
                   r"(?P<kind>blobs|manifests|tags)/(?P<reference>[^/]+))")
HOP_BY_HOP = ("host", "authorization", "connection", "content-length", "transfer-encoding", "expect")


class Failed(Exception):
    def __init__(self, code, message, status=400):
        super().__init__(status, code, message)
        self.status, self.code, self.message = status, code, message


class Refused(Exception):
    """By the registry."""

    def __init__(self, status, code, message, headers=()):
        super().__init__(status, code, message)
        self.status, self.code, self.message, self.headers = status, code, message, list(headers)


class Ecr:
    """`find_keys(access key)` gives the sigv4.Keys in force; without it nobody has any. `find_session(access key)` the
    sts.Session that they are of, None: the task's role; what a token may do is what its session may.

    allowed: the actions that the role may use, None: all; denied: those that it may not. faults, registry_faults: what
    happens first at the API and at the registry, a callable a request, which may raise http1.Drop, give an
    http1.Response, or None to go on. asked: what the API was asked, (action, parameters); requests: what the registry
    was, registry.Entry. mistakes: what no client should have sent."""

    def __init__(self, folder, find_keys=lambda access: None, generation=2, find_session=lambda access: None):
        self.find_keys, self.find_session, self.now = find_keys, find_session, time.time
        self.back = registry.Registry(folder, generation=generation)
        self.repositories, self.pushed = {}, {}  # by name; {repository: {digest: when}}
        self.tokens, self.token_seconds = {}, TOKEN_SECONDS
        self.sessions = {}  # {password: its session}
        self.allowed, self.denied, self.why_denied = None, set(), {}
        self.faults, self.registry_faults = [], []
        self.asked, self.requests, self.mistakes = [], [], []
        self.expired_is_text = False  # the registry's words are JSON, and were plain text once
        self.lock = threading.RLock()
        self.patched, self.proxy = set(), None

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.proxy is not None:
            http1.close_listener(self.proxy)
        self.back.stop()

    # -- how it is reached

    def services(self, authority):
        """For Bed.start and Bed.network: both hosts, within a task's network."""
        return [(address, 443, functools.partial(self._over_tls, authority)) for address in ADDRESSES.values()]

    def proxy_url(self, authority):
        """For a client on this machine: a proxy (https_proxy) behind which there is nothing but ECR."""
        if self.proxy is None:
            self.proxy = http1.listen("127.0.0.1")
            http1.accept_on(self.proxy, functools.partial(self._through_proxy, authority))
        return f"http://127.0.0.1:{self.proxy.getsockname()[1]}"

    def _through_proxy(self, authority, client):
        head = b""
        while not head.endswith(b"\r\n\r\n"):
            byte = client.recv(1)
            if not byte:
                client.close()
                return
            head += byte
        if head.split()[1].decode() not in (f"{HOST}:443", f"{API_HOST}:443"):
            self.mistakes.append(f"the proxy was asked for {head.split()[1]!r}")
            client.sendall(b"HTTP/1.1 502 Bad Gateway\r\nContent-Length: 0\r\n\r\n")
            client.close()
            return
        client.sendall(b"HTTP/1.1 200 Connection established\r\n\r\n")
        self._over_tls(authority, client)

    def _over_tls(self, authority, client):
        try:
            client = authority.context.wrap_socket(client, server_side=True)
        except (OSError, ssl.SSLError):
            client.close()
            return
        http1.Connection(client, self, True).serve()

    def handle(self, request):
        return self._handle_registry(request) if request.header("host") == HOST else self._handle_api(request)

    # -- permissions

    def _authorize(self, action, name=None, session=None):
        if session is not None:
            why = session.why_not(action, arn_of(name) if name else "*")
            if why:
                raise Failed("AccessDeniedException", why)
        elif action in self.denied or (self.allowed is not None and action not in self.allowed):
            arn = arn_of(name) if name else "*"
            why = self.why_denied.get(action, f"because no identity-based policy allows the {action} action")
            raise Failed("AccessDeniedException",
                         f"User: {ROLE} is not authorized to perform: {action} on resource: {arn} {why}")

    # -- API

    def _handle_api(self, request):
        with self.lock:
            fault = self.faults.pop(0) if self.faults else None
        action = request.header("x-amz-target").removeprefix(TARGET)
        try:
            parameters = json.loads(request.body)
        except ValueError:
            parameters = None
        self.asked.append((action, parameters))
        try:
            answer = fault() if fault else None
            if answer is None:
                answer = _answer(200, self._perform(request, action, parameters))
            return answer
        except sigv4.Refused as error:
            return _fail(Failed(SIGNATURE_CODES.get(error.code, "IncompleteSignatureException"), error.message))
        except Failed as error:
            return _fail(error)

    def _perform(self, request, action, parameters):
        operation = model()["operations"].get(action)
        calls = {"GetAuthorizationToken": lambda _: self._get_token(session),
                 "DescribeRepositories": self._describe_repositories, "CreateRepository": self._create,
                 "PutLifecyclePolicy": self._put_lifecycle,
                 "GetLifecyclePolicy": self._get_lifecycle, "DescribeImages": self._describe_images,
                 "BatchDeleteImage": self._delete_images}
        if (request.method, request.target, request.header("host")) != ("POST", "/", API_HOST):
            raise self._mistake(f"{request.method} {request.target} of {request.header('host')}")
        if request.header("content-type") != CONTENT_TYPE or operation is None or action not in calls:
            raise self._mistake(f"{request.header('content-type')}, {request.header('x-amz-target')!r}")
        session = self.find_session(sigv4.verify(request, self.find_keys, REGION, self.now(), "ecr").access)
        try:
            validate(operation["input"]["shape"], parameters)
        except Invalid as error:
            raise self._mistake(f"Invalid parameter {error}") from None
        if parameters.get("registryId", ACCOUNT) != ACCOUNT:
            raise self._mistake(f"registryId is {parameters['registryId']}")
        # The actions of a repository are allowed on it, and only then is it looked for.
        names = parameters.get("repositoryNames") or [parameters.get("repositoryName")]
        for name in names:
            self._authorize(f"ecr:{action}", name, session)
        if "repositoryName" in parameters and action != "CreateRepository":
            self._find(parameters["repositoryName"])
        answer = calls[action](parameters)
        validate(operation["output"]["shape"], answer, answer=True)
        return answer

    def _mistake(self, text):
        """What the program must never send: `mistakes` is to be empty."""
        self.mistakes.append(text)
        return Failed("InvalidParameterException", text)

    def _find(self, name):
        with self.lock:
            if name not in self.repositories:
                raise Failed("RepositoryNotFoundException", f"The repository with name '{name}' does not exist in the "
                                                            f"registry with id '{ACCOUNT}'")
            return self.repositories[name]

    def _get_token(self, session):
        password = "ey" + secrets.token_hex(200)
        with self.lock:
            self.sessions[password] = session
            self.tokens[password] = self.now() + self.token_seconds
            return {"authorizationData": [{"authorizationToken": base64.b64encode(f"AWS:{password}".encode()).decode(),
                                           "expiresAt": round(self.tokens[password], 3),
                                           "proxyEndpoint": f"https://{HOST}"}]}

    def _describe_repositories(self, parameters):
        names = parameters.get("repositoryNames", list(self.repositories))
        return {"repositories": [_record(self._find(name)) for name in names]}

    def _create(self, parameters):
        tags = parameters.get("tags", [])
        keys = [tag.get("Key") for tag in tags]
        if tags:
            self._authorize("ecr:TagResource", parameters["repositoryName"])
        bad = [key for key in keys if not key or key.lower().startswith("aws:") or len(key) > 128]
        if bad or len(set(keys)) != len(keys):
            raise Failed("InvalidTagParameterException", "Invalid parameter at 'tags' failed to satisfy constraint")
        if len(tags) > 50:
            raise Failed("TooManyTagsException", "Too many tags")
        encryption = parameters.get("encryptionConfiguration", {"encryptionType": "AES256"})
        if encryption["encryptionType"] == "AES256" and "kmsKey" in encryption:
            raise self._mistake("Invalid parameter at 'encryptionConfiguration': a key without KMS")
        if encryption["encryptionType"] == "KMS":
            self._authorize("kms:CreateGrant")
        with self.lock:
            return {"repository": _record(self.add(parameters["repositoryName"], **{
                key: parameters[key] for key in ("imageTagMutability", "imageScanningConfiguration", "tags") if
                key in parameters}, encryptionConfiguration=encryption))}

    def add(self, name, **settings):
        """Makes a repository, as its owner does."""
        with self.lock:
            if name in self.repositories:
                raise Failed("RepositoryAlreadyExistsException", f"The repository with name '{name}' already exists in "
                                                                 f"the registry with id '{ACCOUNT}'")
            self.repositories[name] = {
                "repositoryArn": arn_of(name), "registryId": ACCOUNT, "repositoryName": name,
                "repositoryUri": f"{HOST}/{name}", "createdAt": round(self.now(), 3), "imageTagMutability": "MUTABLE",
                "imageScanningConfiguration": {"scanOnPush": False},
                "encryptionConfiguration": {"encryptionType": "AES256"}, "tags": [], "lifecycle": None,
                **copy.deepcopy(settings)}
            self.pushed.setdefault(name, {})
            return self.repositories[name]

    # -- lifecycle

    def _put_lifecycle(self, parameters):
        text, name = parameters["lifecyclePolicyText"], parameters["repositoryName"]
        try:
            check_lifecycle(json.loads(text))
        except (Invalid, ValueError, KeyError, TypeError) as error:
            raise self._mistake(f"Invalid parameter at 'LifecyclePolicyText' failed to satisfy constraint: 'Lifecycle "
                                f"policy validation failure: {error}'") from None
        self._find(name)["lifecycle"] = text
        return {"registryId": ACCOUNT, "repositoryName": name, "lifecyclePolicyText": text}

    def _get_lifecycle(self, parameters):
        name = parameters["repositoryName"]
        text = self._find(name)["lifecycle"]
        if text is None:
            raise Failed("LifecyclePolicyNotFoundException", "Lifecycle policy does not exist for the repository with "
                                                             f"name '{name}' in the registry with id '{ACCOUNT}'")
        return {"registryId": ACCOUNT, "repositoryName": name, "lifecyclePolicyText": text}

    def expire(self, name, later=0):
        """What ECR does within 24 hours: applies the lifecycle, as of `later` seconds from now. Gives the digests that
        went. An image that one rule takes is not seen by those after it."""
        text = self._find(name)["lifecycle"]
        left, gone = self.images(name), []
        for rule in sorted(json.loads(text)["rules"] if text else [], key=lambda rule: rule["rulePriority"]):
            select = rule["selection"]
            found = [digest for digest in left if select["tagStatus"] == "any" or not left[digest]]
            found.sort(key=lambda digest: self.pushed[name][digest], reverse=True)
            if select["countType"] == "imageCountMoreThan":
                found = found[select["countNumber"]:]
            else:
                limit = self.now() + later - select["countNumber"] * 86400
                found = [digest for digest in found if self.pushed[name][digest] < limit]
            for digest in found:
                left.pop(digest)
                gone.append(digest)
        for digest in gone:
            self._remove_digest(name, digest)
        return gone

    # -- images

    def images(self, name):
        """{digest: its tags}"""
        tags = self.back.tags(name)
        return {digest: sorted(tag for tag, to in tags.items() if to == digest) for digest in self.pushed.get(name, {})}

    def _describe_images(self, parameters):
        name, images = parameters["repositoryName"], self.images(parameters["repositoryName"])
        asked = parameters.get("imageIds")
        found = images if asked is None else [self._digest_of(name, image) for image in asked]
        digests = list(dict.fromkeys(found))
        for image, digest in zip(asked or (), found):
            if digest is None:
                raise Failed("ImageNotFoundException",
                             f"The image with imageId {{imageDigest:'{image.get('imageDigest')}', "
                             f"imageTag:'{image.get('imageTag')}'}} does not exist within the repository with name "
                             f"'{name}' in the registry with id '{ACCOUNT}'")
        return {"imageDetails": [self._detail(name, digest, images[digest]) for digest in digests]}

    def _detail(self, name, digest, tags):
        manifest = json.loads(self.back.blob(digest))
        parts = [manifest["config"], *manifest["layers"]] if "config" in manifest else []
        detail = {"registryId": ACCOUNT, "repositoryName": name, "imageDigest": digest,
                  "imageSizeInBytes": sum(part["size"] for part in parts),
                  "imagePushedAt": round(self.pushed[name][digest], 3),
                  "imageManifestMediaType": manifest.get("mediaType", "application/vnd.oci.image.manifest.v1+json")}
        return {**detail, "imageTags": tags} if tags else detail

    def _digest_of(self, name, image):
        digest = image.get("imageDigest") or self.back.digest(name, image["imageTag"])
        return digest if digest in self.pushed[name] else None

    def _delete_images(self, parameters):
        name = parameters["repositoryName"]
        removed, failures = [], []
        for image in parameters["imageIds"]:
            try:
                removed += self._delete_image(name, image)
            except Failed as error:
                failures.append({"imageId": image, "failureCode": error.code, "failureReason": error.message})
        return {"imageIds": removed, "failures": failures}

    def _delete_image(self, name, image):
        if not re.fullmatch(r"sha256:[0-9a-f]{64}", image.get("imageDigest", "sha256:" + "0" * 64)):
            raise Failed("InvalidImageDigest", "Invalid request parameters: image digest should satisfy the regex "
                                               "'[a-zA-Z0-9-_+.]+:[a-fA-F0-9]+'")
        digest = self._digest_of(name, image)
        if digest is None:
            raise Failed("ImageNotFound", "Requested image not found")
        tags = self.images(name)[digest]
        by_tag = "imageDigest" not in image
        for other in self.pushed[name]:
            parts = json.loads(self.back.blob(other)).get("manifests", ())
            if digest in [part["digest"] for part in parts] and (not by_tag or tags == [image["imageTag"]]):
                raise Failed("ImageReferencedByManifestList",
                             f"Requested image referenced by manifest list: [{other}]")
        if by_tag and len(tags) > 1:
            shutil.rmtree(os.path.join(self.back.store, "repositories", name, "_manifests", "tags", image["imageTag"]))
            return [{"imageDigest": digest, "imageTag": image["imageTag"]}]
        self._remove_digest(name, digest)
        return [{"imageDigest": digest, "imageTag": tag} for tag in tags] or [{"imageDigest": digest}]

    def _remove_digest(self, name, digest):
        answer = self._ask(http1.Request("DELETE", f"/v2/{name}/manifests/{digest}", []))
        assert answer.status == 202, answer
        del self.pushed[name][digest]

    # -- registry

    def _handle_registry(self, request):
        with self.lock:
            fault = self.registry_faults.pop(0) if self.registry_faults else None
        try:
            answer = fault() if fault else None
            if answer is None:
                answer = self._serve(request)
        except Refused as error:
            document = {"errors": [{"code": error.code, "message": error.message}]}
            text = json.dumps(document) if error.code else error.message
            answer = http1.Response(error.status, text.encode(),
                                    [("Content-Type", "application/json; charset=utf-8"), *error.headers])
        entry = registry.Entry(request.method, request.target, answer.status, request.header("user-agent"))
        self.requests.append(entry)
        return answer

    def _serve(self, request):
        session = self._check_password(request)
        found = PATHS.fullmatch(request.path)
        if found is None:
            return self._ask(request)
        name, kind = found["name"], "uploads" if found["uploads"] else found["kind"]
        try:
            if (request.method, kind) in NEEDED:
                self._authorize(NEEDED[request.method, kind], name, session)
            self._find(name)
        except Failed as error:
            if error.code == "AccessDeniedException":
                raise Refused(403, "DENIED", error.message) from None
            raise Refused(404, "NAME_UNKNOWN", error.message) from None
        if request.method == "PATCH":
            self._patch(request, found["upload"])
        if (request.method, kind) == ("PUT", "manifests"):
            return self._put_manifest(request, name, found["reference"])
        if request.method == "DELETE" and kind != "uploads":
            raise Refused(405, "UNSUPPORTED", "Invalid parameter at 'DELETE' failed to satisfy constraint")
        return self._ask(request)

    def _check_password(self, request):
        """Gives the session that the token is of."""
        kind, _, value = request.header("authorization").partition(" ")
        user, _, password = base64.b64decode(value).decode(errors="replace").partition(":") if value else ("", "", "")
        if kind.lower() != "basic" or user != "AWS" or password not in self.tokens:
            raise Refused(401, "", "Not Authorized\n",
                          [("Www-Authenticate", f'Basic realm="https://{HOST}/",service="ecr.amazonaws.com"')])
        if self.tokens[password] <= self.now():
            raise Refused(403, "" if self.expired_is_text else "DENIED",
                          "Your authorization token has expired. Reauthenticate and try again.")
        return self.sessions[password]

    def expire_tokens(self):
        """All that were given have run out."""
        with self.lock:
            self.tokens = {password: 0 for password in self.tokens}

    def _patch(self, request, upload):
        with self.lock:
            if upload in self.patched:
                request.body = b""
            self.patched.add(upload)

    def _put_manifest(self, request, name, reference):
        with self.lock:
            is_tag = ":" not in reference
            if is_tag and self._find(name)["imageTagMutability"] == "IMMUTABLE" and self.back.digest(name, reference):
                raise Refused(400, "TAG_INVALID", f"The image tag '{reference}' already exists in the '{name}' "
                                                  "repository and cannot be overwritten because the tag is immutable.")
            answer = self._ask(request)
            if answer.status == 201:
                digest = dict((key.lower(), value) for key, value in answer.headers)["docker-content-digest"]
                self.pushed[name].setdefault(digest, self.now())
            return answer

    def _ask(self, request):
        """The registry behind."""
        headers = {key: value for key, value in request.headers if key not in HOP_BY_HOP}
        connection = http.client.HTTPConnection("127.0.0.1", self.back.port, timeout=60)
        try:
            connection.request(request.method, request.target, request.body or None,
                               {**headers, "Host": HOST, "X-Forwarded-Proto": "https"})
            answer = connection.getresponse()
            body = answer.read()
            kept = [(key, value) for key, value in answer.getheaders()
                    if key.lower() not in ("connection", "transfer-encoding")
                    and (key.lower() != "content-length" or request.method == "HEAD")]
            return http1.Response(answer.status, body, kept)
        finally:
            connection.close()


def arn_of(name):
    return f"arn:aws:ecr:{REGION}:{ACCOUNT}:repository/{name}"


def _record(repository):
    return {key: value for key, value in repository.items() if key not in ("tags", "lifecycle")}


def _answer(status, document, headers=()):
    return http1.Response(status, json.dumps(document).encode(), [
        ("Content-Type", CONTENT_TYPE), ("x-amzn-RequestId", str(uuid.uuid4())), *headers])


def _fail(error):
    return _answer(error.status, {"__type": error.code, "message": error.message})


# -- what may be put into faults


def throttled():
    return _fail(Failed("ThrottlingException", "Rate exceeded"))


def server_error():
    return _fail(Failed("ServerException", "These errors are usually caused by a server-side issue.", 500))


def expired_credentials():
    return _fail(Failed("ExpiredTokenException", "The security token included in the request is expired"))


def drop():
    raise http1.Drop
