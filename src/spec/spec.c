#include "spec/spec.h"

#include <stdlib.h>
#include <string.h>

#include "core/json.h"
#include "core/mem.h"
#include "spec/problems.h"
#include "spec/resolve.h"
#include "spec/template.h"
#include "spec/values.h"

#define SUMMARY_MAX 1600 /* of problems in an error's message, which holds 2,048 bytes */

static const char *const builders[] = {"auto", "node", "commands", "none", "dockerfile"};

const char *builder_name(enum builder builder)
{
    return builders[builder];
}

const char *artifact_mode_name(enum artifact_mode mode)
{
    return mode == ARTIFACT_ADD ? "add" : "mirror";
}

/* As many whole lines as fit; the number says what is missing. */
static int report(const struct problems *problems, const char *name, struct error *err)
{
    struct buf all;
    const char *text;
    size_t len;

    buf_init(&all, (size_t)1 << 20);
    problems_print(problems, name, &all);
    text = buf_text(&all);
    len = all.len;
    if (len > SUMMARY_MAX)
        for (len = SUMMARY_MAX; len > 0 && text[len] != '\n'; len--)
            ;
    while (len && text[len - 1] == '\n')
        len--;
    if (problems->len == 1 && !problems->more)
        error_set(err, CLASS_SPEC_INVALID, "spec-invalid", "%.*s", (int)len, text);
    else
        error_set(err, CLASS_SPEC_INVALID, "spec-invalid", "%zu%s mistakes:\n%.*s%s", problems->len,
                  problems->more ? " or more" : "", (int)len, text, len + 1 < all.len ? "\n…" : "");
    buf_dispose(&all);
    return error_hint(err, "docs/spec.md describes every key; `caisson validate` shows all mistakes of a spec");
}

static int load(struct spec *spec, const struct document *document, const json_t *origins,
                const struct spec_context *context, struct problems *problems)
{
    struct layer layer = {0};
    struct resolution resolution = {.layer = &layer, .given = origins, .context = context, .problems = problems};
    struct parse_options options = {.context = context};

    parse_layer(&layer, document->root, spec_rules, &options, problems);
    if (!layer.values) {
        spec_told(context);
        layer_dispose(&layer);
        return -1;
    }
    resolve_layers(&resolution);
    resolve_places(&resolution);
    crosscheck(&resolution);
    if (problems->len == 0) {
        fill_spec(spec, &resolution);
        spec->resolved = resolution_for_plan(&resolution);
        spec->origins = json_incref(resolution.origins);
    } else if (problems->more) {
        /* What has not been noted could be wrong with any of them. */
        spec_told(context);
    } else if (context->told) {
        spec_dispose(context->told);
        fill_told(context->told, &resolution);
    }
    resolution_dispose(&resolution);
    layer_dispose(&layer);
    return problems->len ? -1 : 0;
}

/* A profile's values stand in no text: the message names the variable instead of a line. */
static void name_origins(struct problems *problems, const json_t *origins)
{
    size_t i;

    for (i = 0; i < problems->len; i++) {
        struct problem *problem = &problems->items[i];
        const char *origin = json_string_value(json_object_get(origins, problem->path));
        char *message;

        if (!origin)
            continue;
        message = xasprintf("%s (from %s)", problem->message, origin);
        free(problem->message);
        problem->message = message;
    }
}

static int finish(int rc, const struct spec_context *context, struct problems *problems, struct error *err)
{
    if (rc == 0)
        return 0;
    problems_sort(problems);
    return report(problems, context->name, err);
}

void spec_told(const struct spec_context *context)
{
    CLEANUP_JSON json_t *nothing = json_object();
    struct problems problems = {0};
    struct document document;
    struct spec whole = {0};

    if (!context->told)
        return;
    /* Of defaults that are a whole spec too: what they say is said. */
    if (document_from_json(&document, nothing, &problems) == 0 &&
        load(&whole, &document, NULL, context, &problems) == 0) {
        spec_dispose(context->told);
        *context->told = whole;
    }
    document_dispose(&document);
    problems_dispose(&problems);
}

int spec_load(struct spec *spec, struct view text, const struct spec_context *context, struct problems *problems,
              struct error *err)
{
    struct document document;
    int rc;

    *spec = (struct spec){0};
    rc = document_parse(&document, text, problems);
    if (rc == 0)
        rc = load(spec, &document, NULL, context, problems);
    else
        spec_told(context);
    document_dispose(&document);
    return finish(rc, context, problems, err);
}

int spec_load_json(struct spec *spec, const json_t *json, const json_t *origins, const struct spec_context *context,
                   struct problems *problems, struct error *err)
{
    struct document document;
    int rc;

    *spec = (struct spec){0};
    rc = document_from_json(&document, json, problems);
    if (rc == 0)
        rc = load(spec, &document, origins, context, problems);
    name_origins(problems, origins);
    document_dispose(&document);
    return finish(rc, context, problems, err);
}

static const char *short_ref(const char *ref)
{
    if (ref && strncmp(ref, "refs/heads/", 11) == 0)
        return ref + 11;
    if (ref && strncmp(ref, "refs/tags/", 10) == 0)
        return ref + 10;
    return ref;
}

static int expand_target(struct spec_artifact *artifact, const struct template_values *values, struct error *err)
{
    CLEANUP_FREE char *expanded = template_expand(artifact->to, values, VARIABLES_ALL);
    struct remark remark = {0};

    if (check_target(expanded, &remark)) {
        free(remark.normal);
        return error_set(err, CLASS_SPEC_INVALID, "template-unsafe", "artifacts: to: %s becomes %s: %s", artifact->to,
                         expanded, remark.message);
    }
    free(artifact->to);
    artifact->to = remark.normal ? remark.normal : xstrdup(expanded);
    artifact->to_waits = false;
    return 0;
}

static int expand_tags(struct strings *tags, const struct template_values *values, struct error *err)
{
    CLEANUP_FREE char *ref = image_tag_part(values->ref);
    struct template_values parts = *values;
    struct strings expanded = {0};
    struct remark remark = {0};
    size_t i;
    int rc = 0;

    parts.ref = ref;
    for (i = 0; i < tags->len && rc == 0; i++) {
        /* No tag holds a '$': what does is a template, and one that is complete stays. */
        CLEANUP_FREE char *tag = strchr(tags->items[i], '$') ? template_expand(tags->items[i], &parts, VARIABLES_ALL)
                                                             : xstrdup(tags->items[i]);

        if (check_image_tag(tag, &remark))
            rc = error_set(err, CLASS_SPEC_INVALID, "template-unsafe", "image: tags: %s becomes %s: %s", tags->items[i],
                           tag, remark.message);
        else if (!strings_has(&expanded, tag))
            strings_add(&expanded, tag);
    }
    if (rc == 0) {
        strings_dispose(tags);
        *tags = expanded;
    } else {
        strings_dispose(&expanded);
    }
    return rc;
}

int spec_expand(struct spec *spec, const char *commit, const char *ref, struct error *err)
{
    struct template_values values = {
        .project = spec->project, .id = spec->id, .ref = short_ref(ref ? ref : spec->source.ref), .commit = commit};
    size_t i;

    for (i = 0; i < spec->artifacts_len; i++)
        if (spec->artifacts[i].to_waits && expand_target(&spec->artifacts[i], &values, err))
            return -1;
    return expand_tags(&spec->image.tags, &values, err);
}

void spec_pairs_dispose(struct spec_pairs *pairs)
{
    size_t i;

    for (i = 0; i < pairs->len; i++) {
        free(pairs->items[i].name);
        wipe_free(pairs->items[i].value);
    }
    free(pairs->items);
}

static void dispose_artifact(struct spec_artifact *artifact)
{
    size_t i;

    for (i = 0; i < artifact->headers_len; i++) {
        free(artifact->headers[i].match);
        free(artifact->headers[i].cache_control);
        free(artifact->headers[i].content_type);
        free(artifact->headers[i].content_disposition);
        free(artifact->headers[i].content_language);
    }
    free(artifact->headers);
    free(artifact->from);
    free(artifact->to);
    strings_dispose(&artifact->include);
    strings_dispose(&artifact->exclude);
    free(artifact->s3.endpoint);
    free(artifact->s3.region);
}

static void dispose_build(struct spec *spec)
{
    free(spec->build.node);
    free(spec->build.framework);
    free(spec->build.output);
    free(spec->build.install.text);
    free(spec->build.command.text);
    free(spec->build.test);
    strings_dispose(&spec->build.commands);
    free(spec->build.context);
    free(spec->build.dockerfile);
    free(spec->build.template);
    free(spec->build.target);
    free(spec->build.platform);
    spec_pairs_dispose(&spec->build.args);
    strings_dispose(&spec->build.secrets);
}

static void dispose_image(struct spec *spec)
{
    free(spec->image.repository);
    strings_dispose(&spec->image.tags);
    free(spec->image.create.kms_key);
    spec_pairs_dispose(&spec->image.create.tags);
    wipe_free(spec->image.auth.username.text);
    wipe_free(spec->image.auth.password.text);
    free(spec->image.pull_auth.registry);
    free(spec->image.pull_auth.role);
    wipe_free(spec->image.pull_auth.username.text);
    wipe_free(spec->image.pull_auth.password.text);
    spec_pairs_dispose(&spec->image.mirrors);
    free(spec->cache.to);
}

static void dispose_source(struct spec *spec)
{
    free(spec->source.repository);
    free(spec->source.ref);
    free(spec->source.commit);
    free(spec->source.directory);
    wipe_free(spec->source.auth.token.text);
    wipe_free(spec->source.auth.username.text);
    wipe_free(spec->source.auth.password.text);
}

void spec_dispose(struct spec *spec)
{
    size_t i;

    free(spec->id);
    free(spec->project);
    spec_pairs_dispose(&spec->labels);
    spec_pairs_dispose(&spec->env);
    dispose_source(spec);
    dispose_build(spec);
    dispose_image(spec);
    for (i = 0; i < spec->secrets_len; i++) {
        free(spec->secrets[i].name);
        wipe_free(spec->secrets[i].source.text);
        strings_dispose(&spec->secrets[i].steps);
    }
    free(spec->secrets);
    for (i = 0; i < spec->artifacts_len; i++)
        dispose_artifact(&spec->artifacts[i]);
    free(spec->artifacts);
    free(spec->result);
    free(spec->log);
    free(spec->control);
    spec_cancel_dispose(spec);
    spec_notify_dispose(spec);
    strings_dispose(&spec->untold);
    json_decref(spec->resolved);
    json_decref(spec->origins);
    *spec = (struct spec){0};
}
