/* The operator's file: by the same parser, with its own table. */
#include <stddef.h>
#include <string.h>

#include "core/clock.h"
#include "core/mem.h"
#include "spec/document.h"
#include "spec/parse.h"
#include "spec/problems.h"
#include "spec/resolve.h"
#include "spec/values.h"

/* Keys of pins that are texts of their own, and no keys of the spec. */
static const struct {
    const char *key;
    size_t offset;
} pin_texts[] = {
    {"bucket", offsetof(struct operator_file, pin_bucket)},
    {"prefix", offsetof(struct operator_file, pin_prefix)},
    {"registry", offsetof(struct operator_file, pin_registry)},
    {"endpoint", offsetof(struct operator_file, pin_endpoint)},
    {"ssm_endpoint", offsetof(struct operator_file, pin_ssm_endpoint)},
    {"secrets_endpoint", offsetof(struct operator_file, pin_secrets_endpoint)},
    {"ecr_endpoint", offsetof(struct operator_file, pin_ecr_endpoint)},
    {"sts_endpoint", offsetof(struct operator_file, pin_sts_endpoint)},
    {"sns_endpoint", offsetof(struct operator_file, pin_sns_endpoint)},
    {"sqs_endpoint", offsetof(struct operator_file, pin_sqs_endpoint)},
    {"events_endpoint", offsetof(struct operator_file, pin_events_endpoint)},
    {"logs_endpoint", offsetof(struct operator_file, pin_logs_endpoint)},
    {"github_endpoint", offsetof(struct operator_file, pin_github_endpoint)},
    {"region", offsetof(struct operator_file, pin_region)},
    {"proxy", offsetof(struct operator_file, pin_proxy)},
    {"no_proxy", offsetof(struct operator_file, pin_no_proxy)},
    {"ca_bundle", offsetof(struct operator_file, pin_ca_bundle)},
};

static char **pin_text(struct operator_file *file, size_t index)
{
    return (void *)((char *)file + pin_texts[index].offset);
}

static void take_list(struct strings *list, json_t *pins, const char *key)
{
    value_list(list, json_object_get(pins, key));
    json_object_del(pins, key);
}

static void fill_pins(struct operator_file *file, const json_t *pins)
{
    size_t i;

    file->pins = json_deep_copy(pins);
    for (i = 0; i < ARRAY_LEN(pin_texts); i++) {
        *pin_text(file, i) = value_text(pins, pin_texts[i].key);
        json_object_del(file->pins, pin_texts[i].key);
    }
    take_list(&file->pin_topics, file->pins, "topics");
    take_list(&file->pin_callbacks, file->pins, "callbacks");
    take_list(&file->pin_brokers, file->pins, "brokers");
}

static void fill_max(struct operator_file *file, const json_t *max)
{
    const json_t *timeouts = json_object_get(max, "timeouts");
    const json_t *limits = json_object_get(max, "limits");

    file->max.timeout_ms = value_duration_ms(max, "timeout");
    file->max.checkout_ms = value_duration_ms(timeouts, "checkout");
    file->max.install_ms = value_duration_ms(timeouts, "install");
    file->max.build_ms = value_duration_ms(timeouts, "build");
    file->max.test_ms = value_duration_ms(timeouts, "test");
    file->max.publish_ms = value_duration_ms(timeouts, "publish");
    file->max.idle_ms = value_duration_ms(timeouts, "idle");
    file->max.memory = value_limit(limits, "memory");
    file->max.disk = value_limit(limits, "disk");
    file->max.output_bytes = value_bytes(limits, "output");
    file->max.log_bytes = value_bytes(limits, "log");
}

static void fill_allow(struct operator_file *file, const json_t *allow)
{
    struct strings words = {0};

    value_list(&words, allow);
    file->allow.plain_brokers = strings_has(&words, "plain-brokers");
    file->allow.private_http = strings_has(&words, "private-http");
    file->allow.file_targets = strings_has(&words, "file-targets");
    file->allow.any_secret_file = strings_has(&words, "any-secret-file");
    strings_dispose(&words);
}

static void fill(struct operator_file *file, const json_t *values)
{
    file->defaults = json_deep_copy(json_object_get(values, "defaults"));
    fill_pins(file, json_object_get(values, "pins"));
    fill_max(file, json_object_get(values, "max"));
    fill_allow(file, json_object_get(values, "allow"));
    value_list(&file->secret_folders, json_object_get(values, "secret_folders"));
}

static int fail(struct problems *problems, const char *name, struct error *err)
{
    struct buf all;
    size_t count = problems->len;

    problems_sort(problems);
    buf_init(&all, 1900);
    problems_print(problems, name, &all);
    problems_dispose(problems);
    while (all.len && all.data[all.len - 1] == '\n')
        all.data[--all.len] = '\0';
    error_set(err, CLASS_SPEC_INVALID, "operator-file-invalid", "%s", buf_text(&all));
    buf_dispose(&all);
    return error_hint(err, "the operator's file has %zu mistake%s; docs/spec.md describes its keys", count,
                      count == 1 ? "" : "s");
}

int operator_file_load(struct operator_file *file, struct view text, const char *name, struct error *err)
{
    struct parse_options options = {0};
    struct problems problems = {0};
    struct layer layer = {0};
    struct document document;

    *file = (struct operator_file){0};
    if (document_parse(&document, text, &problems) == 0)
        parse_layer(&layer, document.root, operator_rules, &options, &problems);
    check_operator_auth(&layer, &problems);
    document_dispose(&document);
    if (problems.len == 0)
        fill(file, layer.values);
    layer_dispose(&layer);
    return problems.len ? fail(&problems, name, err) : 0;
}

void operator_file_dispose(struct operator_file *file)
{
    size_t i;

    json_decref(file->defaults);
    json_decref(file->pins);
    for (i = 0; i < ARRAY_LEN(pin_texts); i++)
        wipe_free(*pin_text(file, i)); /* a proxy's URL may hold a password */
    strings_dispose(&file->pin_topics);
    strings_dispose(&file->pin_callbacks);
    strings_dispose(&file->pin_brokers);
    strings_dispose(&file->secret_folders);
    *file = (struct operator_file){0};
}
