/* What the tests of publishing share: an output folder to write, a request about it, and how a publish ended. */
#ifndef CAISSON_TESTS_PUBLISH_BED_H
#define CAISSON_TESTS_PUBLISH_BED_H

#include "core/buf.h"
#include "publish/publish.h"
#include "support/versitygw.h"

struct publish_bed {
    char *folder; /* temporary; <folder>/site is the output, <folder>/www/site a folder target */
    struct loop *loop;
    struct versitygw server; /* only after publish_bed_s3 */
    bool has_server;
    /* of the last publish */
    struct publish_result result;
    struct error error;
    struct strings said; /* infos and warnings */
    int committing, progress;
    bool stop;
    bool *stop_at_committing; /* set to true when the point of no return is said */
};
void publish_bed_init(struct publish_bed *bed);
void publish_bed_dispose(struct publish_bed *bed);
/* Starts the S3 server; false when its program is not there. */
bool publish_bed_s3(struct publish_bed *bed);

/* Writes <folder>/<path> with its folders. */
void bed_write(const struct publish_bed *bed, const char *path, const char *text);
void bed_write_size(const struct publish_bed *bed, const char *path, size_t size, int seed);
void bed_remove(const struct publish_bed *bed, const char *path);
/* "" when it is not there. Caller frees. */
char *bed_read(const struct publish_bed *bed, const char *path);
bool bed_exists(const struct publish_bed *bed, const char *path);
/* Sorted "path=content\n" of all files beneath <folder>/<path>. Caller frees. */
char *bed_tree(const struct publish_bed *bed, const char *path);
/* The same for the objects below a prefix of the server's bucket. */
char *bed_objects(const struct publish_bed *bed, const char *prefix);
/* Where an object lies on the server's disk, relative to nothing. Caller frees. */
char *bed_object_path(const struct publish_bed *bed, const char *key);

/* A request for the output: to the folder target, or to the prefix of the server. Caller disposes. */
void bed_request(const struct publish_bed *bed, struct publish_request *request, const char *job, int64_t created_at_ms,
                 enum publish_mode mode);
void bed_request_s3(const struct publish_bed *bed, struct publish_request *request, const char *prefix, const char *job,
                    int64_t created_at_ms, enum publish_mode mode);
/* Publishes and disposes of the request; "" or the reason of its error. Result, error and messages are in the bed. */
const char *bed_publish(struct publish_bed *bed, struct publish_request *request);

#define BED_TIME ((int64_t)1767960000000) /* 2026-01-09T12:00:00Z */

#endif
