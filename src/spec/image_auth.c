/*
 * The operator's logins, and the registries that they are for. What the operator's file gives goes to registries that
 * the operator named: the address in a spec, or under a profile in a tenant's variable, is the job's word, and a
 * registry of the job's choice could ask for the password.
 */
#include <string.h>

#include "core/mem.h"
#include "spec/parse_state.h"
#include "spec/resolve.h"

static const json_t *in_layer(const json_t *layer, const char *object, const char *key)
{
    const json_t *image = json_object_get(layer, "image");

    return json_object_get(object ? json_object_get(image, object) : image, key);
}

static bool is_login_of_operator(const struct resolution *resolution)
{
    return is_of_operator(resolution, "image.auth.username") || is_of_operator(resolution, "image.auth.password");
}

static bool is_repository_of_operator(const struct resolution *resolution, const struct operator_file *file)
{
    const char *repository = json_string_value(resolved_at(resolution, "image", "repository"));

    if (!repository)
        return false;
    return is_of_operator(resolution, "image.repository") ||
           json_equal(in_layer(resolution->layer->values, NULL, "repository"),
                      in_layer(file->defaults, NULL, "repository")) ||
           (file->pin_registry && image_is_beneath(repository, file->pin_registry));
}

/* A spec that names no registry for pulling, or the operator's own, takes the operator's login. */
static bool is_pull_of_operator(const struct resolution *resolution, const struct operator_file *file)
{
    const json_t *registry = json_object_get(resolved_at(resolution, "image", "pull_auth"), "registry");

    return !registry || is_of_operator(resolution, "image.pull_auth.registry") ||
           json_equal(registry, in_layer(file->defaults, "pull_auth", "registry"));
}

static void drop_login(struct resolution *resolution, const char *key)
{
    static const char *const parts[] = {"username", "password", "role"};
    json_t *auth = resolved_at(resolution, "image", key);
    size_t i;

    for (i = 0; i < ARRAY_LEN(parts); i++) {
        CLEANUP_FREE char *path = xasprintf("image.%s.%s", key, parts[i]);

        if (!is_of_operator(resolution, path))
            continue;
        if (in_layer(resolution->layer->values, key, parts[i]))
            resolution_problem(resolution, path, "leave it to the operator's registry, or ask for the pin to go",
                               "the operator's file pins a login in its place, which is for another registry");
        json_object_del(auth, parts[i]);
        origins_forget(resolution->origins, path);
    }
    if (auth && json_object_size(auth) == 0)
        json_object_del(resolved_at(resolution, "", "image"), key);
}

void resolve_image_auth(struct resolution *resolution)
{
    const struct operator_file *file = resolution->context->operator_file;

    if (!file || resolution->builder != FOR_DOCKERFILE)
        return;
    if (!is_repository_of_operator(resolution, file))
        drop_login(resolution, "auth");
    if (!is_pull_of_operator(resolution, file))
        drop_login(resolution, "pull_auth");
}

void crosscheck_image_auth(struct resolution *resolution)
{
    const struct operator_file *file = resolution->context->operator_file;

    if (!file || resolution->builder != FOR_DOCKERFILE || !json_is_true(resolved_at(resolution, "image", "insecure")) ||
        is_of_operator(resolution, "image.insecure") || json_is_true(in_layer(file->defaults, NULL, "insecure")))
        return;
    if (file->pin_registry || is_login_of_operator(resolution))
        resolution_problem(resolution, "image.insecure",
                           "the operator's file can allow it (defaults: { image: { insecure: true } })",
                           "the operator's registry is not spoken to in plain http");
}

void check_operator_auth(const struct layer *layer, struct problems *problems)
{
    static const char *const parts[] = {"defaults", "pins"};
    const json_t *pins = json_object_get(layer->values, "pins");
    bool placed = json_object_get(pins, "registry") || in_layer(pins, NULL, "repository") ||
                  in_layer(json_object_get(layer->values, "defaults"), NULL, "repository");
    size_t i;

    for (i = 0; !placed && i < ARRAY_LEN(parts); i++) {
        CLEANUP_FREE char *path = xasprintf("%s.image.auth", parts[i]);

        if (in_layer(json_object_get(layer->values, parts[i]), NULL, "auth"))
            problem_add(problems, layer_position(layer, path), path, "say pins.registry, beneath which it holds",
                        "holds for no repository: only for one that this file names");
    }
}
