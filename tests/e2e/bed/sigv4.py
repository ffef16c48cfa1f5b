"""AWS Signature Version 4: signs requests of the tests and verifies those of the program, strictly.

Source of the rules: AWS General Reference, "Create a signed AWS API request".
"""

import calendar
import hashlib
import hmac
import re
import time
import urllib.parse
from dataclasses import dataclass

MAX_SKEW_S = 900
UNSIGNED = "UNSIGNED-PAYLOAD"
AUTHORIZATION = re.compile(
    r"AWS4-HMAC-SHA256 Credential=([^/,\s]+)/(\d{8})/([^/,]+)/([^/,]+)/aws4_request, ?"
    r"SignedHeaders=([a-z0-9;-]+), ?Signature=([0-9a-f]{64})"
)


class Refused(Exception):
    """A request that AWS would refuse: status, code, message."""

    def __init__(self, status, code, message):
        super().__init__(status, code, message)
        self.status, self.code, self.message = status, code, message


@dataclass
class Keys:
    access: str
    secret: str
    token: str = ""
    expires: float = float("inf")  # seconds since the epoch


def _hmac(key, text):
    return hmac.new(key, text.encode(), hashlib.sha256).digest()


def _encode(text):
    return urllib.parse.quote(text, safe="-_.~")


def canonical_query(pairs):
    return "&".join(f"{name}={value}" for name, value in sorted((_encode(n), _encode(v)) for n, v in pairs))


def canonical_path(path):
    return urllib.parse.quote(urllib.parse.unquote(path), safe="/-_.~") or "/"


def signature(secret, stamp, region, service, canonical):
    scope = f"{stamp[:8]}/{region}/{service}/aws4_request"
    key = ("AWS4" + secret).encode()
    for part in scope.split("/"):
        key = _hmac(key, part)
    text = "\n".join(["AWS4-HMAC-SHA256", stamp, scope, hashlib.sha256(canonical.encode()).hexdigest()])
    return hmac.new(key, text.encode(), hashlib.sha256).hexdigest()


def canonical_request(method, path, query, headers, names, payload):
    lines = []
    for name in names:
        values = [" ".join(value.split()) for key, value in headers if key.lower() == name]
        lines.append(f"{name}:{','.join(values)}\n")
    return "\n".join([method, canonical_path(path), canonical_query(query), "".join(lines), ";".join(names), payload])


def sign(keys, region, method, host, path, query=(), headers=(), body=b"", now=None, service="s3"):
    """The complete header list of a signed request. `path` is not yet percent-encoded."""
    stamp = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime(time.time() if now is None else now))
    payload = hashlib.sha256(body).hexdigest()
    all_headers = [("host", host), ("x-amz-date", stamp), ("x-amz-content-sha256", payload), *headers]
    if keys.token:
        all_headers.append(("x-amz-security-token", keys.token))
    names = sorted({name.lower() for name, _ in all_headers})
    canonical = canonical_request(method, _quote_path(path), query, all_headers, names, payload)
    value = signature(keys.secret, stamp, region, service, canonical)
    scope = f"{stamp[:8]}/{region}/{service}/aws4_request"
    all_headers.append((
        "authorization",
        f"AWS4-HMAC-SHA256 Credential={keys.access}/{scope}, SignedHeaders={';'.join(names)}, Signature={value}",
    ))
    return all_headers


def _quote_path(path):
    return urllib.parse.quote(path, safe="/-_.~")


def verify(request, find_keys, region, now, service="s3"):
    """Raises Refused, with S3's codes, unless the request is signed as the service demands; returns the Keys that
    signed it. Other services than S3 know no header for the body's hash: they hash what comes.

    `find_keys(access_key)` gives Keys or None.
    """
    match = AUTHORIZATION.fullmatch(request.header("authorization"))
    if match is None:
        raise Refused(403, "AccessDenied", "Access Denied: no Signature Version 4 in the Authorization header")
    access, day, scope_region, scope_service, names, given = match.groups()
    keys = find_keys(access)
    if keys is None:
        raise Refused(403, "InvalidAccessKeyId", "The AWS Access Key Id you provided does not exist in our records.")
    stamp = request.header("x-amz-date")
    _check_scope(stamp, day, scope_region, scope_service, region, now, service)
    _check_signed_headers(request, names.split(";"))
    payload = _check_payload(request) if service == "s3" else hashlib.sha256(request.body).hexdigest()
    canonical = canonical_request(request.method, request.path, request.query, request.headers, names.split(";"),
                                  payload)
    wanted = signature(keys.secret, stamp, region, service, canonical)
    if not hmac.compare_digest(wanted, given):
        raise Refused(403, "SignatureDoesNotMatch", "The request signature we calculated does not match: " + canonical)
    if request.header("x-amz-security-token") != keys.token:
        raise Refused(400, "InvalidToken", "The provided token is malformed or otherwise invalid.")
    if now >= keys.expires:
        raise Refused(400, "ExpiredToken", "The provided token has expired.")
    return keys


def _check_scope(stamp, day, scope_region, scope_service, region, now, service):
    if not re.fullmatch(r"\d{8}T\d{6}Z", stamp) or stamp[:8] != day:
        raise Refused(403, "AccessDenied", "X-Amz-Date is missing or is not of the day in the credential scope")
    if abs(calendar.timegm(time.strptime(stamp, "%Y%m%dT%H%M%SZ")) - now) > MAX_SKEW_S:
        raise Refused(403, "RequestTimeTooSkewed", "The difference between the request time and ours is too large.")
    if scope_service != service:
        raise Refused(400, "AuthorizationHeaderMalformed", f"The service '{scope_service}' is wrong; expecting '{service}'")
    if scope_region != region:
        raise Refused(400, "AuthorizationHeaderMalformed", f"The region '{scope_region}' is wrong; expected '{region}'")


def _check_signed_headers(request, names):
    if names != sorted(set(names)) or "host" not in names:
        raise Refused(403, "SignatureDoesNotMatch", "SignedHeaders must be sorted, unique and contain host")
    for name, _ in request.headers:
        if (name.startswith("x-amz-") or name == "content-md5") and name not in names:
            raise Refused(403, "AccessDenied", f"There were headers present which were not signed: {name}")


def _check_payload(request):
    payload = request.header("x-amz-content-sha256")
    if payload == UNSIGNED:
        return payload
    if not re.fullmatch(r"[0-9a-f]{64}", payload):
        raise Refused(400, "InvalidRequest", f"x-amz-content-sha256 is {payload!r}: missing or not supported here")
    if hashlib.sha256(request.body).hexdigest() != payload:
        raise Refused(400, "XAmzContentSHA256Mismatch", "The x-amz-content-sha256 header does not match the body.")
    return payload
