/*
 * The S3 calls that we use, as data: fill a struct s3_call, start it (many at once) or perform it. Signing, retries
 * (backoff with full jitter; 503 SlowDown, 500, 429, RequestTimeout, broken connections), a common pace once S3 has
 * said SlowDown (net/pace.h), one correction of clock skew from the server's Date (RequestTimeTooSkewed), renewal of
 * expired credentials and the reading of error documents happen here, once for everything.
 * https://docs.aws.amazon.com/AmazonS3/latest/API/API_Operations_Amazon_Simple_Storage_Service.html
 */
#ifndef CAISSON_AWS_S3_H
#define CAISSON_AWS_S3_H

#include "aws/credentials.h"
#include "core/error.h"
#include "net/http.h"

struct s3_options {
    const char *bucket;
    const char *region;   /* NULL or "auto": us-east-1, unless the endpoint (or S3, when first called) says otherwise */
    const char *endpoint; /* "https://host[:port]"; NULL: AWS's own of the region */
    bool path_style;      /* bucket in the path; forced for bucket names with dots under https and for IP endpoints */
    int max_attempts;     /* 0: 5 */
    int64_t patience_ms;  /* SlowDown and the like count as no attempt, as long as S3 has taken any request within this
                           * time. 0: they count */
};

struct s3;
/* client and provider are borrowed; options are copied. */
int s3_new(struct s3 **s3, struct http_client *client, struct credentials_provider *provider,
           const struct s3_options *options, struct error *err);
void s3_free(struct s3 *s3);
/* "s3://bucket/key" for messages and results. Caller frees with free. */
char *s3_uri(const struct s3 *s3, const char *key);
/* The region that is signed for: the options', until S3 has named another. Borrowed. */
const char *s3_region(const struct s3 *s3);
/* Requests made so far, retries included, and how often a server asked us to slow down. */
struct s3_stats {
    uint64_t requests, retries, slow_downs;
    double pace; /* requests a second that may be sent now; 0: no limit */
};
struct s3_stats s3_stats(const struct s3 *s3);

struct s3_call {
    const char *method;     /* "PUT", "GET", "HEAD", "DELETE", "POST" */
    const char *key;        /* not encoded, without a leading slash; NULL: the bucket itself */
    const char *query;      /* encoded, e.g. "uploads="; NULL: none */
    struct strings headers; /* more headers: "Content-Type: …", "If-None-Match: *" */
    struct view body;       /* borrowed until done */
    int body_fd;            /* -1: none; borrowed; read from body_offset */
    int64_t body_offset, body_length;
    const char *body_sha256; /* hex; NULL: computed here from `body`; for a body_fd over https UNSIGNED-PAYLOAD,
                                 * over http it is computed by reading the file first */
    size_t max_response;     /* 0: 64 KiB */
    /* filled by the call */
    struct http_response response;
    int64_t sent_ms; /* monotonic: when it was sent last */
    int attempts;    /* requests sent; curl repeats one by itself when a kept connection turns out closed,
                                 * so a condition may always have failed because an earlier sending of the same call
                                 * had succeeded and its answer was lost: look before believing in a rival */
};
void s3_call_init(struct s3_call *call, const char *method, const char *key);
void s3_call_dispose(struct s3_call *call);

struct s3_operation;
/* Starts it; done gets NULL on 2xx, else the error: class CLASS_UPLOAD_FAILED, reasons "access-denied",
 * "no-such-bucket", "no-such-key", "no-such-upload", "precondition-failed" (412), "conflict" (409), "not-modified",
 * "slow-down", "server-error", "wrong-region", "clock-skew", "content-mismatch" (what came is not what was signed),
 * "file-changed" (shorter than it was), "request-refused", and those of net/http.h; CLASS_CREDENTIALS for those of
 * aws/credentials.h, "credentials-refused" and "expired-token". The message names the call, the URI, S3's code and
 * message, the request id. Strings, body and descriptor of the call are borrowed until done. */
struct s3_operation *s3_start(struct s3 *s3, struct s3_call *call,
                              void (*done)(void *context, const struct error *error), void *context);
/* Whether it waits, for its turn or to be sent again: nothing of it is on its way. */
bool s3_is_idle(const struct s3_operation *operation);
/* Ends it without calling done. NULL is fine. */
void s3_cancel(struct s3_operation *operation);
/* Starts one and pumps the loop. */
int s3_perform(struct s3 *s3, struct s3_call *call, struct error *err);
/* ETag of an answer with its quotes, borrowed; NULL when absent. */
const char *s3_etag(const struct s3_call *call);

/* Splits "s3://bucket/some/key" (key may be ""); 0 or CLASS_USAGE. Caller frees both with free. */
int s3_uri_parse(const char *uri, char **bucket, char **key, struct error *err);

/* Reads an error document (aws/xml.h). Fields may stay empty. */
struct s3_error_document {
    char code[64], message[512], request_id[64], region[32], server_time[40];
};
void s3_error_parse(struct view body, struct s3_error_document *document);

#endif
