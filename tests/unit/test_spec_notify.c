/* Whom a job is told to, as the program gets it, and under a profile. What single texts and keys must look like is in
 * vectors/spec-errors/notify-*. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "core/mem.h"
#include "spec/spec.h"

static const char head[] = "version: 1\nid: j1\nproject: shop\nsource: { repository: user/repo }\n"
                           "artifacts: [{ to: \"s3://bucket/a/\" }]\n";

struct loaded {
    struct operator_file file;
    struct spec spec;
    struct problems problems;
    struct error err;
    int rc;
};

static void load(struct loaded *loaded, const char *notify, const char *file, struct spec_context context)
{
    CLEANUP_FREE char *text = xasprintf("%snotify:\n%s", head, notify);

    *loaded = (struct loaded){0};
    if (file && operator_file_load(&loaded->file, view_of(file), "operator.yaml", &loaded->err))
        fail_msg("%s", loaded->err.message);
    context.operator_file = file ? &loaded->file : NULL;
    context.name = "job.yaml";
    loaded->rc = spec_load(&loaded->spec, view_of(text), &context, &loaded->problems, &loaded->err);
}

static void unload(struct loaded *loaded)
{
    spec_dispose(&loaded->spec);
    problems_dispose(&loaded->problems);
    operator_file_dispose(&loaded->file);
}

static void whole(void **state)
{
    struct loaded loaded;
    const struct spec_notify *notify;

    (void)state;
    load(&loaded,
         "- { http: \"https://ci.example.com/${id}?a=b\", secret: { ssm: /hook }, token: tok, api_key: { env: KEY },\n"
         "    headers: { X-A: b }, events: [status, log], mode: binary, ca_bundle: /etc/ca.pem }\n"
         "- { kafka: \"k1:9092,k2:9092\", username: { env: U }, password: { file: /p }, topic: \"t-${project}\" }\n"
         "- { github: source, token: t, link: \"https://ci.example.com/${id}\" }\n"
         "- { amqp: \"amqps://r/v\", username: u, password: p, exchange: e, routing_key: \"${id}\", sasl: null }\n"
         "- { cloudwatch_logs: g, events: [] }\n",
         NULL, (struct spec_context){0});
    if (loaded.rc)
        fail_msg("%s", loaded.err.message);
    assert_int_equal(loaded.spec.notify_len, 5);

    notify = &loaded.spec.notify[0];
    assert_string_equal(notify->type, "http");
    assert_string_equal(notify->target, "https://ci.example.com/j1?a=b");
    assert_int_equal(notify->secret.kind, VALUE_SSM);
    assert_string_equal(notify->secret.text, "/hook");
    assert_int_equal(notify->token.kind, VALUE_TEXT);
    assert_string_equal(notify->token.text, "tok");
    assert_int_equal(notify->api_key.kind, VALUE_ENV);
    assert_int_equal(notify->password.kind, VALUE_NONE);
    assert_int_equal(notify->headers.len, 1);
    assert_string_equal(notify->headers.items[0].value, "b");
    assert_int_equal(notify->events.len, 2);
    assert_string_equal(notify->events.items[1], "log");
    assert_true(notify->binary);
    assert_string_equal(notify->format, "cloudevents");
    assert_string_equal(notify->ca_bundle, "/etc/ca.pem");
    assert_int_equal(notify->at.line, 7);
    assert_int_equal(notify->secret.at.line, 7);
    assert_false(notify->plain || notify->private_http);

    notify = &loaded.spec.notify[1];
    assert_string_equal(notify->target, "k1:9092,k2:9092");
    assert_string_equal(notify->topic, "t-shop");
    assert_string_equal(notify->sasl, "plain");
    assert_null(notify->key);
    assert_false(notify->binary);

    notify = &loaded.spec.notify[2];
    assert_string_equal(notify->target, "user/repo");
    assert_string_equal(notify->context, "caisson");
    assert_string_equal(notify->link, "https://ci.example.com/j1");

    notify = &loaded.spec.notify[3];
    assert_string_equal(notify->exchange, "e");
    assert_string_equal(notify->routing_key, "j1");

    notify = &loaded.spec.notify[4];
    assert_string_equal(notify->stream, "caisson/j1");
    assert_string_equal(notify->format, "plain");
    assert_int_equal(notify->events.len, 0);
    unload(&loaded);
}

/* Who said that it may: nobody need on a developer's machine for loopback, the operator else. */
static void permissions(void **state)
{
    static const struct {
        const char *notify, *file;
        bool pid1, plain, private_http;
    } rows[] = {
        {"- { http: \"http://localhost:1/x\" }\n", NULL, false, true, true},
        {"- { redis: \"redis://127.0.0.1\", channel: c }\n", NULL, false, true, true},
        {"- { redis: \"redis://r\", channel: c }\n", "allow: [plain-brokers]", true, true, false},
        {"- { http: \"http://r/\" }\n", "allow: [private-http]", true, false, true},
        {"- { http: \"https://r/\" }\n", "allow: [file-targets]", true, false, false},
        {"- { kafka: \"kafka://localhost:1,[::1]:2\", topic: t }\n", NULL, false, true, true},
    };
    size_t i;

    (void)state;
    for (i = 0; i < ARRAY_LEN(rows); i++) {
        struct loaded loaded;

        load(&loaded, rows[i].notify, rows[i].file, (struct spec_context){.pid1 = rows[i].pid1});
        if (loaded.rc)
            fail_msg("%zu: %s", i, loaded.err.message);
        assert_int_equal(loaded.spec.notify[0].plain, rows[i].plain);
        assert_int_equal(loaded.spec.notify[0].private_http, rows[i].private_http);
        unload(&loaded);
    }
}

/* Under a profile the target is a variable that a tenant may have sent a second time. */
static void credentials_of_a_profile(void **state)
{
    static const struct {
        const char *notify, *file;
        bool good;
    } rows[] = {
        {"- { http: \"https://a.example/x\" }\n", NULL, true},
        {"- { http: \"https://a.example/x\", token: t }\n", NULL, false},
        {"- { http: \"https://a.example/x\", secret: t }\n", NULL, false},
        {"- { http: \"https://a.example/x\", api_key: t }\n", NULL, false},
        {"- { http: \"https://a.example/x\", headers: { X-Token: t } }\n", NULL, false},
        {"- { http: \"https://a.example/x\", token: t }\n", "pins: { callbacks: [\"https://a.example/\"] }", true},
        {"- { http: \"https://b.example/x\", token: t }\n", "pins: { callbacks: [\"https://a.example/\"] }", false},
        {"- { http: \"https://a.example/x\", token: t }\n", "pins: { brokers: [a.example] }", false},
        {"- { github: a/b, token: t }\n", NULL, true},
        {"- { redis: \"rediss://r.example\", channel: c, password: p }\n", NULL, false},
        {"- { redis: \"rediss://r.example\", channel: c, password: p }\n", "pins: { brokers: [r.example] }", true},
        {"- { redis: \"rediss://r.example\", channel: c, password: p }\n", "pins: { brokers: [\"r.example:1\"] }",
         false},
        {"- { redis: \"redis://r.example\", channel: c }\n", "allow: [plain-brokers]", true},
        {"- { sns: \"arn:aws:sns:eu-west-1:123456789012:t\" }\n", NULL, true},
    };
    size_t i;

    (void)state;
    for (i = 0; i < ARRAY_LEN(rows); i++) {
        struct loaded loaded;

        load(&loaded, rows[i].notify, rows[i].file, (struct spec_context){.profile = true, .pid1 = true});
        if ((loaded.rc == 0) != rows[i].good)
            fail_msg("%zu: %s", i, loaded.rc ? loaded.err.message : "is accepted");
        if (!rows[i].good)
            assert_non_null(strstr(loaded.problems.items[0].hint, "pins: {"));
        unload(&loaded);
    }
}

/* What the operator says himself is bound by none of his pins, and credentials of his go where he says. */
static void entries_of_the_operator(void **state)
{
    struct loaded loaded;

    (void)state;
    load(&loaded, "- { http: \"https://a.example/x\" }\n",
         "pins: { callbacks: [\"https://b.example/\"], topics: [x],\n"
         "        notify: [{ http: \"https://c.example/\", token: t }, { eventbridge: y }] }",
         (struct spec_context){.profile = true, .pid1 = true});
    if (loaded.rc)
        fail_msg("%s", loaded.err.message);
    assert_int_equal(loaded.spec.notify_len, 2);
    assert_string_equal(loaded.spec.notify[0].target, "https://c.example/");
    assert_string_equal(json_string_value(json_object_get(loaded.spec.origins, "notify[1].eventbridge")), "operator");
    unload(&loaded);
}

static const char *format_at(size_t index)
{
    static const char *const names[] = {"cloudevents", "plain", "veren-frontend"};

    return index < ARRAY_LEN(names) ? names[index] : NULL;
}

static void formats(void **state)
{
    const struct spec_context context = {.format_at = format_at};
    struct loaded loaded;

    (void)state;
    load(&loaded, "- { file: a, format: plain }\n- { file: b }\n- { file: c, format: veren-frontend }\n", NULL,
         context);
    if (loaded.rc)
        fail_msg("%s", loaded.err.message);
    unload(&loaded);

    load(&loaded, "- { file: a, format: plian }\n- { file: b, format: splunk }\n", NULL, context);
    assert_int_equal(loaded.rc, -1);
    assert_int_equal(loaded.problems.len, 2);
    assert_string_equal(loaded.problems.items[0].path, "notify[0].format");
    assert_int_equal(loaded.problems.items[0].at.line, 7);
    assert_int_equal(loaded.problems.items[0].at.column, 22);
    assert_string_equal(loaded.problems.items[0].message, "no format is called plian");
    assert_string_equal(loaded.problems.items[0].hint, "did you mean plain?");
    assert_string_equal(loaded.problems.items[1].hint, "there are cloudevents, plain, veren-frontend");
    unload(&loaded);
}

/* No message repeats what may be a credential, and no plan shows one. */
static void secrets_stay_hidden(void **state)
{
    struct loaded loaded;
    char *plan;

    (void)state;
    load(&loaded,
         "- { http: \"https://ci.example.com/x?sig=hunter2\", secret: hunter2, token: hunter2, api_key: hunter2,\n"
         "    headers: { X-A: hunter2 } }\n"
         "- { amqp: \"amqps://r/v\", username: u, password: hunter2, exchange: e }\n",
         NULL, (struct spec_context){0});
    if (loaded.rc)
        fail_msg("%s", loaded.err.message);
    plan = json_dumps(loaded.spec.resolved, 0);
    assert_null(strstr(plan, "hunter2"));
    assert_non_null(strstr(plan, "https://ci.example.com/x?***"));
    assert_string_equal(loaded.spec.notify[0].target, "https://ci.example.com/x?sig=hunter2");
    free(plan);
    unload(&loaded);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(whole),
        cmocka_unit_test(permissions),
        cmocka_unit_test(credentials_of_a_profile),
        cmocka_unit_test(entries_of_the_operator),
        cmocka_unit_test(formats),
        cmocka_unit_test(secrets_stay_hidden),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
