/* From resolved values, which are valid, to the struct that the program works with. */
#include <stdlib.h>
#include <string.h>

#include "core/clock.h"
#include "core/mem.h"
#include "spec/resolve.h"
#include "spec/values.h"

static struct spec_command command_of(const json_t *object, const char *key)
{
    const json_t *value = json_object_get(object, key);

    if (json_is_string(value))
        return (struct spec_command){COMMAND_TEXT, xstrdup(json_string_value(value))};
    return (struct spec_command){json_is_false(value) ? COMMAND_SKIP : COMMAND_UNSET, NULL};
}

static void fill_source(struct spec *spec, const struct resolution *resolution, const json_t *source)
{
    const json_t *auth = json_object_get(source, "auth");
    const char *directory = json_string_value(json_object_get(source, "directory"));

    spec->source.repository = value_text(source, "repository");
    spec->source.ref = value_text(source, "ref");
    spec->source.commit = value_text(source, "commit");
    directory += *directory == '/';
    spec->source.directory = xstrdup(*directory ? directory : ".");
    spec->source.auth.token =
        value_source_of(json_object_get(auth, "token"), layer_position(resolution->layer, "source.auth.token"));
    spec->source.auth.username =
        value_source_of(json_object_get(auth, "username"), layer_position(resolution->layer, "source.auth.username"));
    spec->source.auth.password =
        value_source_of(json_object_get(auth, "password"), layer_position(resolution->layer, "source.auth.password"));
}

static enum secret_delivery delivery_of(const json_t *value)
{
    const char *as = json_string_value(json_object_get(value, "as"));
    int i;

    for (i = SECRET_AS_ENV; as && secret_deliveries[i]; i++)
        if (strcmp(as, secret_deliveries[i]) == 0)
            return (enum secret_delivery)i;
    return SECRET_AS_ENV;
}

static void fill_secrets(struct spec *spec, const struct resolution *resolution, const json_t *secrets)
{
    const char *name;
    json_t *value;

    spec->secrets = xcalloc(json_object_size(secrets) + 1, sizeof *spec->secrets);
    json_object_foreach((json_t *)secrets, name, value)
    {
        struct spec_secret *secret = &spec->secrets[spec->secrets_len++];
        CLEANUP_FREE char *path = xasprintf("secrets.%s", name);

        secret->name = xstrdup(name);
        secret->source = value_source_of(value, layer_position(resolution->layer, path));
        value_list(&secret->steps, json_object_get(value, "steps"));
        secret->as = delivery_of(value);
        secret->is_public = json_is_true(json_object_get(value, "public"));
        /* What a registry wants is asked for by the install alone, and a build must not read it. */
        if (secret->as == SECRET_AS_NPMRC && secret->steps.len == 0)
            strings_add(&secret->steps, "install");
    }
}

static void fill_build(struct spec *spec, const json_t *build)
{
    const char *builder = json_string_value(json_object_get(build, "builder"));
    int i;

    for (i = BUILDER_AUTO; i <= BUILDER_DOCKERFILE; i++)
        if (strcmp(builder, builder_name((enum builder)i)) == 0)
            spec->build.builder = (enum builder)i;
    spec->build.node = value_text(build, "node");
    spec->build.framework = value_text(build, "framework");
    spec->build.output = value_text(build, "output");
    spec->build.install = command_of(build, "install");
    spec->build.command = command_of(build, "command");
    spec->build.test = value_text(build, "test");
    value_list(&spec->build.commands, json_object_get(build, "commands"));
    spec->build.dotenv = json_is_true(json_object_get(build, "dotenv"));
}

static void fill_headers(struct spec_artifact *artifact, const json_t *headers)
{
    size_t i;

    artifact->headers = xcalloc(json_array_size(headers) + 1, sizeof *artifact->headers);
    artifact->headers_len = json_array_size(headers);
    for (i = 0; i < artifact->headers_len; i++) {
        const json_t *rule = json_array_get(headers, i);

        artifact->headers[i] = (struct spec_header_rule){
            .match = value_text(rule, "match"),
            .cache_control = value_text(rule, "cache_control"),
            .content_type = value_text(rule, "content_type"),
            .content_disposition = value_text(rule, "content_disposition"),
            .content_language = value_text(rule, "content_language"),
        };
    }
}

static void fill_artifact(struct spec_artifact *artifact, const struct resolution *resolution, const json_t *json,
                          size_t index)
{
    const json_t *s3 = json_object_get(json, "s3");
    const json_t *path_style;
    CLEANUP_FREE char *path = xasprintf("artifacts[%zu].to", index);

    artifact->from = value_text(json, "from");
    artifact->to = value_text(json, "to");
    artifact->mode =
        strcmp(json_string_value(json_object_get(json, "mode")), "add") == 0 ? ARTIFACT_ADD : ARTIFACT_MIRROR;
    artifact->adopt = json_is_true(json_object_get(json, "adopt"));
    artifact->at = layer_position(resolution->layer, path);
    value_list(&artifact->include, json_object_get(json, "include"));
    value_list(&artifact->exclude, json_object_get(json, "exclude"));
    fill_headers(artifact, json_object_get(json, "headers"));
    artifact->s3.endpoint = value_text(s3, "endpoint");
    artifact->s3.region = value_text(s3, "region");
    path_style = json_object_get(s3, "path_style");
    /* Names of buckets below a server of one's own seldom resolve. */
    artifact->s3.path_style = path_style ? json_is_true(path_style) : artifact->s3.endpoint != NULL;
    artifact->to_waits = json_object_get(resolution->waiting, path) != NULL;
}

/* A bound that counts as the spec does has been applied; one that counts otherwise holds beside it. */
static struct limit limit_with_bound(const json_t *limits, const char *key, struct limit max)
{
    struct limit limit = value_limit(limits, key);

    if (!limit.bytes)
        limit.bytes = max.bytes;
    if (!limit.percent)
        limit.percent = max.percent;
    return limit;
}

static void fill_limits(struct spec *spec, const struct resolution *resolution)
{
    const struct operator_file *file = resolution->context->operator_file;
    const json_t *limits = json_object_get(resolution->values, "limits");
    const struct limit none = {0};

    spec->limits.memory = limit_with_bound(limits, "memory", file ? file->max.memory : none);
    spec->limits.disk = limit_with_bound(limits, "disk", file ? file->max.disk : none);
    spec->limits.output_bytes = value_bytes(limits, "output");
    spec->limits.log_bytes = value_bytes(limits, "log");
}

static void fill_times(struct spec *spec, const json_t *values)
{
    const json_t *timeouts = json_object_get(values, "timeouts");
    const json_t *retry = json_object_get(values, "retry");
    const char *created_at = json_string_value(json_object_get(values, "created_at"));

    if (created_at)
        clock_parse(created_at, &spec->created_at_ms);
    spec->timeout_ms = value_duration_ms(values, "timeout");
    spec->timeouts.checkout_ms = value_duration_ms(timeouts, "checkout");
    spec->timeouts.install_ms = value_duration_ms(timeouts, "install");
    spec->timeouts.build_ms = value_duration_ms(timeouts, "build");
    spec->timeouts.test_ms = value_duration_ms(timeouts, "test");
    spec->timeouts.publish_ms = value_duration_ms(timeouts, "publish");
    spec->timeouts.idle_ms = value_duration_ms(timeouts, "idle");
    spec->retry.max_attempts = (int)json_integer_value(json_object_get(retry, "max_attempts"));
    spec->retry.backoff_ms = value_duration_ms(retry, "backoff");
}

void fill_spec(struct spec *spec, const struct resolution *resolution)
{
    const json_t *values = resolution->values;
    const json_t *artifacts = json_object_get(values, "artifacts");
    size_t i;

    spec->type = strcmp(json_string_value(json_object_get(values, "type")), "test") == 0 ? JOB_TEST : JOB_BUILD;
    spec->id = value_text(values, "id");
    spec->project = value_text(values, "project");
    value_pairs(&spec->labels, json_object_get(values, "labels"));
    value_pairs(&spec->env, json_object_get(values, "env"));
    fill_source(spec, resolution, json_object_get(values, "source"));
    fill_secrets(spec, resolution, json_object_get(values, "secrets"));
    fill_build(spec, json_object_get(values, "build"));
    fill_image(spec, resolution);
    spec->artifacts = xcalloc(json_array_size(artifacts) + 1, sizeof *spec->artifacts);
    for (i = 0; i < json_array_size(artifacts); i++)
        fill_artifact(&spec->artifacts[spec->artifacts_len++], resolution, json_array_get(artifacts, i), i);
    fill_times(spec, values);
    fill_limits(spec, resolution);
    spec->result = value_text(values, "result");
    spec->log = value_text(values, "log");
    spec->control = value_text(values, "control");
    fill_cancel(spec, resolution);
    fill_notify(spec, resolution);
}
