"""What stands before a server of an AWS API that takes more than AWS does: the protocol, the signature, the service's
published model (botocore's) and the limits that its reference names.

    gate.calls                                  # Call(operation, parameters, answer, error) of each request, in order
    gate.faults += [aws_gate.throttled, …]      # what happens first, a callable a request: it may raise http1.Drop, give
                                                # an http1.Response, or None to go on
    gate.lose = 2                               # so many requests take effect and are not answered
    gate.denied.add(arn)                        # the role may not
    gate.mistakes                               # what no client should have sent; to be empty

Sources: the API references of the services; the Smithy specifications of AWS JSON 1.0 and 1.1 and of AWS query.
"""

import json
import re
import threading
import time
import urllib.parse
import uuid
from dataclasses import dataclass
from xml.sax.saxutils import escape

from . import ecs, http1, s3, sigv4
from .ecr_model import Invalid, model, validate

FORM = "application/x-www-form-urlencoded; charset=utf-8"
KINDS = {"json-1.0": "application/x-amz-json-1.0", "json-1.1": "application/x-amz-json-1.1", "query": FORM}
JSON_CODES = {"ExpiredToken": "ExpiredTokenException", "InvalidToken": "UnrecognizedClientException",
              "InvalidAccessKeyId": "UnrecognizedClientException", "RequestTimeTooSkewed": "InvalidSignatureException",
              "SignatureDoesNotMatch": "InvalidSignatureException", "AccessDenied": "MissingAuthenticationTokenException",
              "AuthorizationHeaderMalformed": "InvalidSignatureException"}
QUERY_CODES = {"InvalidToken": "InvalidClientTokenId", "InvalidAccessKeyId": "InvalidClientTokenId",
               "AccessDenied": "MissingAuthenticationToken", "RequestTimeTooSkewed": "SignatureDoesNotMatch",
               "AuthorizationHeaderMalformed": "SignatureDoesNotMatch"}
MESSAGE_MAX = 256 * 1024
# What XML 1.0 takes, and so SQS and whoever delivers to it.
NO_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
FIFO_ID = re.compile(r"[A-Za-z0-9!\"#$%&'()*+,\-./:;<=>?@\[\\\]^_`{|}~]{1,128}")


class Failed(Exception):
    def __init__(self, code, message, status=400):
        super().__init__(status, code, message)
        self.status, self.code, self.message = status, code, message


@dataclass
class Call:
    operation: str
    parameters: dict
    answer: dict = None
    error: str = ""  # its code


class Gate:
    """One service. A subclass names it and performs: perform(operation, parameters) -> answer. operations: those that a
    job may call, {name: the action in policies}."""

    service = protocol = prefix = ""
    operations = {}

    def __init__(self, find_keys, authority):
        self.find_keys, self.authority = find_keys, authority
        self.host = f"{self.service}.{s3.REGION}.amazonaws.com"
        self.calls, self.faults, self.mistakes, self.denied, self.lose = [], [], [], set(), 0
        self.lock, self.now = threading.RLock(), time.time

    def services(self):
        """For Bed.start and Bed.network."""
        from .world import ADDRESSES

        return [(ADDRESSES[self.host], 443, http1.answerer(self, self.authority.context))]

    def perform(self, operation, parameters):
        raise NotImplementedError

    def resource(self, parameters):
        """The ARN that a call is about."""
        raise NotImplementedError

    # -- requests

    def handle(self, request):
        with self.lock:
            fault = self.faults.pop(0) if self.faults else None
        made = fault(self) if fault else None
        if made is not None:
            return made
        call = Call("", {})
        try:
            call.operation, call.parameters = self._read(request)
            with self.lock:  # one after the other, as a FIFO queue has them
                self.calls.append(call)
                self._authorize(call)
                call.answer = self.perform(call.operation, call.parameters)
                lost, self.lose = self.lose > 0, max(0, self.lose - 1)
        except sigv4.Refused as error:
            codes = QUERY_CODES if self.protocol == "query" else JSON_CODES
            return self.fail(Failed(codes.get(error.code, error.code), error.message, 403))
        except Failed as error:
            call.error = error.code
            return self.fail(error)
        if lost:
            raise http1.Drop
        return self.succeed(call)

    def _read(self, request):
        if (request.method, request.target, request.header("host")) != ("POST", "/", self.host):
            raise self.mistake(f"{request.method} {request.target} of {request.header('host')}")
        if request.header("content-type") != KINDS[self.protocol]:
            raise self.mistake(f"Content-Type is {request.header('content-type')!r}")
        if not request.tls:
            raise self.mistake("no TLS")
        sigv4.verify(request, self.find_keys, s3.REGION, self.now(), self.service)
        operation, parameters = (self._read_form if self.protocol == "query" else self._read_json)(request)
        if operation not in self.operations:
            raise self.mistake(f"the double knows no {operation}")
        try:
            validate(model(self.service)["operations"][operation]["input"]["shape"], parameters, service=self.service)
        except Invalid as error:
            raise self.mistake(f"1 validation error detected: {error}") from None
        return operation, parameters

    def _read_json(self, request):
        prefix, _, operation = request.header("x-amz-target").partition(".")
        if prefix != self.prefix:
            raise self.mistake(f"X-Amz-Target is {request.header('x-amz-target')!r}")
        try:
            return operation, json.loads(request.body.decode())
        except ValueError:
            raise self.mistake("not JSON in UTF-8") from None

    def _read_form(self, request):
        pairs = urllib.parse.parse_qsl(request.body.decode(), keep_blank_values=True, strict_parsing=True, errors="strict")
        flat = dict(pairs)
        if len(flat) != len(pairs) or flat.pop("Version", None) != model(self.service)["metadata"]["apiVersion"]:
            raise self.mistake("a parameter twice, or another version")
        return flat.pop("Action", None), _nested(flat)

    def _authorize(self, call):
        resource = self.resource(call.parameters)
        if resource in self.denied:
            user = f"arn:aws:sts::{ecs.ACCOUNT}:assumed-role/build/0123"
            action = self.operations[call.operation]
            code = "AuthorizationError" if self.protocol == "query" else "AccessDeniedException"
            why = (f"User: {user} is not authorized to perform: {action} on resource: {resource} because no "
                   f"identity-based policy allows the {action} action")
            raise Failed(code, why, 403 if self.protocol == "query" else 400)

    def mistake(self, text, code=None):
        """What the program must never send."""
        self.mistakes.append(text)
        return Failed(code or ("ValidationError" if self.protocol == "query" else "ValidationException"), text)

    # -- answers

    def succeed(self, call):
        if self.protocol != "query":
            return self._json(200, call.answer)
        namespace = model(self.service)["metadata"]["xmlNamespace"]
        return http1.Response(200, (
            f'<{call.operation}Response xmlns="{namespace}"><{call.operation}Result>{_xml(call.answer)}'
            f"</{call.operation}Result><ResponseMetadata><RequestId>{uuid.uuid4()}</RequestId></ResponseMetadata>"
            f"</{call.operation}Response>").encode(), [("Content-Type", "text/xml")])

    def fail(self, error):
        if self.protocol == "query":
            kind = "Sender" if error.status < 500 else "Receiver"
            return http1.Response(error.status, (
                f"<ErrorResponse><Error><Type>{kind}</Type><Code>{error.code}</Code><Message>{escape(error.message)}"
                f"</Message></Error><RequestId>{uuid.uuid4()}</RequestId></ErrorResponse>").encode(),
                [("Content-Type", "text/xml")])
        return self._json(error.status, {"__type": error.code, "message": error.message},
                          [("x-amzn-ErrorType", error.code)])

    def _json(self, status, document, headers=()):
        return http1.Response(status, json.dumps(document).encode(), [
            ("Content-Type", KINDS[self.protocol]), ("x-amzn-RequestId", str(uuid.uuid4())), *headers])

    def evidence(self):
        lines = [f"{call.operation} {json.dumps(call.parameters)[:400]} -> {call.error or call.answer}"
                 for call in self.calls[-20:]]
        return self.host, "\n".join(lines + self.mistakes)


def _nested(flat):
    """MessageAttributes.entry.1.Name=a … as {"MessageAttributes": {a: {…}}}; numbers must count from 1."""
    made, entries = {}, {}
    for name, value in flat.items():
        parts = name.split(".")
        if len(parts) == 1:
            made[name] = value
            continue
        if parts[1] != "entry" or parts[0] != "MessageAttributes":
            raise Failed("MalformedInput", f"the double knows no {name}")
        entries.setdefault(int(parts[2]), {})[".".join(parts[3:])] = value
    if entries:
        if sorted(entries) != list(range(1, len(entries) + 1)):
            raise Failed("MalformedInput", "entries are not numbered from 1")
        made["MessageAttributes"] = {
            entry["Name"]: {name.removeprefix("Value."): value for name, value in entry.items() if name != "Name"}
            for entry in entries.values()}
    return made


def _xml(value):
    if isinstance(value, dict):
        return "".join(f"<{name}>{_xml(part)}</{name}>" for name, part in value.items())
    return escape(str(value))


def attributes_size(attributes):
    return sum(len(name.encode()) + len(value["DataType"].encode()) + len(value.get("StringValue", "").encode())
               for name, value in attributes.items())


# -- what may be among the faults


def throttled(gate):
    code = {"query": "Throttling", "json-1.0": "RequestThrottled"}.get(gate.protocol, "ThrottlingException")
    return gate.fail(Failed(code, "Rate exceeded"))


def unavailable(gate):
    return http1.Response(503, b"<html>busy</html>")


def internal(gate):
    return gate.fail(Failed("InternalError" if gate.protocol == "query" else "InternalFailure", "We failed", 500))


def expired_credentials(gate):
    code = "ExpiredToken" if gate.protocol == "query" else "ExpiredTokenException"
    return gate.fail(Failed(code, "The security token included in the request is expired", 403))


def drop(gate):
    raise http1.Drop


def hang(seconds):
    def wait(gate):
        time.sleep(seconds)
        raise http1.Drop
    return wait
