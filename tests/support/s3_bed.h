/*
 * An S3 with credentials from a container endpoint, both on the test's own loop, that answers by a script and keeps
 * what it was sent. For tests of what the client makes of answers; versitygw.h is for the rest.
 */
#ifndef CAISSON_TESTS_S3_BED_H
#define CAISSON_TESTS_S3_BED_H

#include "aws/s3.h"
#include "support/loop_server.h"

struct s3_answer {
    int status;
    const char *headers, *body; /* NULL: "" */
    bool close;
};

struct s3_bed {
    struct loop *loop;
    struct http_client *client;
    struct loop_server *server, *endpoint;
    struct credentials_source source;
    struct credentials_provider *provider;
    struct s3 *s3;
    const struct s3_answer *script; /* one a request; the last one is repeated */
    int asked, renewed;
    char targets[8][256], dates[8][32], authorizations[8][512], conditions[8][64], expects[8][32];
    char last_body[64];
    bool stuck_credentials;
};

/* Fixtures of cmocka. */
int s3_bed_setup(void **state);
int s3_bed_teardown(void **state);
/* Begins anew, with that patience for SlowDown. */
void s3_bed_patience(struct s3_bed *bed, int64_t patience_ms);
/* Performs one call against a script; the reason of its failure or "". A PUT sends "content" with If-None-Match: *. */
const char *s3_bed_perform(struct s3_bed *bed, const char *method, const struct s3_answer *script, struct error *err);
/* clang-format off */
#define SCRIPT(...) ((const struct s3_answer[]){__VA_ARGS__, {0}})
/* clang-format on */

#endif
