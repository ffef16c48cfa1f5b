/* One question to the container credential endpoint, with its retries, not blocking. For aws/ only. */
#ifndef CAISSON_AWS_CREDENTIALS_ENDPOINT_H
#define CAISSON_AWS_CREDENTIALS_ENDPOINT_H

#include "aws/credentials.h"

struct credentials_endpoint;
/* Source borrowed. The HTTP client is its own: no proxy, no redirects. */
struct credentials_endpoint *credentials_endpoint_new(const struct credentials_source *source, struct loop *loop);
void credentials_endpoint_free(struct credentials_endpoint *endpoint);
/* Called from the loop with `found` (taken over by copying it) or an error. One at a time. */
void credentials_endpoint_ask(struct credentials_endpoint *endpoint,
                              void (*done)(void *context, struct credentials *found, const struct error *error),
                              void *context);
/* Endpoint path and token as they are now, for redaction. */
void credentials_endpoint_secrets(const struct credentials_endpoint *endpoint,
                                  void (*call)(void *context, const char *value), void *context);

/* https anywhere; http to loopback and to the addresses of ECS and EKS. 0 or CLASS_CREDENTIALS. */
int credentials_endpoint_check(const char *url, struct error *err);

#endif
