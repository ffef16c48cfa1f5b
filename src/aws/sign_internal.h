/* The canonical forms that a signature is made over; shared by the sources of sign.h only. */
#ifndef CAISSON_AWS_SIGN_INTERNAL_H
#define CAISSON_AWS_SIGN_INTERNAL_H

#include "aws/sign.h"

#define SIGN_DATE_SIZE 17 /* "20150830T123600Z" */
#define SIGN_TEXT_MAX ((size_t)256 << 10)

void sign_hex(const unsigned char digest[SHA256_SIZE], char hex[SHA256_HEX_SIZE]);
void sign_date(int64_t wall_ms, char date[SIGN_DATE_SIZE]);
/* "20150830/us-east-1/service/aws4_request" */
void sign_scope(const struct sign_request *request, struct buf *out);

void sign_canonical_path(const struct sign_request *request, struct buf *out);
void sign_canonical_query(const char *query, struct buf *out);

/* One header as it is signed. */
struct sign_header {
    char *name;        /* lower case; owned */
    const char *value; /* borrowed, not yet trimmed */
    size_t order;
};
struct sign_header_list {
    struct sign_header *items;
    size_t len;
    char date[SIGN_DATE_SIZE];
};
/* Sorted; the request and credentials are borrowed by it. */
void sign_header_list_init(struct sign_header_list *list, const struct sign_request *request,
                           const struct credentials *credentials);
void sign_header_list_dispose(struct sign_header_list *list);
void sign_canonical_headers(const struct sign_header_list *list, struct buf *out);
void sign_signed_headers(const struct sign_header_list *list, struct buf *out);

#endif
