/*
 * Jobs with the builder dockerfile: detect finds context, Dockerfile and engine, lookup may end the job, build runs the
 * engine to an OCI layout in the workspace, publish pushes that, or copies it to a folder of the user's.
 */
#ifndef CAISSON_JOB_IMAGE_H
#define CAISSON_JOB_IMAGE_H

#include "job/job.h"

#define IMAGE_FOLDER "image"  /* of the workspace, the build's: the engine's files */
#define IMAGE_LAYOUT "layout" /* … in it */
#define IMAGE_SCRATCH "scratch"
#define PREPARED_FOLDER "prepared" /* of the workspace, ours: what the engine is given */
#define PREPARED_BUNDLE "ca.pem"

/* Whether the job builds an image. */
bool image_wanted(const struct job *job);
/* Whether that image goes somewhere. */
bool image_publish_wanted(const struct job *job);
/* The steps' work. */
int image_detect(struct job *job, struct error *err);
int image_build(struct job *job, struct error *err);
int image_publish(struct job *job, struct error *err);

/* The folder of an "oci:" repository, as written; NULL: it is in a registry. Borrowed. */
const char *image_local_folder(const struct job *job);

/* ---- image_request.c: what the engine is told ---- */

struct image_request {
    struct engine_request engine; /* borrows from the rest, and from the job */
    struct engine_pair *args, *labels, *mirrors;
    struct engine_secret *secrets;
    struct strings owned, insecure;
};
void image_request_init(struct image_request *request, const struct job *job);
void image_request_dispose(struct image_request *request);
/* The texts of its secret files: build.secrets and the credentials for base images. */
struct secret_texts {
    struct secret_text *items;
    size_t len;
    char *config; /* of docker's form; wiped */
};
void image_secret_texts(struct secret_texts *texts, const struct job *job);
void image_secret_texts_dispose(struct secret_texts *texts);

#endif
