/* The operator's file: by the same parser, with its own table. */
#include <string.h>

#include "core/clock.h"
#include "core/mem.h"
#include "spec/document.h"
#include "spec/parse.h"
#include "spec/problems.h"

static char *text_of(const json_t *object, const char *key)
{
    return xstrdup(json_string_value(json_object_get(object, key)));
}

static int64_t duration_of(const json_t *object, const char *key)
{
    const char *text = json_string_value(json_object_get(object, key));
    int64_t ms = 0;

    return text && duration_parse(text, &ms) == 0 ? ms : 0;
}

static int64_t size_of(const json_t *object, const char *key)
{
    const char *text = json_string_value(json_object_get(object, key));
    int64_t bytes = 0;

    return text && size_parse(text, &bytes) == 0 ? bytes : 0;
}

static void list_of(struct strings *list, const json_t *array)
{
    size_t i;

    for (i = 0; i < json_array_size(array); i++)
        strings_add(list, json_string_value(json_array_get(array, i)));
}

static void fill_pins(struct operator_file *file, const json_t *pins)
{
    static const char *const own[] = {"bucket", "prefix",   "registry",  "endpoint", "region",
                                      "proxy",  "no_proxy", "ca_bundle", "topics"};
    size_t i;

    file->pin_bucket = text_of(pins, "bucket");
    file->pin_prefix = text_of(pins, "prefix");
    file->pin_registry = text_of(pins, "registry");
    file->pin_endpoint = text_of(pins, "endpoint");
    file->pin_region = text_of(pins, "region");
    file->pin_proxy = text_of(pins, "proxy");
    file->pin_no_proxy = text_of(pins, "no_proxy");
    file->pin_ca_bundle = text_of(pins, "ca_bundle");
    list_of(&file->pin_topics, json_object_get(pins, "topics"));
    file->pins = json_deep_copy(pins);
    for (i = 0; i < ARRAY_LEN(own); i++)
        json_object_del(file->pins, own[i]);
}

static void fill_max(struct operator_file *file, const json_t *max)
{
    const json_t *timeouts = json_object_get(max, "timeouts");
    const json_t *limits = json_object_get(max, "limits");

    file->max.timeout_ms = duration_of(max, "timeout");
    file->max.checkout_ms = duration_of(timeouts, "checkout");
    file->max.install_ms = duration_of(timeouts, "install");
    file->max.build_ms = duration_of(timeouts, "build");
    file->max.test_ms = duration_of(timeouts, "test");
    file->max.publish_ms = duration_of(timeouts, "publish");
    file->max.idle_ms = duration_of(timeouts, "idle");
    file->max.output_bytes = size_of(limits, "output");
    file->max.log_bytes = size_of(limits, "log");
}

static void fill_allow(struct operator_file *file, const json_t *allow)
{
    struct strings words = {0};

    list_of(&words, allow);
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
    list_of(&file->secret_folders, json_object_get(values, "secret_folders"));
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
    cleanup_free(&file->pin_region);
    wipe_free(file->pin_proxy);
    cleanup_free(&file->pin_no_proxy);
    cleanup_free(&file->pin_ca_bundle);
    strings_dispose(&file->pin_topics);
    strings_dispose(&file->secret_folders);
    *file = (struct operator_file){0};
}
