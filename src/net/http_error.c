#include <errno.h>
#include <string.h>

#include "net/http_internal.h"

static void set(const struct http_failure *failure, struct error *err, const char *reason, const char *what)
{
    error_set(err, CLASS_PLATFORM, reason, "%s %s: %s", failure->method, failure->target, what);
}

static void explain_fault(const struct http_failure *failure, struct error *err)
{
    switch (failure->fault) {
    case HTTP_FAULT_RESPONSE_TOO_LARGE:
        error_set(err, CLASS_PLATFORM, "response-too-large", "%s %s: the answer is larger than %zu bytes",
                  failure->method, failure->target, failure->max_response);
        break;
    case HTTP_FAULT_HEADERS_TOO_LARGE:
        error_set(err, CLASS_PLATFORM, "response-too-large",
                  "%s %s: the answer's headers are larger than %d bytes or more than %d", failure->method,
                  failure->target, HTTP_MAX_HEADER_BYTES, HTTP_MAX_HEADERS);
        break;
    case HTTP_FAULT_BODY_UNREADABLE:
        set(failure, err, "body-unreadable", "the file to send is shorter than it was, or cannot be read");
        break;
    case HTTP_FAULT_STALLED:
        error_set(err, CLASS_PLATFORM, "timed-out", "%s %s: nothing was sent or received for %d ms", failure->method,
                  failure->target, failure->stall_ms);
        error_retryable(err, 0);
        break;
    case HTTP_FAULT_BAD_HEADER:
        error_set(err, CLASS_INTERNAL, "bad-header", "%s %s: a request header holds a line break", failure->method,
                  failure->target);
        break;
    case HTTP_FAULT_PRIVATE_ADDRESS:
        set(failure, err, "private-address", "it has a private address, and requests of this kind go to public ones");
        break;
    case HTTP_FAULT_OWN_ADDRESS:
        set(failure, err, "own-address",
            "it is at an address of this machine (loopback or link-local), where any program that runs here may "
            "answer");
        break;
    case HTTP_FAULT_NONE: break;
    }
}

static void explain_time(const struct http_failure *failure, struct error *err)
{
    curl_off_t connected = 0;

    curl_easy_getinfo(failure->easy, CURLINFO_PRETRANSFER_TIME_T, &connected);
    if (connected > 0 || (failure->timeout_ms && failure->timeout_ms <= failure->connect_timeout_ms))
        error_set(err, CLASS_PLATFORM, "timed-out", "%s %s: not done within %d ms", failure->method, failure->target,
                  failure->timeout_ms);
    else
        error_set(err, CLASS_PLATFORM, "timed-out", "%s %s: no connection within %d ms", failure->method,
                  failure->target, failure->connect_timeout_ms);
    error_retryable(err, 0);
}

/* A handshake that the network cut short passes by itself, one that was refused does not. */
static bool is_cut_handshake(const struct http_failure *failure)
{
    long number = 0;

    curl_easy_getinfo(failure->easy, CURLINFO_OS_ERRNO, &number);
    return number == ECONNRESET || number == EPIPE || number == ETIMEDOUT || strstr(failure->detail, "SYSCALL") ||
           strstr(failure->detail, "eset by peer") || strstr(failure->detail, "unexpected eof");
}

static const char *reason_of(const struct http_failure *failure)
{
    long redirects = 0;

    switch (failure->code) {
    case CURLE_COULDNT_RESOLVE_HOST:
    case CURLE_COULDNT_RESOLVE_PROXY: return "name-lookup-failed";
    case CURLE_COULDNT_CONNECT: return "connect-failed";
    case CURLE_SSL_CONNECT_ERROR: return is_cut_handshake(failure) ? "connection-lost" : "tls-failed";
    case CURLE_PEER_FAILED_VERIFICATION:
    case CURLE_SSL_CACERT_BADFILE:
    case CURLE_SSL_CERTPROBLEM:
    case CURLE_SSL_CIPHER:
    case CURLE_SSL_ENGINE_INITFAILED:
    case CURLE_USE_SSL_FAILED: return "tls-failed";
    case CURLE_SEND_ERROR:
    case CURLE_RECV_ERROR:
    case CURLE_GOT_NOTHING:
    case CURLE_PARTIAL_FILE:
    case CURLE_SEND_FAIL_REWIND: return "connection-lost";
    case CURLE_TOO_MANY_REDIRECTS: return "redirect-refused";
    case CURLE_UNSUPPORTED_PROTOCOL:
        curl_easy_getinfo(failure->easy, CURLINFO_REDIRECT_COUNT, &redirects);
        return failure->max_redirects && redirects ? "redirect-refused" : "bad-url";
    case CURLE_URL_MALFORMAT: return "bad-url";
    case CURLE_WEIRD_SERVER_REPLY: return "bad-response";
    default: return "request-failed";
    }
}

static void add_hint(struct error *err)
{
    if (strcmp(err->reason, "tls-failed") == 0)
        error_hint(err, "check the host name, the machine's clock and the CA bundle in use");
    else if (strcmp(err->reason, "name-lookup-failed") == 0 || strcmp(err->reason, "connect-failed") == 0)
        error_hint(err, "check the host name and port, the proxy, and whether the network lets this task reach it");
    else if (strcmp(err->reason, "redirect-refused") == 0)
        error_hint(err, "use the address that it redirects to");
}

void http_failure_explain(const struct http_failure *failure, struct error *err)
{
    const char *reason;

    if (failure->fault != HTTP_FAULT_NONE) {
        explain_fault(failure, err);
        return;
    }
    if (failure->code == CURLE_OPERATION_TIMEDOUT) {
        explain_time(failure, err);
        return;
    }
    reason = reason_of(failure);
    set(failure, err, reason, failure->detail[0] ? failure->detail : curl_easy_strerror(failure->code));
    if (strcmp(reason, "name-lookup-failed") == 0 || strcmp(reason, "connect-failed") == 0 ||
        strcmp(reason, "connection-lost") == 0)
        error_retryable(err, 0);
    add_hint(err);
}
