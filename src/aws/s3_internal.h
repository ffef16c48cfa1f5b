/* What the files of s3.h and s3_multipart.h share. For aws/ only. */
#ifndef CAISSON_AWS_S3_INTERNAL_H
#define CAISSON_AWS_S3_INTERNAL_H

#include "aws/s3.h"
#include "aws/sign.h"
#include "net/pace.h"
#include "net/retry.h"

#define S3_REGION_MAX 32
#define S3_URL_MAX ((size_t)16 << 10)

/* Where requests go: made of the options and the region, made anew when S3 tells another region. */
struct s3_place {
    bool secure;
    char *host;   /* Host header: lower case, with a port that is not the scheme's own */
    char *prefix; /* path before "/key": "", "/bucket", "/base/bucket" */
};
/* The options' bucket and endpoint are valid (s3_place_check). */
void s3_place_init(struct s3_place *place, const struct s3_options *options, const char *region);
void s3_place_dispose(struct s3_place *place);
int s3_place_check(const struct s3_options *options, struct error *err);
/* The region that options and endpoint name, or us-east-1. */
void s3_place_region(const struct s3_options *options, char region[S3_REGION_MAX]);
bool s3_is_region(const char *text);

/* ---- s3_pace.c: who may send when S3 has said SlowDown ---- */

/* A place in the queue, within what waits. */
struct s3_turn {
    struct s3_turn *next, *previous;
    void (*call)(void *context);
    void *context;
    bool waiting;
};
struct s3_queue {
    struct pace pace;
    struct s3_turn *first, *last;
    struct loop_timer *timer;
    int64_t refused_since_ms; /* S3 has taken nothing since it refused then; 0: it has */
};
/* Whether a request may be sent at once; else `call` is called from the loop when it may. */
bool s3_turn_take(struct s3 *s3, struct s3_turn *turn, void (*call)(void *context), void *context);
/* Gives the place up. One that does not wait is fine. */
void s3_turn_leave(struct s3 *s3, struct s3_turn *turn);
/* What became of a request that was sent. */
void s3_pace_accepted(struct s3 *s3);
void s3_pace_refused(struct s3 *s3, int64_t sent_ms);
/* Whether S3 may be asked once more after wait_ms: the patience lasts. Fills *refused_ms: for so long nothing was
 * taken. */
bool s3_pace_is_patient(const struct s3 *s3, int64_t wait_ms, int64_t *refused_ms);

struct s3 {
    struct http_client *client;            /* borrowed */
    struct credentials_provider *provider; /* borrowed */
    struct loop *loop;
    char *bucket, *endpoint;   /* endpoint NULL: AWS's own */
    struct s3_options options; /* its strings are the two above; region NULL */
    char region[S3_REGION_MAX];
    struct s3_place place;
    struct sign_cache cache;
    int64_t skew_ms; /* to be added to our clock */
    struct s3_stats stats;
    struct s3_queue queue;
    struct s3_operation *running; /* doubly linked */
    struct s3_upload *uploads;    /* those under way and those being aborted; doubly linked */
};

/* Gives up all uploads and aborts. */
void s3_uploads_free(struct s3 *s3);

/* What an answer outside 2xx (or an error document within 200) means. */
enum s3_remedy {
    S3_REMEDY_NONE,        /* as the error says: final, or retryable */
    S3_REMEDY_CLOCK,       /* our clock is wrong: correct it and try at once */
    S3_REMEDY_CREDENTIALS, /* renew them and try at once */
    S3_REMEDY_REGION,      /* the bucket is elsewhere */
};
struct s3_failure {
    enum s3_remedy remedy;
    bool slow_down;
    char region[S3_REGION_MAX]; /* S3_REMEDY_REGION: as told, or "" */
    int64_t server_ms;          /* S3_REMEDY_CLOCK: wall time there */
};
void s3_failure_read(const struct s3 *s3, const struct s3_call *call, int64_t now_ms, struct s3_failure *failure,
                     struct error *err);

#endif
