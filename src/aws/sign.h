/*
 * Signature Version 4 for headers.
 * https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html
 */
#ifndef CAISSON_AWS_SIGN_H
#define CAISSON_AWS_SIGN_H

#include "aws/credentials.h"
#include "core/buf.h"
#include "core/strings.h"

#define SIGN_UNSIGNED_PAYLOAD "UNSIGNED-PAYLOAD"
#define SHA256_HEX_SIZE 65
#define SHA256_SIZE 32

/* The derived key of a day, region and service: four HMACs saved with each request. Caller's memory, all zero at the
 * start; wipe() it in the end. */
struct sign_cache {
    char from[512]; /* all that the key is derived from, the secret too; longer ones are not kept */
    unsigned char key[SHA256_SIZE];
};

struct sign_request {
    const char *method;
    const char *host;              /* value of the Host header, with a port that is not the scheme's own */
    const char *path;              /* as sent: percent-encoded, starts with "/" */
    const char *query;             /* as sent, percent-encoded, without "?"; NULL or "": none. Need not be sorted */
    const struct strings *headers; /* "Name: value", all that shall be signed besides host, date, token, content hash */
    const char *payload_hash;      /* hex SHA-256 of the body, or SIGN_UNSIGNED_PAYLOAD */
    const char *region;
    const char *service;      /* "s3", "sts", … S3 paths are encoded once and not normalized, others twice */
    int64_t wall_ms;          /* time of signing, clock skew already added */
    bool content_hash_header; /* add and sign x-amz-content-sha256 (S3 demands it) */
    bool keep_path;           /* another service than S3 whose paths are not normalized */
    struct sign_cache *cache; /* NULL: derive the key anew */
};

/* Appends X-Amz-Date, X-Amz-Security-Token, X-Amz-Content-Sha256 (as asked for) and Authorization to `out`. */
void sign_headers(const struct sign_request *request, const struct credentials *credentials, struct strings *out);
/* The two intermediate texts, for the vectors. */
void sign_canonical_request(const struct sign_request *request, const struct credentials *credentials, struct buf *out);
void sign_string_to_sign(const struct sign_request *request, const char *canonical_request, struct buf *out);

void sha256_hex(const void *data, size_t len, char hex[SHA256_HEX_SIZE]);
/* Of a part of a file, read with pread. 0; -1 and errno (0: the file ends before). */
int sha256_hex_file(int fd, int64_t offset, int64_t length, char hex[SHA256_HEX_SIZE]);
/* The same, unless `stopped`, which is asked often on the way, says so: ECANCELED. */
int sha256_hex_file_unless(int fd, int64_t offset, int64_t length, bool (*stopped)(void *context), void *context,
                           char hex[SHA256_HEX_SIZE]);

#endif
