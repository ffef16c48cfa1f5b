/* The operator's file as the program works with it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "core/json.h"
#include "core/mem.h"
#include "spec/spec.h"
#include "support/vectors.h"

#define MINUTE INT64_C(60000)

static void operator_struct(void **state)
{
    struct operator_file file;
    struct error err = {0};
    struct buf text;

    (void)state;
    vectors_read("vectors/spec", "operator-pins.operator.yaml", &text);
    assert_int_equal(operator_file_load(&file, view_of(buf_text(&text)), "operator.yaml", &err), 0);
    assert_string_equal(file.pin_bucket, "pinned");
    assert_string_equal(file.pin_prefix, "__outputs/${project}");
    assert_string_equal(file.pin_registry, "registry.example");
    assert_string_equal(file.pin_endpoint, "https://s3.pinned.example");
    assert_string_equal(file.pin_region, "eu-central-1");
    assert_string_equal(file.pin_proxy, "http://user:pw@proxy:3128");
    assert_string_equal(file.pin_no_proxy, "localhost,.internal");
    assert_string_equal(file.pin_ca_bundle, "/etc/ca.pem");
    assert_int_equal(file.pin_topics.len, 1);
    assert_non_null(json_object_get(file.pins, "retry"));
    assert_null(json_object_get(file.pins, "bucket"));
    assert_non_null(json_object_get(file.defaults, "labels"));
    assert_int_equal(file.max.timeout_ms, 60 * MINUTE);
    assert_int_equal(file.max.test_ms, 1500);
    assert_int_equal(file.max.publish_ms, 0);
    assert_int_equal(file.max.output_bytes, (int64_t)1 << 30);
    assert_true(file.allow.plain_brokers && file.allow.private_http);
    assert_true(file.allow.file_targets && file.allow.any_secret_file);
    operator_file_dispose(&file);
    assert_int_equal(operator_file_load(&file, view_of("{}"), "operator.yaml", &err), 0);
    assert_false(file.allow.file_targets);
    assert_null(file.defaults);
    operator_file_dispose(&file);
    buf_dispose(&text);
}

static void operator_limits(void **state)
{
    struct operator_file file;
    struct spec_context context = {.name = "spec", .operator_file = &file, .pid1 = true};
    struct problems problems = {0};
    struct error err = {0};
    struct spec spec;

    (void)state;
    assert_int_equal(
        operator_file_load(
            &file,
            view_of("{max: {limits: {memory: 2GiB, disk: 50%, output: 1MiB, log: 100GiB}, timeouts: {idle: "
                    "1m}}, allow: [any-secret-file]}"),
            "operator.yaml", &err),
        0);
    assert_int_equal(spec_load(&spec,
                               view_of("{version: 1, id: a, source: {repository: a/b}, secrets: {A: {file: /etc/x}}, "
                                       "artifacts: [{to: 's3://bkt/x/'}], timeouts: {idle: 0s}}"),
                               &context, &problems, &err),
                     0);
    /* Different kinds of bounds hold side by side, of one kind the smaller. */
    assert_int_equal(spec.limits.memory.bytes, (int64_t)2 << 30);
    assert_int_equal(spec.limits.memory.percent, 90);
    assert_int_equal(spec.limits.disk.bytes, 0);
    assert_int_equal(spec.limits.disk.percent, 50);
    assert_int_equal(spec.limits.output_bytes, 1 << 20);
    assert_int_equal(spec.limits.log_bytes, 64 << 20);
    assert_string_equal(json_text(spec.origins, "limits.output", ""), "operator (max)");
    assert_string_equal(json_text(spec.origins, "limits.log", ""), "default");
    assert_int_equal(spec.timeouts.idle_ms, MINUTE);
    assert_string_equal(json_text(spec.origins, "timeouts.idle", ""), "operator (max)");
    spec_dispose(&spec);
    operator_file_dispose(&file);
}

/* What is pinned of images stands beside the keys of the spec, and is not one of them. */
static void operator_image(void **state)
{
    struct operator_file file;
    struct error err = {0};

    (void)state;
    assert_int_equal(
        operator_file_load(
            &file,
            view_of(
                "{pins: {registry: 'Registry.Example:5000/team', ecr_endpoint: "
                "'https://ecr.internal/', sts_endpoint: 'https://sts.internal', image: {create: {keep: 3}}}, defaults: "
                "{image: {mirrors: {Docker.io: m.example}}}}"),
            "operator.yaml", &err),
        0);
    assert_string_equal(file.pin_registry, "registry.example:5000/team");
    assert_string_equal(file.pin_ecr_endpoint, "https://ecr.internal");
    assert_string_equal(file.pin_sts_endpoint, "https://sts.internal");
    assert_null(json_object_get(file.pins, "registry"));
    assert_null(json_object_get(file.pins, "ecr_endpoint"));
    assert_null(json_object_get(file.pins, "sts_endpoint"));
    assert_int_equal(json_int(json_object_get(json_object_get(file.pins, "image"), "create"), "keep", 0), 3);
    assert_string_equal(json_text(json_object_get(json_object_get(file.defaults, "image"), "mirrors"), "docker.io", ""),
                        "m.example");
    operator_file_dispose(&file);
}

/* The registry's pin is met by what lies beneath it, and by nothing that only begins like it. */
static void operator_registry(void **state)
{
    static const struct {
        const char *pin, *repository;
        bool good;
    } cases[] = {
        {"registry.example", "registry.example/a", true},
        {"registry.example", "REGISTRY.example/a/b", true},
        {"registry.example/", "registry.example/a", true},
        {"registry.example/team/", "registry.example/teams/a", false},
        {"registry.example//", NULL, false},
        {"registry.example/team", "registry.example/team/a", true},
        {"registry.example/team", "registry.example/team", true},
        {"registry.example/team", "registry.example/teams/a", false},
        {"registry.example/team", "registry.example/a", false},
        {"registry.example", "registry.example.evil/a", false},
        {"registry.example", "registry.example:443/a", false},
        {"registry.example:5000", "registry.example/a", false},
        {"registry.example", "oci:registry.example/a", true},
        {"registry.example/team", "registry.example/${project}", false},
        {"registry.example/shop", "registry.example/${project}/x", true},
        {"https://registry.example", NULL, false},
        {"team", NULL, false},
    };
    size_t i;

    (void)state;
    for (i = 0; i < ARRAY_LEN(cases); i++) {
        CLEANUP_FREE char *pins = xasprintf("{pins: {registry: '%s'}}", cases[i].pin);
        CLEANUP_FREE char *text =
            xasprintf("{version: 1, project: shop, source: {repository: a/b}, image: {repository: "
                      "'%s'}}",
                      cases[i].repository ? cases[i].repository : "");
        struct operator_file file;
        struct spec_context context = {.name = "spec", .default_id = "task-1", .operator_file = &file};
        struct problems problems = {0};
        struct error err = {0};
        struct spec spec;
        int rc = operator_file_load(&file, view_of(pins), "operator.yaml", &err);

        assert_int_equal(rc == 0, cases[i].repository != NULL);
        if (rc == 0) {
            rc = spec_load(&spec, view_of(text), &context, &problems, &err);
            if (rc != (cases[i].good ? 0 : -1))
                fail_msg("%s, %s: %d %s", cases[i].pin, cases[i].repository, rc, err.message);
            if (rc)
                assert_non_null(strstr(err.message, "does not lie beneath"));
            spec_dispose(&spec);
        }
        problems_dispose(&problems);
        operator_file_dispose(&file);
    }
}

/* "a" is not beneath "ab", and nothing of a template leads out of the prefix. */
static void operator_prefix(void **state)
{
    struct operator_file file;
    struct spec_context context = {.name = "spec", .operator_file = &file};
    struct problems problems = {0};
    struct error err = {0};
    struct spec spec;

    (void)state;
    assert_int_equal(
        operator_file_load(&file, view_of("{pins: {bucket: pinned, prefix: 'out/${project}'}}"), "operator.yaml", &err),
        0);
    assert_int_equal(spec_load(&spec,
                               view_of("{version: 1, id: a, project: p, source: {repository: a/b}, artifacts: [{to: "
                                       "'s3://bkt/out/p2/'}, {to: 's3://${ref}/${ref}/'}, {to: 's3://bkt/out/p/x'}], "
                                       "result: 's3://bkt/out/p'}"),
                               &context, &problems, &err),
                     0);
    assert_string_equal(spec.artifacts[0].to, "s3://pinned/out/p/out/p2/");
    assert_string_equal(spec.artifacts[2].to, "s3://pinned/out/p/x/");
    assert_string_equal(spec.result, "s3://pinned/out/p/out/p");
    assert_int_equal(spec_expand(&spec, "abc", "evil/../..", &err), -1);
    assert_int_equal(spec_expand(&spec, "abc", "main", &err), 0);
    assert_string_equal(spec.artifacts[1].to, "s3://pinned/out/p/main/");
    spec_dispose(&spec);
    operator_file_dispose(&file);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(operator_struct), cmocka_unit_test(operator_limits),   cmocka_unit_test(operator_prefix),
        cmocka_unit_test(operator_image),  cmocka_unit_test(operator_registry),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
