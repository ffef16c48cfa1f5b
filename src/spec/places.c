/* Where things go: the defaults that are worked out, templates, and the operator's pins of bucket and prefix. */
#include <stdlib.h>
#include <string.h>

#include "core/mem.h"
#include "spec/paths.h"
#include "spec/resolve.h"
#include "spec/template.h"

static void set_text(struct resolution *resolution, const char *key, const char *text, const char *origin)
{
    json_object_set_new(resolution->values, key, json_string(text));
    json_object_set_new(resolution->origins, key, json_string(origin));
}

static void derive_names(struct resolution *resolution)
{
    const char *repository = json_string_value(resolved_at(resolution, "source", "repository"));

    /* One that is written wrong is not another: nothing goes to a place that another's name makes. */
    if (!resolved_at(resolution, "", "id") && !layer_has(resolution->layer, "id") && resolution->context->default_id)
        set_text(resolution, "id", resolution->context->default_id, "default");
    if (!resolved_at(resolution, "", "project") && !layer_has(resolution->layer, "project") && repository) {
        CLEANUP_FREE char *name = repository_name(repository);

        set_text(resolution, "project", name, "default");
    }
}

/* A developer's machine gets a folder; a task that publishes nowhere is a mistake. */
static void derive_artifacts(struct resolution *resolution)
{
    const char *type = json_string_value(resolved_at(resolution, "", "type"));
    static const char *const keys[] = {"to", "mode", "adopt"};
    json_t *artifact;
    size_t i;

    if (json_array_size(resolved_at(resolution, "", "artifacts")) || !type || strcmp(type, "build") != 0 ||
        resolution->builder == FOR_DOCKERFILE)
        return;
    if (layer_has(resolution->layer, "artifacts") && !resolved_at(resolution, "", "artifacts"))
        return;
    if (resolution->context->pid1) {
        resolution_problem(resolution, "artifacts", "for example artifacts: [{ to: s3://bucket/prefix/ }]",
                           "is missing: as PID 1 a build has to say where it publishes to");
        return;
    }
    artifact = json_pack("{s:s, s:s, s:b}", "to", "file:out/", "mode", "mirror", "adopt", 0);
    json_object_set_new(resolution->values, "artifacts", json_pack("[o]", artifact));
    for (i = 0; i < ARRAY_LEN(keys); i++) {
        CLEANUP_FREE char *path = xasprintf("artifacts[0].%s", keys[i]);

        json_object_set_new(resolution->origins, path, json_string("default"));
    }
}

/* With its slash: "a" must not hold for "ab/". */
static char *pinned_prefix(const struct operator_file *file, const struct template_values *values)
{
    CLEANUP_FREE char *prefix = template_expand(file->pin_prefix ? file->pin_prefix : "", values, VARIABLES_ALL);
    size_t len = strlen(prefix);

    return xasprintf("%s%s", prefix, len && prefix[len - 1] != '/' ? "/" : "");
}

/* The operator's bucket in place of the spec's, and the key beneath the operator's prefix. NULL: as it was. */
static char *pin(const struct operator_file *file, const char *url, const struct template_values *values)
{
    const char *bucket;
    const char *key;
    size_t bucket_len;
    char *pinned;
    CLEANUP_FREE char *prefix = NULL;
    CLEANUP_FREE char *name = NULL;
    bool beneath;

    if (!file || (!file->pin_bucket && !file->pin_prefix) || !s3_split(url, &bucket, &bucket_len, &key))
        return NULL;
    prefix = pinned_prefix(file, values);
    name = file->pin_bucket ? xstrdup(file->pin_bucket) : xstrndup(bucket, bucket_len);
    beneath = strncmp(key, prefix, strlen(prefix)) == 0;
    pinned = xasprintf("s3://%s/%s%s", name, beneath ? "" : prefix, key);
    if (strcmp(pinned, url) != 0)
        return pinned;
    free(pinned);
    return NULL;
}

struct place {
    json_t *object; /* that holds the key */
    const char *key, *path;
    text_check *check;
};

/* Project and id first, which are safe in any place; then the pins; then, when all is known, the rest. A template that
 * has to wait for the checkout stays one. */
static void resolve_place(struct resolution *resolution, const struct place *place,
                          const struct template_values *values)
{
    const char *text = json_string_value(json_object_get(place->object, place->key));
    CLEANUP_FREE char *early = NULL;
    CLEANUP_FREE char *pinned = NULL;
    CLEANUP_FREE char *final = NULL;
    struct remark remark = {0};
    unsigned used = 0;

    if (!text || template_check(text, VARIABLES_ALL, &used, &remark))
        return;
    early = template_expand(text, values, VARIABLES_EARLY);
    pinned = pin(resolution->context->operator_file, early, values);
    if (pinned)
        json_object_set_new(resolution->origins, place->path, json_string("operator"));
    if (used & ~template_known(values)) {
        json_object_set_new(place->object, place->key, json_string(pinned ? pinned : early));
        json_object_set_new(resolution->waiting, place->path, json_true());
        return;
    }
    final = template_expand(pinned ? pinned : early, values, VARIABLES_ALL);
    if (place->check(final, &remark))
        resolution_problem(resolution, place->path, *remark.hint ? remark.hint : NULL, "%s", remark.message);
    else
        json_object_set_new(place->object, place->key, json_string(remark.normal ? remark.normal : final));
    free(remark.normal);
}

/* All templates of a list's items. */
static void resolve_listed(struct resolution *resolution, const char *list, const struct template_values *values)
{
    json_t *items = resolved_at(resolution, "", list);
    const struct rule *rule;
    size_t i;

    for (i = 0; i < json_array_size(items); i++) {
        for (rule = rule_first(rule_find(spec_rules, list)->children); rule; rule = rule_next(rule)) {
            CLEANUP_FREE char *path = xasprintf("%s[%zu].%s", list, i, rule->name);

            if (rule->variables)
                resolve_place(resolution, &(struct place){json_array_get(items, i), rule->name, path, rule->check},
                              values);
        }
    }
}

void resolve_places(struct resolution *resolution)
{
    struct template_values values;

    derive_names(resolution);
    derive_artifacts(resolution);
    values = (struct template_values){
        .project = json_string_value(resolved_at(resolution, "", "project")),
        .id = json_string_value(resolved_at(resolution, "", "id")),
        .ref = json_string_value(resolved_at(resolution, "source", "ref")),
        .commit = json_string_value(resolved_at(resolution, "source", "commit")),
    };
    resolve_place(resolution, &(struct place){resolution->values, "result", "result", check_object}, &values);
    resolve_place(resolution, &(struct place){resolution->values, "log", "log", check_object}, &values);
    resolve_place(resolution, &(struct place){resolution->values, "control", "control", check_control}, &values);
    resolve_listed(resolution, "artifacts", &values);
    resolve_listed(resolution, "cache", &values);
    resolve_listed(resolution, "cancel", &values);
    resolve_notify(resolution);
    resolve_listed(resolution, "notify", &values);
    resolve_image(resolution, &values);
    resolve_image_auth(resolution);
}
