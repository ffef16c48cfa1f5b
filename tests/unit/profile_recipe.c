/* A profile made by the recipe in profiles/profiles.c: one file, and its name in the list. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "core/json.h"
#include "core/mem.h"
#include "profiles/profile.h"
#include "spec/spec.h"

static const char *format_at(size_t index)
{
    const struct event_format *format = profile_format_at(index);

    return format ? format->name : NULL;
}

/* What `caisson plan` prints from. */
static void plan(const char *message, struct spec *spec, struct profile_job *job)
{
    struct spec_context context = {.name = "example", .default_id = "x", .profile = true, .format_at = format_at};
    struct problems problems = {0};
    struct strings env = {0};
    struct profile_input input = {.env = &env, .message = message, .message_name = "standard input"};
    struct error err = {0};

    if (!message) {
        strings_add(&env, "EXAMPLE_REPOSITORY=https://github.com/acme/site");
        strings_add(&env, "EXAMPLE_JOB=7");
    }
    strings_add(&env, "EXAMPLE_HOOK=https://example.com/hook");
    strings_add(&env, "EXAMPLE_OTHER=1");
    strings_add(&env, "OWN=yes");
    if (profile_apply(profile_find("example"), &input, job, &err))
        fail_msg("%s", err.message);
    if (spec_load_json(spec, job->document, job->origins, &context, &problems, &err))
        fail_msg("%s", err.message);
    strings_dispose(&env);
}

static void from_variables(void **state)
{
    struct profile_job job = {0};
    struct spec spec;

    (void)state;
    plan(NULL, &spec, &job);
    assert_string_equal(spec.id, "7");
    assert_string_equal(spec.source.repository, "https://github.com/acme/site");
    assert_int_equal(spec.env.len, 1);
    assert_string_equal(spec.env.items[0].name, "OWN");
    assert_true(strings_has(&job.withheld, "EXAMPLE_OTHER"));
    assert_int_equal(spec.notify_len, 1);
    assert_string_equal(spec.notify[0].format, "example");
    assert_string_equal(json_text(spec.origins, "notify[0].http", ""), "profile variable EXAMPLE_HOOK");
    spec_dispose(&spec);
    profile_job_dispose(&job);
}

static void from_a_message(void **state)
{
    struct profile_job job = {0};
    struct spec spec;

    (void)state;
    plan("{\"repo\": \"https://github.com/acme/other\", \"job\": 8}", &spec, &job);
    assert_string_equal(spec.id, "8");
    assert_string_equal(spec.source.repository, "https://github.com/acme/other");
    assert_int_equal(spec.env.len, 0);
    assert_string_equal(json_text(spec.origins, "id", ""), "profile message job");
    spec_dispose(&spec);
    profile_job_dispose(&job);
}

static void what_it_is_told(void **state)
{
    const struct event_job about = {.run = "r", .id = "7"};
    json_t *result = json_pack("{s:s}", "status", "succeeded");
    struct event event = {.kind = EVENT_FINISHED, .step = "", .result = result};
    struct outbox outbox = {0};

    (void)state;
    assert_non_null(profile_format("example"));
    profile_format("example")->encode(&(struct format_options){.max_body = 1000}, &about, &event, &outbox);
    assert_int_equal(outbox.len, 1);
    assert_string_equal(outbox.items[0].body, "{\"job\":\"7\",\"ok\":true}");
    outbox_dispose(&outbox);
    json_decref(result);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(from_variables), cmocka_unit_test(from_a_message),
                                       cmocka_unit_test(what_it_is_told)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
