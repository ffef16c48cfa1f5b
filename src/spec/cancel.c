/* Where a job listens for requests to cancel: the rules between the keys, and the struct. */
#include <stdlib.h>
#include <string.h>

#include "core/mem.h"
#include "spec/resolve.h"
#include "spec/values.h"

static const json_t *entry_of(const struct resolution *resolution)
{
    return json_array_get(resolved_at(resolution, "", "cancel"), 0);
}

void crosscheck_cancel(struct resolution *resolution)
{
    const json_t *entry = entry_of(resolution);
    struct target target = {.entry = entry,
                            .path = "cancel[0]",
                            .type = "redis",
                            .text = json_string_value(json_object_get(entry, "redis"))};

    if (!target.text)
        return;
    if (json_object_get(entry, "username") && !json_object_get(entry, "password") &&
        !has_problem(resolution, "cancel[0].password"))
        resolution_problem(resolution, "cancel[0].password", "add password",
                           "is missing: a username alone is no credential");
    crosscheck_broker(resolution, &target);
}

static struct value_source source_of(const struct resolution *resolution, const char *key)
{
    CLEANUP_FREE char *path = xasprintf("cancel[0].%s", key);

    return value_source_of(json_object_get(entry_of(resolution), key), layer_position(resolution->layer, path));
}

void fill_cancel(struct spec *spec, const struct resolution *resolution)
{
    const json_t *entry = entry_of(resolution);

    if (!entry)
        return;
    spec->cancel.redis = value_text(entry, "redis");
    spec->cancel.channel = value_text(entry, "channel");
    spec->cancel.member = value_text(entry, "member");
    spec->cancel.ca_bundle = value_text(entry, "ca_bundle");
    spec->cancel.plain = target_may_be_plain(resolution, spec->cancel.redis);
    spec->cancel.username = source_of(resolution, "username");
    spec->cancel.password = source_of(resolution, "password");
}

void spec_cancel_dispose(struct spec *spec)
{
    free(spec->cancel.redis);
    free(spec->cancel.channel);
    free(spec->cancel.member);
    free(spec->cancel.ca_bundle);
    wipe_free(spec->cancel.username.text);
    wipe_free(spec->cancel.password.text);
}
