/* What the files of oci/push share. For oci/ only. */
#ifndef CAISSON_OCI_PUSH_INTERNAL_H
#define CAISSON_OCI_PUSH_INTERNAL_H

#include "oci/registry_internal.h"

struct push {
    struct registry *registry;
    const struct push_request *request;
    struct push_result *result;
    struct push_blob *blobs; /* the largest first: the last to end decides how long it takes */
    size_t next, done;       /* of blobs */
    int active;
    int64_t finished_bytes; /* of blobs that are there now */
    struct loop_timer *ticker;
    int64_t told_bytes;
    bool failed;
    struct error error;
};

enum push_stage { PUSH_LOOK, PUSH_MOUNT, PUSH_OPEN, PUSH_SEND };
#define PUSH_STAGES 4

/* One blob on its way: is it there? can it be mounted from a neighbour? else POST and one PUT. Never PATCH, never
 * pieces: ECR loses them. A PUT that failed begins again with the look, because an answer that was lost may have been a
 * success. */
struct push_blob {
    struct push *push;
    size_t index; /* in the image */
    enum push_stage stage;
    size_t mount;   /* in mount_from: who is asked next */
    char *location; /* where the upload goes */
    char *path, *what;
    struct registry_call call;
    struct loop_timer *timer;
    struct retry retries[PUSH_STAGES];
};
void push_blob_start(struct push_blob *blob);
void push_blob_cancel(struct push_blob *blob);

/* From a blob: it is there now (`bytes`: sent for it; mounted), or it will never be. */
enum push_how { PUSH_SENT, PUSH_THERE, PUSH_MOUNTED };
void push_blob_done(struct push_blob *blob, enum push_how how);
void push_blob_failed(struct push_blob *blob, const struct error *error);

/* The manifest under each tag. */
int push_tags(struct push *push, struct error *err);

#endif
