/* The image of a Dockerfile build: what is worked out, and the rules between its keys. */
#include <stdlib.h>
#include <string.h>

#include "core/clock.h"
#include "core/mem.h"
#include "spec/parse_state.h"
#include "spec/resolve.h"
#include "spec/template.h"

#define DAY_MS ((int64_t)24 * 60 * 60 * 1000)

static json_t *image_of(const struct resolution *resolution)
{
    return resolution->builder == FOR_DOCKERFILE ? resolved_at(resolution, "", "image") : NULL;
}

static const char *repository_of(const struct resolution *resolution)
{
    const char *repository = json_string_value(resolved_at(resolution, "image", "repository"));

    return repository ? repository : "";
}

/* A key that stands in the spec with a wrong value, or in what has one, has had its problem already. */
static bool was_refused(const struct resolution *resolution, const char *object, const char *key)
{
    CLEANUP_FREE char *path = path_join(object, key);

    return (layer_has(resolution->layer, path) && !is_written(resolution, object, key)) ||
           (layer_has(resolution->layer, object) && !is_written(resolution, "", object));
}

static void set_default(struct resolution *resolution, const char *key, json_t *value)
{
    CLEANUP_FREE char *path = path_join("image", key);

    json_object_set_new(image_of(resolution), key, value);
    json_object_set_new(resolution->origins, path, json_string("default"));
}

/* ---- what is worked out ---- */

/* A developer's machine gets a folder; a task that pushes nowhere is a mistake. */
static void derive_repository(struct resolution *resolution)
{
    const char *type = json_string_value(resolved_at(resolution, "", "type"));

    if (*repository_of(resolution) || was_refused(resolution, "image", "repository") || !type ||
        strcmp(type, "build") != 0)
        return;
    if (resolution->context->pid1)
        resolution_problem(resolution, "image.repository", "for example repository: registry.example/team/app",
                           "is missing: as PID 1 a build has to say where its image goes");
    else
        set_default(resolution, "repository", json_string("oci:image"));
}

static void resolve_repository(struct resolution *resolution, const struct template_values *values)
{
    CLEANUP_FREE char *expanded = template_expand(repository_of(resolution), values, VARIABLES_ALL);
    struct remark remark = {0};

    if (!*expanded)
        return;
    if (check_image_repository(expanded, &remark))
        resolution_problem(resolution, "image.repository", *remark.hint ? remark.hint : NULL, "%s", remark.message);
    else
        json_object_set_new(image_of(resolution), "repository", json_string(remark.normal));
    free(remark.normal);
}

/* A tag that waits for the checkout stays a template. */
static void resolve_tag(struct resolution *resolution, json_t *tags, size_t index, const struct template_values *values)
{
    CLEANUP_FREE char *path = xasprintf("image.tags[%zu]", index);
    CLEANUP_FREE char *expanded = NULL;
    const char *text = json_string_value(json_array_get(tags, index));
    struct remark remark = {0};
    unsigned used = 0;

    if (template_check(text, VARIABLES_ALL, &used, &remark))
        return;
    expanded = template_expand(text, values, used & ~template_known(values) ? VARIABLES_EARLY : VARIABLES_ALL);
    json_array_set_new(tags, index, json_string(expanded));
    if (!(used & ~template_known(values)) && check_image_tag(expanded, &remark))
        resolution_problem(resolution, path, remark.hint, "%s", remark.message);
}

static void resolve_tags(struct resolution *resolution, const struct template_values *values)
{
    CLEANUP_FREE char *ref = image_tag_part(values->ref);
    struct template_values parts = *values;
    json_t *tags = resolved_at(resolution, "image", "tags");
    size_t i;

    parts.ref = ref;
    if (!tags && !was_refused(resolution, "image", "tags")) {
        set_default(resolution, "tags", json_pack("[s]", "${project}-${id}"));
        tags = resolved_at(resolution, "image", "tags");
    }
    if (json_is_array(tags) && json_array_size(tags) == 0 && !has_problem(resolution, "image.tags"))
        resolution_problem(resolution, "image.tags", "for example tags: [latest]", "an image has at least one tag");
    for (i = 0; i < json_array_size(tags); i++)
        resolve_tag(resolution, tags, i, &parts);
}

static void derive_create(struct resolution *resolution)
{
    bool ecr = image_is_of_ecr(repository_of(resolution));

    if (ecr && !resolved_at(resolution, "image", "create") && !was_refused(resolution, "image", "create"))
        set_default(resolution, "create", json_true());
    if (ecr || !*repository_of(resolution) || is_written(resolution, "image", "create"))
        return;
    /* An operator's default is for the repositories that it fits. */
    json_object_del(image_of(resolution), "create");
    origins_forget(resolution->origins, "image.create");
}

static void drop_pull_auth(struct resolution *resolution, const char *key)
{
    const struct operator_file *file = resolution->context->operator_file;
    const json_t *written = json_object_get(json_object_get(resolution->layer->values, "image"), "pull_auth");
    const json_t *pinned = json_object_get(json_object_get(file ? file->pins : NULL, "image"), "pull_auth");
    CLEANUP_FREE char *path = path_join("image.pull_auth", key);

    if (json_object_get(written, key) || json_object_get(pinned, key))
        return;
    json_object_del(resolved_at(resolution, "image", "pull_auth"), key);
    origins_forget(resolution->origins, path);
}

/* An operator's default is of one kind, a role or a password: a spec that gives the other takes nothing of it. */
static void derive_pull_auth(struct resolution *resolution)
{
    const json_t *written = json_object_get(json_object_get(resolution->layer->values, "image"), "pull_auth");
    bool password = json_object_get(written, "username") || json_object_get(written, "password");

    if (password && resolved_at(resolution, "image", "pull_auth") && !json_object_get(written, "role")) {
        if (json_object_get(resolved_at(resolution, "image", "pull_auth"), "role"))
            drop_pull_auth(resolution, "registry");
        drop_pull_auth(resolution, "role");
    } else if (json_object_get(written, "role")) {
        drop_pull_auth(resolution, "username");
        drop_pull_auth(resolution, "password");
    }
}

void resolve_image(struct resolution *resolution, const struct template_values *values)
{
    if (!image_of(resolution))
        return;
    derive_repository(resolution);
    resolve_repository(resolution, values);
    resolve_tags(resolution, values);
    derive_create(resolution);
    derive_pull_auth(resolution);
}

/* ---- rules between keys ---- */

static bool is_on(const json_t *value)
{
    return json_is_true(value) || json_is_object(value);
}

static void check_repository_rules(struct resolution *resolution)
{
    const struct operator_file *file = resolution->context->operator_file;
    const char *repository = repository_of(resolution);
    bool folder = image_is_folder(repository);
    bool misread = has_problem(resolution, "image."); /* a repository that is misspelt is a folder by default */
    const json_t *image = json_object_get(resolution->layer->values, "image");
    static const char *const keys[] = {"create", "auth", "skip_existing", "insecure"};
    size_t i;

    check_file_target(resolution, "image.repository", repository);
    if (*repository && !folder && file && file->pin_registry && !image_is_beneath(repository, file->pin_registry))
        resolution_problem(resolution, "image.repository", "the operator's file says so (pins.registry)",
                           "does not lie beneath %s", file->pin_registry);
    for (i = 0; folder && !misread && i < ARRAY_LEN(keys); i++) {
        CLEANUP_FREE char *path = path_join("image", keys[i]);

        if (is_on(json_object_get(image, keys[i])))
            resolution_problem(resolution, path, NULL, "does not apply to an oci: folder");
    }
    if (folder || !*repository)
        return;
    if (is_on(json_object_get(image, "create")) && !image_is_of_ecr(repository))
        resolution_problem(resolution, "image.create", "make it there, or let a push do so",
                           "only a repository of ECR can be created");
    if (json_is_true(json_object_get(image, "insecure")) && image_is_of_ecr(repository))
        resolution_problem(resolution, "image.insecure", NULL, "does not apply to ECR");
}

static bool is_missing(struct resolution *resolution, const char *object, const json_t *values, const char *key)
{
    CLEANUP_FREE char *path = path_join(object, key);

    return !json_object_get(values, key) && !layer_has(resolution->layer, path);
}

static void check_credentials(struct resolution *resolution, const char *key)
{
    CLEANUP_FREE char *path = path_join("image", key);
    const json_t *auth = resolved_at(resolution, "image", key);
    static const char *const parts[] = {"username", "password"};
    size_t i;

    for (i = 0; auth && i < ARRAY_LEN(parts); i++) {
        CLEANUP_FREE char *missing = path_join(path, parts[i]);

        if (is_missing(resolution, path, auth, parts[i]))
            resolution_problem(resolution, missing, "a registry takes both, username and password", "is missing");
    }
}

static const char pull_role[] = "role: arn:aws:iam::ACCOUNT:role/NAME, one that may pull";

/* One that stands there, and had its problem. */
static bool is_wrong(const struct resolution *resolution, const char *path, const json_t *value)
{
    return !value && layer_has(resolution->layer, path);
}

/* A private registry of ECR has no lasting passwords. */
static void check_pull_auth(struct resolution *resolution)
{
    const json_t *auth = resolved_at(resolution, "image", "pull_auth");
    const json_t *registry = json_object_get(auth, "registry"), *role = json_object_get(auth, "role");
    bool of_ecr = registry && image_is_of_ecr(json_string_value(registry));

    if (role && !of_ecr && !is_wrong(resolution, "image.pull_auth.registry", registry))
        resolution_problem(resolution, "image.pull_auth.role", "another registry takes username and password",
                           "only ECR knows roles: the registry has to be ACCOUNT.dkr.ecr.REGION.amazonaws.com");
    if (role && (json_object_get(auth, "username") || json_object_get(auth, "password")))
        resolution_problem(resolution, "image.pull_auth", "leave username and password out, or the role",
                           "a role and a password exclude each other");
    if (role || is_wrong(resolution, "image.pull_auth.role", role))
        return;
    if (of_ecr && is_missing(resolution, "image.pull_auth", auth, "password") &&
        is_missing(resolution, "image.pull_auth", auth, "username"))
        resolution_problem(resolution, "image.pull_auth.role", pull_role,
                           "is missing: a login of ECR lasts 12 hours, and each job gets its own");
    else
        check_credentials(resolution, "pull_auth");
}

/* Nobody pulls from a private registry of ECR without a login. */
static void check_mirrors(struct resolution *resolution)
{
    const json_t *registry = json_object_get(resolved_at(resolution, "image", "pull_auth"), "registry");
    json_t *mirrors = resolved_at(resolution, "image", "mirrors"), *mirror;
    const char *name;

    if (was_refused(resolution, "image", "pull_auth") || is_wrong(resolution, "image.pull_auth.registry", registry))
        return;
    json_object_foreach(mirrors, name, mirror)
    {
        CLEANUP_FREE char *path = path_join("image.mirrors", name);
        const char *place = json_string_value(mirror);
        CLEANUP_FREE char *host = place ? xstrndup(place, strcspn(place, "/")) : NULL;

        if (host && image_is_of_ecr(host) && (!registry || strcmp(json_string_value(registry), host) != 0))
            resolution_problem(
                resolution, path, "image.pull_auth: { registry: that host, role: one that may pull }",
                "%s is a private registry of ECR, which takes a login, and image.pull_auth is not for it", host);
    }
}

static void check_untagged(struct resolution *resolution)
{
    const json_t *create = resolved_at(resolution, "image", "create");
    const char *text = json_string_value(json_object_get(create, "untagged"));
    int64_t ms;

    if (text && duration_parse(text, &ms) == 0 && (ms < DAY_MS || ms % DAY_MS))
        resolution_problem(resolution, "image.create.untagged", "for example 7d", "ECR counts in whole days");
}

/* ---- what the build gets ---- */

static bool lists(const json_t *list, const char *word, size_t len)
{
    size_t i;

    for (i = 0; i < len; i++)
        if (strcmp(json_string_value(json_array_get(list, i)), word) == 0)
            return true;
    return false;
}

static void check_secret(struct resolution *resolution, const json_t *names, size_t index)
{
    CLEANUP_FREE char *path = xasprintf("build.secrets[%zu]", index);
    const char *name = json_string_value(json_array_get(names, index));
    const json_t *secret = resolved_at(resolution, "secrets", name);
    const json_t *steps = json_object_get(secret, "steps");
    const char *as = json_string_value(json_object_get(secret, "as"));

    if (!secret && !was_refused(resolution, "secrets", name))
        resolution_problem(resolution, path, "it names an entry of secrets", "%s does not stand in secrets", name);
    if (lists(names, name, index))
        resolution_problem(resolution, path, NULL, "%s stands here already", name);
    if (json_array_size(steps) && !lists(steps, "build", json_array_size(steps)))
        resolution_problem(resolution, path, "add build to its steps, or leave them out",
                           "%s is not for the step build, which a Dockerfile's RUN is", name);
    if (as && strcmp(as, "npmrc") == 0)
        resolution_problem(resolution, path,
                           "leave as out, and mount it: RUN --mount=type=secret,id=NAME,target=/root/.npmrc",
                           "%s is as: npmrc, which does not apply to the builder dockerfile", name);
}

static void check_build_inputs(struct resolution *resolution)
{
    const json_t *names = resolved_at(resolution, "build", "secrets");
    size_t i;

    for (i = 0; i < json_array_size(names); i++)
        check_secret(resolution, names, i);
    /* A profile's system may send what its builds never see; who writes a spec wants it to be seen. */
    if (!resolution->given && json_object_size(json_object_get(resolution->layer->values, "env")) &&
        !json_is_true(resolved_at(resolution, "build", "dotenv")) && !was_refused(resolution, "build", "dotenv"))
        resolution_problem(resolution, "env", "build.args for an ARG, or build.dotenv: true for a .env file",
                           "does not reach the build of a Dockerfile");
}

void crosscheck_image(struct resolution *resolution)
{
    const json_t *cache = resolved_at(resolution, "", "cache");
    const char *to = json_string_value(json_object_get(json_array_get(cache, 0), "to"));

    if (!image_of(resolution))
        return;
    check_repository_rules(resolution);
    check_credentials(resolution, "auth");
    check_pull_auth(resolution);
    check_mirrors(resolution);
    check_untagged(resolution);
    check_build_inputs(resolution);
    if (to)
        check_file_target(resolution, "cache[0].to", to);
}
