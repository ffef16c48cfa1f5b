/* The image's part of the struct. */
#include <stdlib.h>
#include <string.h>

#include "core/clock.h"
#include "core/mem.h"
#include "spec/resolve.h"
#include "spec/values.h"

#define DAY_MS ((int64_t)24 * 60 * 60 * 1000)

static struct value_source source_at(const struct resolution *resolution, const json_t *object, const char *key,
                                     const char *path)
{
    return value_source_of(json_object_get(object, key), layer_position(resolution->layer, path));
}

static void fill_dockerfile(struct spec *spec, const json_t *build)
{
    const json_t *template = json_object_get(build, "template");
    const char *when = json_string_value(json_object_get(template, "when"));

    spec->build.context = value_text(build, "context");
    spec->build.dockerfile = value_text(build, "dockerfile");
    spec->build.template = value_text(template, "name");
    spec->build.template_always = when && strcmp(when, "always") == 0;
    spec->build.target = value_text(build, "target");
    spec->build.platform = value_text(build, "platform");
    value_pairs(&spec->build.args, json_object_get(build, "args"));
    value_list(&spec->build.secrets, json_object_get(build, "secrets"));
}

static void fill_create(struct spec *spec, const json_t *create)
{
    spec->image.create.wanted = json_is_true(create) || json_is_object(create);
    spec->image.create.keep = (int)json_integer_value(json_object_get(create, "keep"));
    spec->image.create.untagged_days = (int)(value_duration_ms(create, "untagged") / DAY_MS);
    spec->image.create.scan = json_is_true(json_object_get(create, "scan"));
    spec->image.create.immutable = json_is_true(json_object_get(create, "immutable"));
    spec->image.create.kms_key = value_text(create, "kms_key");
    value_pairs(&spec->image.create.tags, json_object_get(create, "tags"));
}

static void fill_tags(struct spec *spec, const json_t *tags)
{
    size_t i;

    for (i = 0; i < json_array_size(tags); i++)
        if (!strings_has(&spec->image.tags, json_string_value(json_array_get(tags, i))))
            strings_add(&spec->image.tags, json_string_value(json_array_get(tags, i)));
}

static void fill_cache(struct spec *spec, const json_t *cache)
{
    spec->cache.to = value_text(cache, "to");
    spec->cache.max_age_ms = value_duration_ms(cache, "max_age");
    spec->cache.max_bytes = value_bytes(cache, "max_size");
}

void fill_image(struct spec *spec, const struct resolution *resolution)
{
    const json_t *image = resolved_at(resolution, "", "image");
    const json_t *auth = json_object_get(image, "auth");
    const json_t *pull_auth = json_object_get(image, "pull_auth");

    if (resolution->builder != FOR_DOCKERFILE)
        return;
    fill_dockerfile(spec, resolved_at(resolution, "", "build"));
    if (spec->type == JOB_BUILD)
        spec->image.repository = value_text(image, "repository");
    fill_tags(spec, json_object_get(image, "tags"));
    fill_create(spec, json_object_get(image, "create"));
    spec->image.auth.username = source_at(resolution, auth, "username", "image.auth.username");
    spec->image.auth.password = source_at(resolution, auth, "password", "image.auth.password");
    spec->image.pull_auth.registry = value_text(pull_auth, "registry");
    spec->image.pull_auth.username = source_at(resolution, pull_auth, "username", "image.pull_auth.username");
    spec->image.pull_auth.password = source_at(resolution, pull_auth, "password", "image.pull_auth.password");
    spec->image.pull_auth.role = value_text(pull_auth, "role");
    spec->image.skip_existing = json_is_true(json_object_get(image, "skip_existing"));
    spec->image.insecure = json_is_true(json_object_get(image, "insecure"));
    value_pairs(&spec->image.mirrors, json_object_get(image, "mirrors"));
    fill_cache(spec, json_array_get(resolved_at(resolution, "", "cache"), 0));
}
