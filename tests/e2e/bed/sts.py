"""The Security Token Service's AssumeRole and GetCallerIdentity, in the region's own endpoint: SigV4 checked, parameters
validated by the service's published model (that of botocore), and sessions whose policies are kept, for who enforces them
(ecr.Ecr).

    sts = Sts(bed.gate.issued.get)
    sts.roles[ROLE] = Role()                           # trusts the task's role; may do everything
    sts.roles[ROLE] = Role(allowed={"ecr:…"}, trusts=False)

Sources: the service's API reference; the IAM guide on session policies and on how policies are evaluated.
"""

import fnmatch
import functools
import json
import secrets
import ssl
import threading
import time
import urllib.parse
import uuid
from dataclasses import dataclass
from xml.sax.saxutils import escape

from . import ecs, http1, s3, sigv4
from .ecr_model import Invalid, model, validate

REGION = s3.REGION
HOST = f"sts.{REGION}.amazonaws.com"
ADDRESSES = {HOST: "10.98.0.72"}
ROLE = f"arn:aws:iam::{ecs.ACCOUNT}:role/ci/pull"
TASK_ROLE = f"arn:aws:sts::{ecs.ACCOUNT}:assumed-role/build/0123"
CONTENT_TYPE = "application/x-www-form-urlencoded; charset=utf-8"
SESSION_SECONDS = 3600  # what a role may have at most that was assumed by a role
POLICY_MAX = 2048
NAMESPACE = 'xmlns="https://sts.amazonaws.com/doc/2011-06-15/"'
CODES = {"InvalidToken": "InvalidClientTokenId", "InvalidAccessKeyId": "InvalidClientTokenId",
         "AccessDenied": "MissingAuthenticationToken", "RequestTimeTooSkewed": "SignatureDoesNotMatch",
         "AuthorizationHeaderMalformed": "SignatureDoesNotMatch"}


class Failed(Exception):
    def __init__(self, code, message, status=400):
        super().__init__(status, code, message)
        self.status, self.code, self.message = status, code, message


@dataclass
class Role:
    allowed: set = None  # actions; None: all
    trusts: bool = True


@dataclass
class Session:
    role: Role
    arn: str
    policy: dict  # None: the role's permissions are all

    def why_not(self, action, resource):
        """None, or AWS's sentence: role and session policy must both allow it."""
        kinds = [("identity-based", self.role.allowed is None or action in self.role.allowed),
                 ("session", self.policy is None or _allows(self.policy, action, resource))]
        for kind, allowed in kinds:
            if not allowed:
                return (f"User: {self.arn} is not authorized to perform: {action} on resource: {resource} because no "
                        f"{kind} policy allows the {action} action")
        return None


def _listed(value):
    return value if isinstance(value, list) else [value]


def _allows(policy, action, resource):
    return any(statement["Effect"] == "Allow"
               and any(fnmatch.fnmatchcase(action.lower(), pattern.lower()) for pattern in _listed(statement["Action"]))
               and any(fnmatch.fnmatchcase(resource, pattern) for pattern in _listed(statement["Resource"]))
               for statement in policy["Statement"])


class Sts:
    """`find_keys(access key)` gives the sigv4.Keys of who may ask. issued: {access key: Keys} of the sessions,
    sessions: {access key: Session}. faults: what happens first, a callable a request, which may raise http1.Drop, give an
    http1.Response, or None to go on. mistakes: what no client should have sent."""

    def __init__(self, find_keys):
        self.find_keys, self.now = find_keys, time.time
        self.roles, self.issued, self.sessions = {}, {}, {}
        self.faults, self.asked, self.mistakes = [], [], []
        self.lock = threading.Lock()

    def services(self, authority):
        """For Bed.start and Bed.network: its host, within a task's network."""
        return [(ADDRESSES[HOST], 443, functools.partial(self._over_tls, authority))]

    def _over_tls(self, authority, client):
        try:
            client = authority.context.wrap_socket(client, server_side=True)
        except (OSError, ssl.SSLError):
            client.close()
            return
        http1.Connection(client, self, True).serve()

    def handle(self, request):
        with self.lock:
            fault = self.faults.pop(0) if self.faults else None
        try:
            return (fault() if fault else None) or self._perform(request)
        except sigv4.Refused as error:
            return _fail(Failed(CODES.get(error.code, error.code), error.message, 403))
        except Failed as error:
            return _fail(error)

    def _perform(self, request):
        if (request.method, request.target, request.header("host")) != ("POST", "/", HOST):
            raise self._mistake(f"{request.method} {request.target} of {request.header('host')}")
        if request.header("content-type") != CONTENT_TYPE or request.header("x-amz-target"):
            raise self._mistake(f"{request.header('content-type')}, {request.header('x-amz-target')!r}")
        sigv4.verify(request, self.find_keys, REGION, self.now(), "sts")
        pairs = urllib.parse.parse_qsl(request.body.decode(), keep_blank_values=True, strict_parsing=True)
        parameters = dict(pairs)
        self.asked.append(parameters)
        if len(parameters) != len(pairs) or parameters.pop("Version", None) != model("sts")["metadata"]["apiVersion"]:
            raise self._mistake("a parameter twice, or another version")
        action = parameters.pop("Action", None)
        if action not in ("AssumeRole", "GetCallerIdentity"):
            raise self._mistake(f"the double knows no {action}")
        try:
            validate(f"{action}Request", parameters, service="sts")
        except Invalid as error:
            raise self._mistake(f"1 validation error detected: {error}") from None
        return self._assume(**parameters) if action == "AssumeRole" else self._identify()

    def _identify(self):
        answer = {"UserId": "AROATEST:0123", "Account": ecs.ACCOUNT, "Arn": TASK_ROLE}
        validate("GetCallerIdentityResponse", answer, answer=True, service="sts")
        return _answer(200, f"<GetCallerIdentityResponse {NAMESPACE}><GetCallerIdentityResult>{_xml(answer)}"
                            f"</GetCallerIdentityResult><ResponseMetadata><RequestId>{uuid.uuid4()}</RequestId>"
                            "</ResponseMetadata></GetCallerIdentityResponse>")

    def _assume(self, RoleArn, RoleSessionName, Policy=None):
        role = self.roles.get(RoleArn)
        if role is None or not role.trusts:  # it does not say which
            raise Failed("AccessDenied", f"User: {TASK_ROLE} is not authorized to perform: sts:AssumeRole on resource: "
                                         f"{RoleArn}", 403)
        if Policy is not None and len(Policy) > POLICY_MAX:
            raise self._mistake("the policy is too long")
        keys = sigv4.Keys("ASIA" + secrets.token_hex(8).upper(), secrets.token_urlsafe(30), secrets.token_urlsafe(300),
                          self.now() + SESSION_SECONDS)
        arn = f"arn:aws:sts::{ecs.ACCOUNT}:assumed-role/{RoleArn.rpartition('/')[2]}/{RoleSessionName}"
        with self.lock:
            self.issued[keys.access] = keys
            self.sessions[keys.access] = Session(role, arn, _policy(Policy))
        answer = {"Credentials": {"AccessKeyId": keys.access, "SecretAccessKey": keys.secret,
                                  "SessionToken": keys.token, "Expiration": keys.expires},
                  "AssumedRoleUser": {"AssumedRoleId": f"AROATEST:{RoleSessionName}", "Arn": arn},
                  "PackedPolicySize": 12}
        validate("AssumeRoleResponse", answer, answer=True, service="sts")
        answer["Credentials"]["Expiration"] = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(keys.expires))
        return _answer(200, f"<AssumeRoleResponse {NAMESPACE}><AssumeRoleResult>{_xml(answer)}</AssumeRoleResult>"
                            f"<ResponseMetadata><RequestId>{uuid.uuid4()}</RequestId></ResponseMetadata>"
                            "</AssumeRoleResponse>")

    def _mistake(self, text):
        """What the program must never send: `mistakes` is to be empty."""
        self.mistakes.append(text)
        return Failed("ValidationError", text)


def _policy(text):
    if text is None:
        return None
    try:
        policy = json.loads(text)
        if policy["Version"] != "2012-10-17" or set(policy) != {"Version", "Statement"}:
            raise ValueError
        for statement in policy["Statement"]:
            if set(statement) != {"Effect", "Action", "Resource"} or statement["Effect"] != "Allow":
                raise ValueError
        return policy
    except (ValueError, KeyError, TypeError):
        raise Failed("MalformedPolicyDocument", "Syntax errors in policy.") from None


def _xml(value):
    if isinstance(value, dict):
        return "".join(f"<{name}>{_xml(part)}</{name}>" for name, part in value.items())
    return escape(str(value))


def _answer(status, text):
    return http1.Response(status, text.encode(), [("Content-Type", "text/xml")])


def _fail(error):
    return _answer(error.status, f"<ErrorResponse {NAMESPACE}><Error><Type>Sender</Type><Code>{error.code}</Code>"
                                 f"<Message>{escape(error.message)}</Message></Error>"
                                 f"<RequestId>{uuid.uuid4()}</RequestId></ErrorResponse>")


# -- what may be put into faults


def throttled():
    return _fail(Failed("Throttling", "Rate exceeded"))


def unavailable():
    return http1.Response(503, b"<html>busy</html>")


def expired_credentials():
    return _fail(Failed("ExpiredToken", "The security token included in the request is expired", 403))


def drop():
    raise http1.Drop
