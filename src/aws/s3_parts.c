#include "aws/s3_parts.h"

#include <ctype.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "aws/s3_multipart.h"
#include "core/mem.h"

#define ETAG_MAX 128
#define MD5_SIZE 16

void s3_upload_options_init(struct s3_upload_options *options, const char *key)
{
    *options = (struct s3_upload_options){.key = key, .fd = -1};
}

int64_t s3_part_size(int64_t size)
{
    int64_t least = (size + S3_PARTS_MAX - 1) / S3_PARTS_MAX;
    int64_t mebibyte = (int64_t)1 << 20;

    return least <= S3_PART_DEFAULT ? S3_PART_DEFAULT : (least + mebibyte - 1) / mebibyte * mebibyte;
}

int64_t s3_part_count(int64_t size, int64_t part_size)
{
    return size > 0 ? (size + part_size - 1) / part_size : 1;
}

void s3_parts_init(struct s3_parts *parts, int64_t count)
{
    *parts = (struct s3_parts){.etags = xcalloc((size_t)count, sizeof *parts->etags), .count = count};
}

void s3_parts_dispose(struct s3_parts *parts)
{
    int64_t i;

    for (i = 0; i < parts->count; i++)
        free(parts->etags[i]);
    free(parts->etags);
    *parts = (struct s3_parts){0};
}

int s3_parts_set(struct s3_parts *parts, int64_t index, const char *etag)
{
    size_t len = strlen(etag);
    size_t i;

    /* It goes into an XML document as it is. */
    if (!len || len > ETAG_MAX)
        return -1;
    for (i = 0; i < len; i++)
        if (etag[i] <= ' ' || etag[i] > '~' || strchr("<>&", etag[i]))
            return -1;
    free(parts->etags[index]);
    parts->etags[index] = xstrdup(etag);
    return 0;
}

void s3_parts_document(const struct s3_parts *parts, int64_t count, struct buf *out)
{
    int64_t i;

    buf_reset(out);
    buf_adds(out, "<CompleteMultipartUpload xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\">");
    for (i = 0; i < count; i++)
        buf_addf(out, "<Part><PartNumber>%lld</PartNumber><ETag>%s</ETag></Part>", (long long)i + 1, parts->etags[i]);
    buf_adds(out, "</CompleteMultipartUpload>");
}

/* "\"32 hex digits\"" as bytes. */
static bool read_md5(const char *etag, unsigned char md5[MD5_SIZE])
{
    size_t i;

    if (!etag || strlen(etag) != 2 + 2 * MD5_SIZE || etag[0] != '"' || etag[1 + 2 * MD5_SIZE] != '"')
        return false;
    for (i = 0; i < MD5_SIZE; i++) {
        char digits[3] = {etag[1 + 2 * i], etag[2 + 2 * i], '\0'};

        if (!isxdigit((unsigned char)digits[0]) || !isxdigit((unsigned char)digits[1]))
            return false;
        md5[i] = (unsigned char)strtol(digits, NULL, 16);
    }
    return true;
}

bool s3_parts_etag(const struct s3_parts *parts, int64_t count, char etag[S3_PARTS_ETAG_SIZE])
{
    unsigned char *sums = xcalloc((size_t)count, MD5_SIZE);
    unsigned char whole[EVP_MAX_MD_SIZE];
    bool known = true;
    size_t used;
    int64_t i;

    for (i = 0; i < count && known; i++)
        known = read_md5(parts->etags[i], sums + i * MD5_SIZE);
    /* Not for security: S3's own way to name a multipart object. */
    known = known && EVP_Digest(sums, (size_t)count * MD5_SIZE, whole, NULL, EVP_md5(), NULL) == 1;
    free(sums);
    if (!known)
        return false;
    used = (size_t)snprintf(etag, S3_PARTS_ETAG_SIZE, "\"");
    for (i = 0; i < MD5_SIZE; i++)
        used += (size_t)snprintf(etag + used, S3_PARTS_ETAG_SIZE - used, "%02x", whole[i]);
    snprintf(etag + used, S3_PARTS_ETAG_SIZE - used, "-%lld\"", (long long)count);
    return true;
}
