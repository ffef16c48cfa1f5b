"""Systems Manager's GetParameter and Secrets Manager's GetSecretValue, as strict as AWS: the protocol, the signature with
the role's session token, the names. Both services answer at one place and are told apart by the Host header.

Source: the two services' API references, and the Smithy specification of AWS JSON 1.1.
"""

import base64
import json
import re
import threading
import time
import uuid

from . import ecs, http1, s3, sigv4

HOSTS = [f"{name}.{s3.REGION}.amazonaws.com" for name in ("ssm", "secretsmanager")]
CONTENT_TYPE = "application/x-amz-json-1.1"
CODES = {"ExpiredToken": "ExpiredTokenException", "InvalidToken": "UnrecognizedClientException",
         "InvalidAccessKeyId": "UnrecognizedClientException", "RequestTimeTooSkewed": "InvalidSignatureException",
         "SignatureDoesNotMatch": "InvalidSignatureException", "AccessDenied": "MissingAuthenticationTokenException",
         "AuthorizationHeaderMalformed": "InvalidSignatureException"}


class Failed(Exception):
    def __init__(self, code, message, status=400):
        super().__init__(status, code, message)
        self.status, self.code, self.message = status, code, message


class SecretServices:
    """`find_keys(access key)` gives the sigv4.Keys in force. `faults`: what happens first, a callable a request, which
    may raise http1.Drop, give an http1.Response, or None to go on."""

    def __init__(self, find_keys):
        self.find_keys = find_keys
        self.parameters, self.secrets = {}, {}
        self.denied, self.denied_keys = set(), set()  # names that the role may not read, or not decrypt
        self.faults, self.requests, self.mistakes = [], [], []
        self.lock = threading.Lock()
        self.now = time.time

    # -- what is kept

    def parameter(self, name, value):
        self.parameters[name] = value
        return f"arn:aws:ssm:{s3.REGION}:{ecs.ACCOUNT}:parameter/{name.lstrip('/')}"

    def secret(self, name, value, stage="AWSCURRENT"):
        """A text, bytes, or what becomes JSON. Gives the ARN."""
        arn = f"arn:aws:secretsmanager:{s3.REGION}:{ecs.ACCOUNT}:secret:{name}-AbCdEf"
        self.secrets.setdefault(arn, {})[stage] = value if isinstance(value, (str, bytes)) else json.dumps(value)
        return arn

    # -- service

    def handle(self, request):
        with self.lock:
            fault = self.faults.pop(0) if self.faults else None
            self.requests.append(request)
        answer = fault() if fault else None
        if answer is not None:
            return answer
        try:
            return self._answer(200, self._perform(request))
        except sigv4.Refused as error:
            return self._fail(Failed(CODES.get(error.code, "IncompleteSignature"), error.message))
        except Failed as error:
            return self._fail(error)

    def _perform(self, request):
        service, _, rest = request.header("host").partition(".")
        if service not in ("ssm", "secretsmanager") or rest != f"{s3.REGION}.amazonaws.com":
            raise self._mistake(f"Host is {request.header('host')}")
        if (request.method, request.target) != ("POST", "/"):
            raise self._mistake(f"{request.method} {request.target}")
        if request.header("content-type") != CONTENT_TYPE:
            raise self._mistake(f"Content-Type is {request.header('content-type')!r}")
        sigv4.verify(request, self.find_keys, s3.REGION, self.now(), service)
        body = json.loads(request.body)
        target = request.header("x-amz-target")
        if (service, target) == ("ssm", "AmazonSSM.GetParameter"):
            return self._get_parameter(**body)
        if (service, target) == ("secretsmanager", "secretsmanager.GetSecretValue"):
            return self._get_secret(**body)
        raise self._mistake(f"{target} at {service}")

    def _get_parameter(self, Name, WithDecryption=False):
        base = re.sub(r"^arn:aws:ssm:[^:]*:[^:]*:parameter", "", Name)
        name, _, selector = base.partition(":")
        name = name if name in self.parameters else name.lstrip("/") if name.lstrip("/") in self.parameters else name
        arn = f"arn:aws:ssm:{s3.REGION}:{ecs.ACCOUNT}:parameter/{name.lstrip('/')}"
        self._authorize(name, "ssm:GetParameter", arn)
        if name not in self.parameters or selector not in ("", "1", "live"):
            raise Failed("ParameterNotFound", "")
        if WithDecryption is not True:
            raise self._mistake("WithDecryption is not set")
        return {"Parameter": {"ARN": arn, "DataType": "text", "LastModifiedDate": 1.7e9, "Name": name,
                              "Type": "SecureString", "Value": self.parameters[name], "Version": 1}}

    def _get_secret(self, SecretId, VersionStage="AWSCURRENT", VersionId=None):
        arn = next((arn for arn in self.secrets
                    if SecretId in (arn, arn[:-7], arn[:-7].split(":secret:")[1])), SecretId)
        self._authorize(arn.split(":secret:")[-1][:-7] or SecretId, "secretsmanager:GetSecretValue", arn)
        stages = self.secrets.get(arn)
        if stages is None:
            raise Failed("ResourceNotFoundException", "Secrets Manager can't find the specified secret.")
        if VersionStage not in stages:
            raise Failed("ResourceNotFoundException",
                         "Secrets Manager can't find the specified secret value for staging label: " + VersionStage)
        value = stages[VersionStage]
        answer = {"ARN": arn, "CreatedDate": 1.7e9, "Name": arn[:-7].split(":secret:")[1],
                  "VersionId": VersionId or str(uuid.UUID(int=1)), "VersionStages": [VersionStage]}
        if isinstance(value, bytes):
            return {**answer, "SecretBinary": base64.b64encode(value).decode()}
        return {**answer, "SecretString": value}

    def _authorize(self, name, action, arn):
        if name in self.denied:
            user = f"arn:aws:sts::{ecs.ACCOUNT}:assumed-role/build/0123"
            raise Failed("AccessDeniedException",
                         f"User: {user} is not authorized to perform: {action} on resource: {arn} because no "
                         f"identity-based policy allows the {action} action")
        if name in self.denied_keys:
            raise Failed("AccessDeniedException",
                         "The ciphertext refers to a customer master key that does not exist, does not exist in this "
                         "region, or you are not allowed to access." if action.startswith("ssm:") else
                         "Access to KMS is not allowed")

    # -- answers

    def _mistake(self, text):
        """What the program must never send: `mistakes` is to be empty."""
        self.mistakes.append(text)
        return Failed("ValidationException", text)

    @staticmethod
    def _answer(status, document, headers=()):
        return http1.Response(status, json.dumps(document).encode(), [
            ("Content-Type", CONTENT_TYPE), ("x-amzn-RequestId", str(uuid.uuid4())), *headers])

    def _fail(self, error):
        return self._answer(error.status, {"__type": error.code, "message": error.message},
                            [("x-amzn-ErrorType", error.code)])


def fault(status, code="", message="", **headers):
    """An answer to be put into `faults`."""
    pairs = [(name.replace("_", "-"), value) for name, value in headers.items()]
    body = json.dumps({"__type": code, "message": message}).encode() if code else b"<html>not JSON</html>"
    return lambda: http1.Response(status, body, pairs)


def hang(seconds):
    def wait():
        time.sleep(seconds)
        raise http1.Drop
    return wait
