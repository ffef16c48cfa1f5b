/*
 * Publishing a folder of files to a folder or an S3 prefix, by the rules of the design ("Publishing"): claim first,
 * phase 1 (new keys only), phase 2 (overwrites, pages last, removals, manifest: the point of no return). The source
 * folder is hostile. It runs in a child of its own (job/publish_worker.c), so request and result have a JSON form, and
 * what it has to say on the way goes through a reporter.
 */
#ifndef CAISSON_PUBLISH_PUBLISH_H
#define CAISSON_PUBLISH_PUBLISH_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "aws/credentials.h"
#include "core/error.h"
#include "core/strings.h"
#include "net/http.h"

enum publish_mode { PUBLISH_ADD, PUBLISH_MIRROR };

struct publish_header_rule {
    char *match;         /* glob over the path beneath the output: *, **, ?, [..], {a,b} */
    char *cache_control; /* each NULL: not set by this rule */
    char *content_type;
    char *content_disposition;
    char *content_language;
};

struct publish_request {
    char *from;        /* absolute path of the folder */
    char *root;        /* absolute path that `from` must lie beneath: the checkout */
    dev_t root_device; /* which folder that is: a build that is root can put another one there */
    ino_t root_inode;  /* 0: any */
    char *to;          /* "s3://bucket/prefix/" or "file:/absolute/folder" */
    enum publish_mode mode;
    bool adopt;             /* mirror: take over a prefix that another builder filled */
    struct strings include; /* globs; empty: all */
    struct strings exclude;
    struct publish_header_rule *headers; /* first match wins */
    size_t headers_len;

    char *job_id;
    int64_t created_at_ms; /* wall time, orders publishes; 0: nobody says, so it is when the job began */
    int64_t began_ms;      /* monotonic */

    char *endpoint; /* S3: NULL: AWS's own */
    char *region;
    bool path_style;
    char *ca_bundle, *proxy, *no_proxy;
    struct credentials_source credentials;

    uid_t build_uid;  /* whose the output is, when we are root; (uid_t)-1: we are not */
    uid_t reader_uid; /* with this fsuid it is opened; (uid_t)-1: with our own */
    gid_t reader_gid;
    int64_t max_bytes;           /* limits.output; 0: none */
    struct strings secrets;      /* values that must not be published */
    struct strings secret_names; /* of each; an error tells the name, never the value */
};
void publish_request_init(struct publish_request *request);
void publish_request_dispose(struct publish_request *request); /* wipes */
json_t *publish_request_to_json(const struct publish_request *request);
int publish_request_from_json(struct publish_request *request, const json_t *json, struct error *err);

struct publish_result {
    int64_t files, bytes; /* of the output as published */
    int64_t written, unchanged, removed;
    int64_t requests; /* to S3, retries included */
    int64_t retries;
    int64_t duration_ms;
    bool ordered;    /* false: the manifest's key was denied, add went on without ordering */
    char digest[72]; /* "sha256:…" over the sorted list of paths and their hashes */
    char *url;       /* "s3://bucket/prefix/" or "file:///…" */
};
void publish_result_dispose(struct publish_result *result);
json_t *publish_result_to_json(const struct publish_result *result);
int publish_result_from_json(struct publish_result *result, const json_t *json, struct error *err);

struct publish_reporter {
    void (*info)(void *context, const char *text);
    void (*warning)(void *context, const char *text);
    void (*progress)(void *context, const char *text); /* "uploading 812 of 1,626 files, 14.2 of 29.7 MiB" */
    void (*committing)(void *context);                 /* phase 2 begins: the point of no return */
    void *context;
};

/*
 * `stop` is looked at up to the point of no return: once it is true nothing that anyone sees is published and the
 * error is CLASS_INTERRUPTED, reason "stopped-before-publish". Classes else: CLASS_NO_OUTPUT (missing or empty folder),
 * CLASS_OUTPUT_REFUSED, CLASS_UPLOAD_FAILED, CLASS_SUPERSEDED, CLASS_CREDENTIALS, CLASS_DISK_FULL.
 */
int publish(struct loop *loop, const struct publish_request *request, const struct publish_reporter *reporter,
            const bool *stop, struct publish_result *result, struct error *err);

#endif
