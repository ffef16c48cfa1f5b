/*
 * Values that { ssm: } and { secret: } name: all asked for at once, with the task's role, each parameter and secret once
 * whatever the number of keys that are taken from it (two keys of one secret are of the same version then).
 * Life cycle: new, add every source, fetch, get, free.
 */
#ifndef CAISSON_JOB_REMOTE_VALUES_H
#define CAISSON_JOB_REMOTE_VALUES_H

#include "job/platform.h"
#include "net/http.h"
#include "spec/spec.h"

struct remote_values;
/* All borrowed. */
struct remote_values *remote_values_new(struct http_client *client, struct credentials_provider *credentials,
                                        const struct platform *platform);
void remote_values_free(struct remote_values *values); /* wipes, and gives up what is under way. NULL is fine */
/* Sources of other kinds are left alone. */
void remote_values_add(struct remote_values *values, const struct value_source *source);
/* Pumps the loop until all has come or failed, or *stop is true. */
void remote_values_fetch(struct remote_values *values, const bool *stop);
/* Of a source that was added. Caller frees *value with wipe_free. 0; -1 and *err. */
int remote_values_get(const struct remote_values *values, const struct value_source *source, char **value,
                      struct error *err);

#endif
