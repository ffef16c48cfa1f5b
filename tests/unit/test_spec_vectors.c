/* Replays tests/vectors: YAML and JSON to trees, bad specs to messages, good specs to what they mean. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "core/mem.h"
#include "spec/document.h"
#include "spec/spec.h"
#include "support/vectors.h"

#define OUT_MAX ((size_t)4 << 20)
#define NOW_MS INT64_C(1780000000000) /* 2026-05-28 */

static const char *const texts[] = {".yaml", ".json", NULL};
static const char operator_suffix[] = ".operator.yaml";

/* ---- trees ---- */

static void dump(const struct node *node, int depth, struct buf *out)
{
    size_t i;

    if (node->kind == NODE_SCALAR) {
        json_t *text = json_string(node->text);
        char *quoted = json_dumps(text, JSON_ENCODE_ANY);

        buf_addf(out, " %d:%d %s%s\n", node->at.line, node->at.column, node->plain ? "plain " : "", quoted);
        free(quoted);
        json_decref(text);
        return;
    }
    buf_addf(out, " %d:%d %s of %zu\n", node->at.line, node->at.column, node->kind == NODE_MAP ? "map" : "list",
             node->len);
    for (i = 0; i < node->len; i++) {
        buf_addf(out, "%*s%s", depth * 2, "", node->entries[i].key ? node->entries[i].key : "-");
        if (node->entries[i].key)
            buf_addf(out, " (%d:%d):", node->entries[i].at.line, node->entries[i].at.column);
        dump(node->entries[i].value, depth + 1, out);
    }
}

static void trees(void **state)
{
    struct strings names = {0};
    struct buf out;
    size_t i;

    (void)state;
    buf_init(&out, OUT_MAX);
    vectors_list("vectors/yaml", texts, NULL, &names);
    for (i = 0; i < names.len; i++) {
        struct problems problems = {0};
        struct document document;
        struct buf text;

        vectors_read("vectors/yaml", names.items[i], &text);
        buf_addf(&out, "== %s\n", names.items[i]);
        if (document_parse(&document, (struct view){text.data, text.len}, &problems) == 0)
            dump(document.root, 0, &out);
        problems_print(&problems, names.items[i], &out);
        document_dispose(&document);
        problems_dispose(&problems);
        buf_dispose(&text);
    }
    vectors_expect("vectors/yaml", "expected.txt", buf_text(&out));
    buf_dispose(&out);
    strings_dispose(&names);
}

/* ---- specs ---- */

struct loaded {
    struct operator_file operator_file;
    struct spec spec;
    struct problems problems;
    struct error err;
    int rc;
};

static bool load_operator(const char *folder, const char *name, struct operator_file *file)
{
    CLEANUP_FREE char *operator_name = xasprintf("%.*s%s", (int)(strlen(name) - 5), name, operator_suffix);
    struct error err = {0};
    struct buf text;
    bool found = vectors_read(folder, operator_name, &text);

    if (found && operator_file_load(file, (struct view){text.data, text.len}, operator_name, &err))
        fail_msg("%s", err.message);
    buf_dispose(&text);
    return found;
}

/* A name that begins with pid1- is loaded as PID 1 does; NAME.operator.yaml beside NAME.yaml is the operator's file. */
static void load(const char *folder, const char *name, struct loaded *loaded)
{
    struct spec_context context = {.name = name, .default_id = "task-1", .now_ms = NOW_MS};
    struct buf text;

    *loaded = (struct loaded){0};
    if (load_operator(folder, name, &loaded->operator_file))
        context.operator_file = &loaded->operator_file;
    context.pid1 = strncmp(name, "pid1-", 5) == 0;
    vectors_read(folder, name, &text);
    loaded->rc = spec_load(&loaded->spec, (struct view){text.data ? text.data : "", text.len}, &context,
                           &loaded->problems, &loaded->err);
    buf_dispose(&text);
}

static void unload(struct loaded *loaded)
{
    spec_dispose(&loaded->spec);
    problems_dispose(&loaded->problems);
    operator_file_dispose(&loaded->operator_file);
}

static void errors(void **state)
{
    struct strings names = {0};
    struct buf out;
    size_t i;

    (void)state;
    buf_init(&out, OUT_MAX);
    vectors_list("vectors/spec-errors", texts, operator_suffix, &names);
    for (i = 0; i < names.len; i++) {
        struct loaded loaded;

        load("vectors/spec-errors", names.items[i], &loaded);
        if (loaded.rc == 0)
            fail_msg("%s is accepted", names.items[i]);
        assert_int_equal(loaded.err.class, CLASS_SPEC_INVALID);
        assert_true(loaded.problems.len > 0);
        assert_null(loaded.spec.resolved);
        problems_print(&loaded.problems, names.items[i], &out);
        unload(&loaded);
    }
    vectors_expect("vectors/spec-errors", "expected.txt", buf_text(&out));
    /* What stands where a credential may stand is never repeated. */
    assert_null(strstr(buf_text(&out), "hunter2"));
    assert_null(strstr(buf_text(&out), "secret-1"));
    assert_null(strchr(buf_text(&out), '\033'));
    buf_dispose(&out);
    strings_dispose(&names);
}

static void meanings(void **state)
{
    struct strings names = {0};
    size_t i;

    (void)state;
    vectors_list("vectors/spec", texts, operator_suffix, &names);
    for (i = 0; i < names.len; i++) {
        CLEANUP_FREE char *expected = xasprintf("%.*s.plan", (int)(strlen(names.items[i]) - 5), names.items[i]);
        struct loaded loaded;
        json_t *plan;
        char *text;

        load("vectors/spec", names.items[i], &loaded);
        if (loaded.rc)
            fail_msg("%s", loaded.err.message);
        plan = json_pack("{s:O, s:O}", "spec", loaded.spec.resolved, "origins", loaded.spec.origins);
        text = json_dumps(plan, JSON_INDENT(2));
        vectors_expect("vectors/spec", expected, text);
        free(text);
        json_decref(plan);
        unload(&loaded);
    }
    strings_dispose(&names);
}

static void operator_errors(void **state)
{
    struct strings names = {0};
    struct buf out;
    size_t i;

    (void)state;
    buf_init(&out, OUT_MAX);
    vectors_list("vectors/operator-errors", texts, NULL, &names);
    for (i = 0; i < names.len; i++) {
        struct operator_file file;
        struct error err = {0};
        struct buf text;

        vectors_read("vectors/operator-errors", names.items[i], &text);
        assert_int_equal(
            operator_file_load(&file, (struct view){text.data ? text.data : "", text.len}, names.items[i], &err), -1);
        assert_int_equal(err.class, CLASS_SPEC_INVALID);
        assert_string_equal(err.reason, "operator-file-invalid");
        buf_addf(&out, "%s\n%s\n", err.message, err.hint);
        operator_file_dispose(&file);
        buf_dispose(&text);
    }
    vectors_expect("vectors/operator-errors", "expected.txt", buf_text(&out));
    buf_dispose(&out);
    strings_dispose(&names);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(trees),
        cmocka_unit_test(errors),
        cmocka_unit_test(meanings),
        cmocka_unit_test(operator_errors),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
