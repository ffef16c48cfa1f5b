/*
 * One object in several parts, as one asynchronous operation over s3_call: CreateMultipartUpload, UploadPart (several
 * at once, each with S3's retries), CompleteMultipartUpload; AbortMultipartUpload when any of it fails or is cancelled.
 * A Complete that answers 200 with an error document inside is an error. A file that turns out shorter than `size` is
 * one too (reason "file-changed").
 * https://docs.aws.amazon.com/AmazonS3/latest/userguide/mpuoverview.html
 *
 * Life cycle: s3_upload_start … done, or s3_upload_cancel. Aborts run on by themselves; s3_drain waits for them.
 */
#ifndef CAISSON_AWS_S3_MULTIPART_H
#define CAISSON_AWS_S3_MULTIPART_H

#include "aws/s3.h"
#include "aws/sign.h"
#include "core/strings.h"

#define S3_PART_MIN ((int64_t)5 << 20) /* of all parts but the last */
#define S3_PART_DEFAULT ((int64_t)8 << 20)
#define S3_PARTS_MAX 10000

struct s3_upload_options {
    const char *key;                  /* not encoded; copied */
    const struct strings *headers;    /* of the object, "Content-Type: …"; NULL: none; copied */
    const struct strings *conditions; /* of the Complete: "If-None-Match: *" or "If-Match: …"; NULL: none; copied */
    int fd;                           /* borrowed until done; -1: `body` */
    int64_t offset, size;             /* of the bytes in fd */
    struct view body;                 /* borrowed until done; for small ones */
    int64_t part_size;                /* 0: s3_part_size(size) */
    int concurrency;                  /* parts at once; 0: 4 */
    bool unsigned_parts;              /* over https: UNSIGNED-PAYLOAD, the file is read once; else each part is hashed
                                         * first, so that S3 refuses one that changes in between */
    const char (*part_sha256)[SHA256_HEX_SIZE]; /* of all parts (s3_part_count), when known; borrowed until done */
};
void s3_upload_options_init(struct s3_upload_options *options, const char *key);

/* The size that keeps a file of so many bytes within S3_PARTS_MAX parts: S3_PART_DEFAULT or a multiple of 1 MiB. */
int64_t s3_part_size(int64_t size);
/* At least 1: an empty object has one empty part. */
int64_t s3_part_count(int64_t size, int64_t part_size);

struct s3_upload;
/* `etag` with its quotes (borrowed, "…-N") and error NULL, or etag NULL and the error. Errors as s3_start's; for a
 * failed condition "precondition-failed". */
struct s3_upload *s3_upload_start(struct s3 *s3, const struct s3_upload_options *options,
                                  void (*done)(void *context, const char *etag, const struct error *error),
                                  void *context);
/* Bytes of the parts that are done, for progress. */
int64_t s3_upload_bytes(const struct s3_upload *upload);
/* Ends it without calling done and aborts it at S3. NULL is fine. */
void s3_upload_cancel(struct s3_upload *upload);

/* Pumps the loop until no abort is under way, at most timeout_ms. s3_free gives up those that still are. */
void s3_drain(struct s3 *s3, int64_t timeout_ms);

#endif
