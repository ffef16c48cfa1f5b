/* The operator's logins go to the operator's own registries, whatever a spec names. */
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

#define ROBOT "auth: {username: robot, password: {file: /run/secrets/robot}}"
#define PULLER "pull_auth: {registry: r.corp.example, username: robot, password: {file: /run/secrets/robot}}"

struct loaded {
    struct operator_file file;
    struct spec spec;
    struct error err;
    int rc;
};

static void load(struct loaded *loaded, const char *operator_text, const char *image)
{
    CLEANUP_FREE char *text = xasprintf("{version: 1, project: shop, source: {repository: a/b}, build: {builder: "
                                        "dockerfile}, image: {%s}}",
                                        image);
    struct spec_context context = {.name = "spec", .default_id = "task-1", .operator_file = &loaded->file};
    struct problems problems = {0};

    *loaded = (struct loaded){0};
    if (operator_file_load(&loaded->file, view_of(operator_text), "operator.yaml", &loaded->err))
        fail_msg("%s", loaded->err.message);
    loaded->rc = spec_load(&loaded->spec, view_of(text), &context, &problems, &loaded->err);
    problems_dispose(&problems);
}

static void unload(struct loaded *loaded)
{
    spec_dispose(&loaded->spec);
    operator_file_dispose(&loaded->file);
}

static void push_login(void **state)
{
    static const struct {
        const char *operator_text, *image;
        bool held;
    } cases[] = {
        {"{pins: {registry: r.corp.example/team}, defaults: {image: {" ROBOT "}}}",
         "repository: r.corp.example/team/shop", true},
        {"{pins: {registry: r.corp.example/team, image: {" ROBOT "}}}", "repository: r.corp.example/team/shop", true},
        {"{defaults: {image: {repository: 'r.corp.example/${project}', " ROBOT "}}}", "tags: [a]", true},
        {"{defaults: {image: {" ROBOT "}}, pins: {image: {repository: 'r.corp.example/${project}'}}}",
         "repository: evil.example/x", true}, /* which goes to the operator's */
        {"{defaults: {image: {repository: 'r.corp.example/${project}', " ROBOT "}}}",
         "repository: 'r.corp.example/${project}'", true},
        {"{defaults: {image: {repository: 'r.corp.example/${project}', " ROBOT "}}}", "repository: evil.example/x",
         false},
        {"{defaults: {image: {repository: r.corp.example/shop, " ROBOT "}}}", "repository: r.corp.example/other",
         false},
        {"{defaults: {image: {repository: r.corp.example/shop}}, pins: {image: {" ROBOT "}}}",
         "repository: evil.example/x", false},
        {"{defaults: {image: {repository: r.corp.example/shop, " ROBOT "}}}", "repository: 127.0.0.1:5000/x", false},
        {"{pins: {registry: r.corp.example/team}, defaults: {image: {" ROBOT "}}}", "repository: 'oci:x'", false},
        {"{pins: {registry: r.corp.example/team}, defaults: {image: {" ROBOT "}}}", "tags: [a]", false}, /* oci:image */
    };
    size_t i;

    (void)state;
    for (i = 0; i < ARRAY_LEN(cases); i++) {
        struct loaded loaded;

        load(&loaded, cases[i].operator_text, cases[i].image);
        if (loaded.rc)
            fail_msg("%zu: %s", i, loaded.err.message);
        if ((loaded.spec.image.auth.password.kind != VALUE_NONE) != cases[i].held ||
            (loaded.spec.image.auth.username.kind != VALUE_NONE) != cases[i].held)
            fail_msg("%zu: %s goes to %s", i, cases[i].held ? "no login" : "the operator's login",
                     loaded.spec.image.repository);
        /* plan shows what holds */
        assert_int_equal(json_object_get(json_object_get(loaded.spec.resolved, "image"), "auth") != NULL,
                         cases[i].held);
        assert_int_equal(json_object_get(loaded.spec.origins, "image.auth.password.file") != NULL, cases[i].held);
        unload(&loaded);
    }
}

/* The job's own login stays the job's, and half of one is never filled up with the operator's other half. */
static void login_of_the_spec(void **state)
{
    static const char operator_text[] = "{defaults: {image: {repository: r.corp.example/shop, " ROBOT "}}}";
    struct loaded loaded;

    (void)state;
    load(&loaded, operator_text, "repository: ghcr.io/x, auth: {username: me, password: {env: MINE}}");
    assert_int_equal(loaded.rc, 0);
    assert_string_equal(loaded.spec.image.auth.username.text, "me");
    assert_int_equal(loaded.spec.image.auth.password.kind, VALUE_ENV);
    unload(&loaded);
    load(&loaded, operator_text, "repository: evil.example/x, auth: {username: me}");
    assert_int_equal(loaded.rc, -1);
    assert_non_null(strstr(loaded.err.message, "image.auth.password: is missing"));
    unload(&loaded);
    load(&loaded, "{defaults: {image: {repository: r.corp.example/shop}}, pins: {image: {" ROBOT "}}}",
         "repository: ghcr.io/x, auth: {username: me, password: {env: MINE}}");
    assert_int_equal(loaded.rc, -1);
    assert_non_null(strstr(loaded.err.message, "image.auth.password: the operator's file pins a login in its place"));
    unload(&loaded);
}

static void pull_login(void **state)
{
    static const struct {
        const char *operator_text, *image, *problem;
    } cases[] = {
        {"{defaults: {image: {" PULLER "}}}", "tags: [a]", NULL},
        {"{defaults: {image: {" PULLER "}}}", "pull_auth: {registry: r.corp.example}", NULL},
        {"{pins: {image: {" PULLER "}}}", "pull_auth: {registry: evil.example}", NULL}, /* which is not asked */
        {"{defaults: {image: {" PULLER "}}}", "pull_auth: {registry: evil.example}",
         "image.pull_auth.password: is missing"},
        {"{defaults: {image: {" PULLER "}}}", "pull_auth: {registry: evil.example, username: me}",
         "image.pull_auth.password: is missing"},
        {"{pins: {image: {pull_auth: {username: robot, password: {file: /run/secrets/robot}}}}}",
         "pull_auth: {registry: evil.example, username: me, password: {env: MINE}}",
         "image.pull_auth.password: the operator's file pins a login in its place"},
    };
    size_t i;

    (void)state;
    for (i = 0; i < ARRAY_LEN(cases); i++) {
        struct loaded loaded;

        load(&loaded, cases[i].operator_text, cases[i].image);
        if (cases[i].problem) {
            assert_int_equal(loaded.rc, -1);
            if (!strstr(loaded.err.message, cases[i].problem))
                fail_msg("%zu: %s", i, loaded.err.message);
        } else {
            if (loaded.rc)
                fail_msg("%zu: %s", i, loaded.err.message);
            assert_string_equal(loaded.spec.image.pull_auth.registry, "r.corp.example");
            assert_int_equal(loaded.spec.image.pull_auth.password.kind, VALUE_FILE);
        }
        unload(&loaded);
    }
}

/* Nobody but the operator may send the operator's password, or an image for the operator's registry, in the clear. */
static void plain_http(void **state)
{
    static const struct {
        const char *operator_text, *image;
        bool good;
    } cases[] = {
        {"{}", "repository: r.corp.example/team/x, insecure: true", true},
        {"{pins: {registry: r.corp.example}}", "repository: r.corp.example/x, insecure: true", false},
        {"{pins: {registry: r.corp.example}}", "repository: r.corp.example/x, insecure: false", true},
        {"{pins: {registry: r.corp.example}}",
         "repository: r.corp.example/x, insecure: true, auth: {username: me, password: {env: MINE}}", false},
        {"{pins: {registry: r.corp.example}, defaults: {image: {insecure: true}}}", "repository: r.corp.example/x",
         true},
        {"{pins: {registry: r.corp.example}, defaults: {image: {insecure: true}}}",
         "repository: r.corp.example/x, insecure: true", true},
        {"{pins: {registry: r.corp.example, image: {insecure: true}}}", "repository: r.corp.example/x, insecure: true",
         true},
        {"{pins: {registry: r.corp.example, image: {insecure: false}}}", "repository: r.corp.example/x, insecure: true",
         true}, /* which the pin undoes */
        {"{defaults: {image: {repository: r.corp.example/x, " ROBOT "}}}", "insecure: true", false},
        {"{defaults: {image: {repository: r.corp.example/x, " ROBOT "}}}", "repository: mine.example/x, insecure: true",
         true}, /* without the operator's login */
        {"{defaults: {image: {repository: r.corp.example/x}}}", "insecure: true", true},
    };
    size_t i;

    (void)state;
    for (i = 0; i < ARRAY_LEN(cases); i++) {
        struct loaded loaded;

        load(&loaded, cases[i].operator_text, cases[i].image);
        if (loaded.rc != (cases[i].good ? 0 : -1))
            fail_msg("%zu: %d %s", i, loaded.rc, loaded.err.message);
        if (loaded.rc)
            assert_non_null(strstr(loaded.err.message, "image.insecure: "));
        unload(&loaded);
    }
}

/* A login that could hold for nothing is a mistake of the operator's file, told where it was made. */
static void login_for_nothing(void **state)
{
    static const char *const bad[] = {"{defaults: {image: {" ROBOT "}}}", "{pins: {image: {" ROBOT "}}}",
                                      "{pins: {bucket: pinned}, defaults: {image: {tags: [a], " ROBOT "}}}"};
    size_t i;

    (void)state;
    for (i = 0; i < ARRAY_LEN(bad); i++) {
        struct operator_file file;
        struct error err = {0};

        assert_int_equal(operator_file_load(&file, view_of(bad[i]), "operator.yaml", &err), -1);
        assert_string_equal(err.reason, "operator-file-invalid");
        assert_non_null(strstr(err.message, "image.auth: holds for no repository"));
        operator_file_dispose(&file);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(push_login), cmocka_unit_test(login_of_the_spec), cmocka_unit_test(pull_login),
        cmocka_unit_test(plain_http), cmocka_unit_test(login_for_nothing),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
