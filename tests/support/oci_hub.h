/*
 * A registry in memory, on the loop of the program under test, and a client of it: what a well-behaved registry answers,
 * unless a test's `meddle` answers instead. Every request is written down.
 */
#ifndef CAISSON_TESTS_OCI_HUB_H
#define CAISSON_TESTS_OCI_HUB_H

#include "oci/registry_internal.h"
#include "support/loop_server.h"
#include "support/oci_bed.h"

struct oci_hub {
    struct loop *loop;
    struct http_client *client;
    struct loop_server *server, *elsewhere; /* the second is another origin with the same content */
    char *host, *other_host;                /* "127.0.0.1:PORT" */
    struct strings log;                     /* "PUT /v2/app/manifests/v1 Basic dTpw" */
    struct strings elsewhere_log;
    struct strings blobs;   /* digests that are there */
    struct strings foreign; /* digests that can be mounted */
    struct strings tags;    /* "v1=sha256:…" */
    int uploads, tokens;
    size_t uploaded;   /* bytes */
    const char *basic; /* "user:password" in base64 that is wanted; NULL: no authentication */
    bool bearer;       /* tokens instead: "token-1", "token-2", … the last of them is good */
    int lifetime_s;    /* of tokens */
    /* Answers instead: true when it has. An answer of no bytes closes the connection. */
    bool (*meddle)(struct oci_hub *hub, const struct loop_request *request, struct buf *out);
    int number; /* the test's */
    /* The client's side. */
    struct oci_bed bed;
    struct oci_image image;
    struct registry *registry;
    struct registry_credentials given;
    int asked, renewed;
    bool stop;
};
int oci_hub_setup(void **state);
int oci_hub_teardown(void **state);
/* A client of "app" there. */
void oci_hub_connect(struct oci_hub *hub, int max_attempts);
/* Pushes the bed's image under one tag, or under two with a comma. */
int oci_hub_push(struct oci_hub *hub, const char *tags, struct push_result *result, struct error *err);
/* Lines of the log that begin so. */
size_t oci_hub_count(const struct strings *log, const char *prefix);
/* What the registry itself would answer. */
void oci_hub_answer(struct oci_hub *hub, const struct loop_request *request, struct buf *out);

#endif
