/* The operator's file: by the same parser, with its own table. */
#include <string.h>

#include "core/clock.h"
#include "core/mem.h"
#include "spec/document.h"
#include "spec/parse.h"
#include "spec/problems.h"
#include "spec/resolve.h"
#include "spec/values.h"

static void fill_pins(struct operator_file *file, const json_t *pins)
{
    static const char *const own[] = {"bucket",           "prefix",       "registry",    "endpoint",  "region",
                                      "ssm_endpoint",     "proxy",        "no_proxy",    "ca_bundle", "topics",
                                      "secrets_endpoint", "ecr_endpoint", "sts_endpoint"};
    size_t i;

    file->pin_bucket = value_text(pins, "bucket");
    file->pin_prefix = value_text(pins, "prefix");
    file->pin_registry = value_text(pins, "registry");
    file->pin_endpoint = value_text(pins, "endpoint");
    file->pin_ssm_endpoint = value_text(pins, "ssm_endpoint");
    file->pin_secrets_endpoint = value_text(pins, "secrets_endpoint");
    file->pin_ecr_endpoint = value_text(pins, "ecr_endpoint");
    file->pin_sts_endpoint = value_text(pins, "sts_endpoint");
    file->pin_region = value_text(pins, "region");
    file->pin_proxy = value_text(pins, "proxy");
    file->pin_no_proxy = value_text(pins, "no_proxy");
    file->pin_ca_bundle = value_text(pins, "ca_bundle");
    value_list(&file->pin_topics, json_object_get(pins, "topics"));
    file->pins = json_deep_copy(pins);
    for (i = 0; i < ARRAY_LEN(own); i++)
        json_object_del(file->pins, own[i]);
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
    json_decref(file->defaults);
    json_decref(file->pins);
    cleanup_free(&file->pin_bucket);
    cleanup_free(&file->pin_prefix);
    cleanup_free(&file->pin_registry);
    cleanup_free(&file->pin_endpoint);
    cleanup_free(&file->pin_ssm_endpoint);
    cleanup_free(&file->pin_secrets_endpoint);
    cleanup_free(&file->pin_ecr_endpoint);
    cleanup_free(&file->pin_sts_endpoint);
    cleanup_free(&file->pin_region);
    wipe_free(file->pin_proxy);
    cleanup_free(&file->pin_no_proxy);
    cleanup_free(&file->pin_ca_bundle);
    strings_dispose(&file->pin_topics);
    strings_dispose(&file->secret_folders);
    *file = (struct operator_file){0};
}
