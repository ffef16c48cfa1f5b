/* The ETags of a multipart upload's parts and what is made of them. For aws/ only. */
#ifndef CAISSON_AWS_S3_PARTS_H
#define CAISSON_AWS_S3_PARTS_H

#include <stdbool.h>
#include <stdint.h>

#include "core/buf.h"

#define S3_PARTS_DOCUMENT_MAX ((size_t)4 << 20)
#define S3_PARTS_ETAG_SIZE 64

struct s3_parts {
    char **etags; /* with their quotes; NULL until known */
    int64_t count;
};
void s3_parts_init(struct s3_parts *parts, int64_t count);
void s3_parts_dispose(struct s3_parts *parts);
/* 0, or -1 when it cannot be an ETag. */
int s3_parts_set(struct s3_parts *parts, int64_t index, const char *etag);
/* The body of CompleteMultipartUpload. All parts are known. */
void s3_parts_document(const struct s3_parts *parts, int64_t count, struct buf *out);
/* The ETag, with its quotes, that the whole will have when those of its parts are MD5 sums; false when they are not. */
bool s3_parts_etag(const struct s3_parts *parts, int64_t count, char etag[S3_PARTS_ETAG_SIZE]);

#endif
