/* What the files of the S3 target share: target_s3.c has objects, target_s3_state.c the state document, target_s3_list.c lists
 * what is there. */
#ifndef CAISSON_PUBLISH_TARGET_S3_H
#define CAISSON_PUBLISH_TARGET_S3_H

#include "aws/s3.h"
#include "publish/target.h"

struct s3_target {
    struct target base;
    const struct publish_request *request; /* borrowed */
    struct http_client *client;
    struct credentials_provider *provider;
    struct s3 *s3;
    struct header_rules *rules;
    char *prefix; /* "a/b/" or "" */
    char *state_key;
    int64_t told_ms, told_at_ms; /* the wall clock there, when the state was last read; monotonic */
    struct state_read *early;    /* the first look at the state, under way while files are hashed; NULL: none */
};

/* Where the state of a prefix ("a/b/" or "") is, in the same bucket. Caller frees. */
char *s3_target_state_key(const char *prefix);

/* A condition that did not hold. S3 says 404 when there is nothing to compare with. */
bool s3_target_is_conflict(const struct error *error);

/* As in struct target_type. */
void s3_target_prepare(struct target *target);
int s3_target_read_state(struct target *target, const bool *stop, struct buf *text, char **version, struct error *err);
int64_t s3_target_now_ms(struct target *target);
int s3_target_write_state(struct target *target, const bool *stop, struct view text, const char *version,
                          char **new_version, struct error *err);
bool s3_target_is_empty(struct target *target, const bool *stop);
/* Each entry of a ListObjectsV2 answer, which is hostile. One whose name cannot be read gets an odd one beneath prefix. */
struct s3_entries {
    const char *prefix; /* of what is listed */
    void (*found)(void *context, const char *key, const char *etag, int64_t size);
    void *context;
};
void s3_entries_read(struct view page, const struct s3_entries *entries);
int s3_target_list(struct target *target, const bool *stop,
                   void (*found)(void *context, const char *path, const char *etag, int64_t size), void *context,
                   struct error *err);
/* Pumps until the call is done, or until *stop (NULL: never). */
int s3_target_perform(struct s3_target *target, struct s3_call *call, const bool *stop, struct error *err);
/* Ends what prepare began. */
void s3_target_forget(struct s3_target *target);

#endif
