/* What is told of a document that is refused: names, places and receivers that are right, and nothing that is in doubt. */
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

static void refuse(struct spec *told, const char *text, const char *operator_text, bool profile)
{
    struct operator_file file = {0};
    struct spec_context context = {
        .name = "spec", .default_id = "task-1", .pid1 = true, .profile = profile, .told = told};
    struct problems problems = {0};
    struct error err = {0};
    struct spec spec;

    spec_dispose(told);
    if (operator_text && operator_file_load(&file, view_of(operator_text), "operator", &err))
        fail_msg("%s", err.message);
    if (operator_text)
        context.operator_file = &file;
    assert_int_equal(spec_load(&spec, view_of(text), &context, &problems, &err), -1);
    problems_dispose(&problems);
    operator_file_dispose(&file);
}

#define WRONG "version: 1\noops: 1\nsource: { repository: u/r }\nartifacts: [{ to: s3://bucket/p/ }]\n"
#define HOOKS                                                                                                          \
    "notify: [{ http: 'https://a.test/${id}' }, { http: 'https://b.test/${project}' }, { http: 'https://c.test/' }]\n"

static void told_of_the_refused(void **state)
{
    struct spec told = {0};

    (void)state;
    refuse(&told, WRONG HOOKS "id: j1\nproject: p1\nlabels: { a: b }\nresult: s3://bucket/${id}\nlog: file:x\n", NULL,
           false);
    assert_string_equal(told.id, "j1");
    assert_string_equal(told.project, "p1");
    assert_int_equal(told.labels.len, 1);
    assert_string_equal(told.result, "s3://bucket/j1");
    assert_null(told.log); /* not permitted */
    assert_int_equal(told.notify_len, 3);
    assert_string_equal(told.notify[0].target, "https://a.test/j1");
    assert_int_equal(told.untold.len, 0);

    refuse(&told,
           WRONG "notify: [{ http: 'http://a.test/' }, { sns: x }, { http: 'https://c.test/', nope: 1 }, { http: "
                 "'https://d.test/' }]\n",
           NULL, false);
    assert_int_equal(told.notify_len, 1);
    assert_int_equal(told.notify[0].index, 3);
    assert_int_equal(told.untold.len, 3);
    assert_string_equal(told.id, "task-1");

    /* A name that is wrong leads nowhere. */
    refuse(&told, WRONG HOOKS "id: 'j 1'\nresult: s3://bucket/${id}\n", NULL, false);
    assert_null(told.id);
    assert_null(told.result);
    assert_int_equal(told.notify_len, 2);
    assert_string_equal(told.notify[0].target, "https://b.test/r");
    refuse(&told, WRONG HOOKS "id: 'j 1'\n", NULL, true);
    assert_int_equal(told.notify_len, 0);
    assert_int_equal(told.untold.len, 1);

    /* Whose storage it is may be what is wrong. */
    refuse(&told,
           "version: 1\nsource: { repository: u/r }\nresult: s3://bucket/r\nartifacts: [{ to: s3://bucket/p/, s3: { "
           "endpoint: x "
           "} }]\n",
           NULL, false);
    assert_null(told.result);
    refuse(&told,
           "version: 1\nsource: { repositry: u/r }\nresult: s3://bucket/r\nartifacts: [{ to: s3://bucket/p/, s3: { "
           "endpoint: "
           "'https://m.test' } }]\n",
           NULL, false);
    assert_string_equal(told.result, "s3://bucket/r");
    assert_string_equal(told.artifacts[0].s3.endpoint, "https://m.test");
    spec_dispose(&told);
}

static void told_by_the_operator(void **state)
{
    static const char operator_text[] =
        "defaults: { notify: [{ http: 'https://ops.test/' }], result: 's3://ops/${id}' }\n";
    struct spec told = {0};
    struct buf text;
    int i;

    (void)state;
    refuse(&told, "a: [", operator_text, false);
    assert_int_equal(told.notify_len, 1);
    assert_string_equal(told.result, "s3://ops/task-1");
    refuse(&told, "- x", operator_text, false);
    assert_int_equal(told.notify_len, 1);
    refuse(&told, "a: [", NULL, false);
    assert_int_equal(told.notify_len, 0);

    /* More mistakes than are noted: one could be of the list that the spec has. */
    buf_init(&text, 100000);
    buf_adds(&text, WRONG "notify: [{ http: 'https://spec.test/' }]\n");
    for (i = 0; i < 120; i++)
        buf_addf(&text, "wrong%d: 1\n", i);
    refuse(&told, buf_text(&text), operator_text, false);
    assert_string_equal(told.notify[0].target, "https://ops.test/");
    refuse(&told, buf_text(&text), NULL, false);
    assert_int_equal(told.notify_len, 0);
    buf_dispose(&text);
    spec_dispose(&told);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(told_of_the_refused),
        cmocka_unit_test(told_by_the_operator),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
