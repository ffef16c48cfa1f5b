/*
 * Names of images: "1234.dkr.ecr.eu-west-1.amazonaws.com/shop", "ghcr.io/user/app", "localhost:5000/a/b". A repository
 * names its registry always: there is no default one that could be pushed to by mistake.
 * https://github.com/opencontainers/distribution-spec/blob/v1.1.1/spec.md#pulling-manifests
 */
#ifndef CAISSON_OCI_REFERENCE_H
#define CAISSON_OCI_REFERENCE_H

#include <stdbool.h>

#include "core/error.h"

struct oci_repository {
    char *registry; /* host[:port], lower case */
    char *name;     /* path within it: "a/b" */
};
/* 0 or CLASS_USAGE, reason "bad-repository": what is wrong with it. */
int oci_repository_parse(const char *text, struct oci_repository *repository, struct error *err);
void oci_repository_dispose(struct oci_repository *repository);
/* [A-Za-z0-9_][A-Za-z0-9._-]{0,127} */
bool oci_tag_valid(const char *tag);
/* "sha256:" and 64 lower-case hex digits: the one algorithm that is taken. */
bool oci_digest_valid(const char *digest);
/* localhost, 127.0.0.0/8 or [::1], with or without port: plain http is no risk there. */
bool oci_registry_is_loopback(const char *registry);

#endif
