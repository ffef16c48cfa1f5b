/* Images in the struct that the program works with, tags after the checkout, and the names of registries. */
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
#include "spec/names.h"
#include "spec/spec.h"
#include "support/vectors.h"

#define MINUTE INT64_C(60000)
#define COMMIT "0f3c1a9be27d40c58f6a1b2c3d4e5f6071829304"

static int load(struct spec *spec, const char *text, bool pid1, struct error *err)
{
    struct spec_context context = {.name = "spec", .default_id = "task-1", .pid1 = pid1};
    struct problems problems = {0};
    int rc;

    *err = (struct error){0};
    rc = spec_load(spec, view_of(text), &context, &problems, err);
    problems_dispose(&problems);
    return rc;
}

static void load_good(struct spec *spec, const char *text)
{
    struct error err;

    if (load(spec, text, false, &err))
        fail_msg("%s", err.message);
}

static void whole_image(void **state)
{
    struct spec spec;
    struct buf text;

    (void)state;
    assert_true(vectors_read("vectors/spec", "image-whole.yaml", &text));
    load_good(&spec, buf_text(&text));
    assert_int_equal(spec.build.builder, BUILDER_DOCKERFILE);
    assert_string_equal(spec.build.context, "app");
    assert_string_equal(spec.build.dockerfile, "/docker/Dockerfile.api");
    assert_string_equal(spec.build.template, "node20");
    assert_true(spec.build.template_always);
    assert_string_equal(spec.build.target, "runtime");
    assert_string_equal(spec.build.platform, "linux/arm64");
    assert_int_equal(spec.build.args.len, 3);
    assert_string_equal(spec.build.args.items[0].name, "VERSION");
    assert_string_equal(spec.build.args.items[0].value, "1.10");
    assert_int_equal(spec.build.secrets.len, 2);
    assert_string_equal(spec.build.secrets.items[1], "SENTRY");
    assert_true(spec.build.dotenv);
    assert_int_equal(spec.artifacts_len, 0);
    assert_string_equal(spec.image.repository, "123456789012.dkr.ecr.eu-west-1.amazonaws.com/teams/shop");
    assert_int_equal(spec.image.tags.len, 5); /* one of them stands there twice */
    assert_string_equal(spec.image.tags.items[0], "shop-j1");
    assert_string_equal(spec.image.tags.items[1], "feature-Gr--e");
    assert_string_equal(spec.image.tags.items[2], "0f3c1a9");
    assert_string_equal(spec.image.tags.items[3], "v-" COMMIT);
    assert_true(spec.image.create.wanted);
    assert_int_equal(spec.image.create.keep, 10);
    assert_int_equal(spec.image.create.untagged_days, 7);
    assert_true(spec.image.create.scan && spec.image.create.immutable);
    assert_string_equal(spec.image.create.kms_key, "alias/shop");
    assert_int_equal(spec.image.create.tags.len, 2);
    assert_string_equal(spec.image.create.tags.items[1].name, "cost centre");
    assert_int_equal(spec.image.auth.username.kind, VALUE_TEXT);
    assert_int_equal(spec.image.auth.password.kind, VALUE_SECRET);
    assert_int_equal(spec.image.auth.password.at.line, 24);
    assert_string_equal(spec.image.pull_auth.registry, "ghcr.io");
    assert_int_equal(spec.image.pull_auth.username.kind, VALUE_ENV);
    assert_string_equal(spec.image.pull_auth.password.text, "hunter2");
    assert_true(spec.image.skip_existing);
    assert_false(spec.image.insecure);
    assert_int_equal(spec.image.mirrors.len, 2);
    assert_string_equal(spec.image.mirrors.items[1].name, "registry.example:5000");
    assert_string_equal(spec.cache.to, "s3://bkt/cache/shop/");
    assert_int_equal(spec.cache.max_age_ms, 0);
    assert_int_equal(spec.cache.max_bytes, INT64_C(1) << 30);
    assert_int_equal(spec.timeouts.build_ms, 45 * MINUTE);
    spec_dispose(&spec);
    buf_dispose(&text);
}

static void least_image(void **state)
{
    struct spec spec;

    (void)state;
    load_good(&spec, "{version: 1, source: {repository: a/b}, image: {}}");
    assert_int_equal(spec.build.builder, BUILDER_DOCKERFILE);
    assert_string_equal(spec.build.context, ".");
    assert_null(spec.build.dockerfile);
    assert_null(spec.build.template);
    assert_null(spec.build.target);
    assert_null(spec.build.platform);
    assert_string_equal(spec.image.repository, "oci:image");
    assert_int_equal(spec.image.tags.len, 1);
    assert_string_equal(spec.image.tags.items[0], "b-task-1");
    assert_false(spec.image.create.wanted);
    assert_null(spec.image.create.kms_key);
    assert_int_equal(spec.image.auth.username.kind, VALUE_NONE);
    assert_null(spec.image.pull_auth.registry);
    assert_null(spec.image.pull_auth.role);
    assert_false(spec.image.skip_existing);
    assert_null(spec.cache.to);
    assert_int_equal(spec.artifacts_len, 0);
    assert_int_equal(spec.timeouts.build_ms, 20 * MINUTE);
    spec_dispose(&spec);
}

static void pull_role(void **state)
{
    struct spec spec;

    (void)state;
    load_good(&spec, "{version: 1, source: {repository: a/b}, image: {pull_auth: {registry: "
                     "123456789012.dkr-ecr.cn-north-1.on.amazonwebservices.com.cn, role: "
                     "'arn:aws-cn:iam::123456789012:role/ci/pull+1'}}}");
    assert_string_equal(spec.image.pull_auth.role, "arn:aws-cn:iam::123456789012:role/ci/pull+1");
    assert_string_equal(spec.image.pull_auth.registry, "123456789012.dkr-ecr.cn-north-1.on.amazonwebservices.com.cn");
    assert_int_equal(spec.image.pull_auth.password.kind, VALUE_NONE);
    spec_dispose(&spec);
}

/* A job of type test pushes nothing, whatever its spec names, and needs nowhere to push to. */
static void test_job(void **state)
{
    struct spec spec;
    struct error err;

    (void)state;
    assert_int_equal(
        load(&spec, "{version: 1, type: test, source: {repository: a/b}, build: {builder: dockerfile}}", true, &err),
        0);
    assert_null(spec.image.repository);
    spec_dispose(&spec);
    load_good(&spec, "{version: 1, type: test, source: {repository: a/b}, image: {repository: r.example/x}}");
    assert_null(spec.image.repository);
    assert_string_equal(json_text(json_object_get(spec.resolved, "image"), "repository", ""), "r.example/x");
    spec_dispose(&spec);
}

static void created_where_it_can_be(void **state)
{
    static const struct {
        const char *image;
        bool wanted;
    } cases[] = {
        {"repository: 123456789012.dkr.ecr.eu-west-1.amazonaws.com/x", true},
        {"repository: 123456789012.dkr.ecr-fips.us-gov-west-1.amazonaws.com/x", true},
        {"repository: 123456789012.dkr.ecr.cn-north-1.amazonaws.com.cn/x", true},
        {"repository: 123456789012.dkr-ecr.eu-west-1.on.aws/x", true},
        {"repository: 123456789012.dkr-ecr-fips.us-east-1.on.aws/x", true},
        {"repository: 123456789012.dkr.ecr.eu-west-1.amazonaws.com/x, create: true", true},
        {"repository: 123456789012.dkr.ecr.eu-west-1.amazonaws.com/x, create: {}", true},
        {"repository: 123456789012.dkr.ecr.eu-west-1.amazonaws.com/x, create: {scan: false}", true},
        {"repository: 123456789012.dkr.ecr.eu-west-1.amazonaws.com/x, create: false", false},
        {"repository: 12345678901.dkr.ecr.eu-west-1.amazonaws.com/x", false},
        {"repository: 123456789012.dkr.ecr.eu-west-1.amazonaws.com.evil.example/x", false},
        {"repository: 123456789012.dkr.ecr.eu-west-1.amazonaws.com:443/x", false},
        {"repository: 123456789012.dkr.ecr.amazonaws.com/x", false},
        {"repository: public.ecr.aws/x/y", false},
        {"repository: ghcr.io/x/y, create: false", false},
        {"repository: 'oci:x', create: false", false},
    };
    size_t i;

    (void)state;
    for (i = 0; i < ARRAY_LEN(cases); i++) {
        CLEANUP_FREE char *text = xasprintf("{version: 1, source: {repository: a/b}, image: {%s}}", cases[i].image);
        struct spec spec;

        load_good(&spec, text);
        if (spec.image.create.wanted != cases[i].wanted)
            fail_msg("%s: %d", cases[i].image, spec.image.create.wanted);
        spec_dispose(&spec);
    }
}

/* ---- tags ---- */

static const char tags_text[] = "{version: 1, id: j1, project: p1, source: {repository: a/b}, image: {tags: "
                                "['${project}-${id}', '${ref}', 'x.${ref}', '${short_commit}', 'main', '${commit}']}}";

static void tags_after_the_checkout(void **state)
{
    struct error err = {0};
    struct spec spec;

    (void)state;
    load_good(&spec, tags_text);
    assert_int_equal(spec.image.tags.len, 6);
    assert_string_equal(spec.image.tags.items[0], "p1-j1");
    assert_string_equal(spec.image.tags.items[1], "${ref}");
    assert_int_equal(spec_expand(&spec, COMMIT, "refs/heads/feature/\xc3\x9c+x@y", &err), 0);
    assert_int_equal(spec.image.tags.len, 6);
    assert_string_equal(spec.image.tags.items[1], "feature---x-y");
    assert_string_equal(spec.image.tags.items[2], "x.feature---x-y");
    assert_string_equal(spec.image.tags.items[3], "0f3c1a9");
    assert_string_equal(spec.image.tags.items[5], COMMIT);
    /* what is complete stays */
    assert_int_equal(spec_expand(&spec, "ffff", "refs/heads/other", &err), 0);
    assert_string_equal(spec.image.tags.items[1], "feature---x-y");
    spec_dispose(&spec);
    /* two that become one */
    load_good(&spec, tags_text);
    assert_int_equal(spec_expand(&spec, COMMIT, "refs/heads/main", &err), 0);
    assert_int_equal(spec.image.tags.len, 5);
    spec_dispose(&spec);
}

static void tags_that_become_none(void **state)
{
    static const char refs_long[] = "refs/heads/"
                                    "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
                                    "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa";
    static const char *const refs[] = {refs_long, "", "refs/heads/.x", "-x"};
    size_t i;

    (void)state;
    for (i = 0; i < ARRAY_LEN(refs); i++) {
        struct error err = {0};
        struct spec spec;

        load_good(&spec, tags_text);
        assert_int_equal(spec_expand(&spec, COMMIT, refs[i], &err), -1);
        assert_int_equal(err.class, CLASS_SPEC_INVALID);
        assert_string_equal(err.reason, "template-unsafe");
        assert_int_equal(spec.image.tags.len, 6);
        spec_dispose(&spec);
    }
}

/* A branch may be called ${id}: what is put in is never looked at again. */
static void tags_are_expanded_once(void **state)
{
    struct error err = {0};
    struct spec spec;

    (void)state;
    load_good(&spec, "{version: 1, id: j1, source: {repository: a/b, ref: 'x${id}'}, image: {tags: ['${ref}', "
                     "'${ref}.${short_commit}']}}");
    assert_string_equal(spec.image.tags.items[0], "x--id-");
    assert_int_equal(spec_expand(&spec, COMMIT, NULL, &err), 0);
    assert_string_equal(spec.image.tags.items[1], "x--id-.0f3c1a9");
    spec_dispose(&spec);
}

static void parts_of_tags(void **state)
{
    static const char *const cases[][2] = {
        {"main", "main"},
        {"v1.2_3-x", "v1.2_3-x"},
        {"feature/x", "feature-x"},
        {"\xc3\x9c"
         "ber",
         "_ber"},
        {"a\xe2\x82\xac\xe2\x82\xac"
         "b",
         "a--b"},
        {"\xf0\x9f\x98\x80", "_"},
        {"#1", "_1"},
        {"", ""},
    };
    size_t i;

    (void)state;
    for (i = 0; i < ARRAY_LEN(cases); i++) {
        CLEANUP_FREE char *part = image_tag_part(cases[i][0]);

        assert_string_equal(part, cases[i][1]);
    }
    assert_null(image_tag_part(NULL));
}

/* ---- as PID 1 ---- */

static void said_as_pid_1(void **state)
{
    struct spec spec;
    struct error err;

    (void)state;
    assert_int_equal(load(&spec, "{version: 1, source: {repository: a/b}, image: {}}", true, &err), -1);
    assert_non_null(strstr(err.message, "image.repository: is missing"));
    /* one mistake is told once */
    assert_int_equal(load(&spec, "{version: 1, source: {repository: a/b}, image: {repository: x}}", true, &err), -1);
    assert_null(strstr(err.message, "mistakes"));
    assert_int_equal(load(&spec, "{version: 1, source: {repository: a/b}, image: {repository: 'oci:x'}}", true, &err),
                     -1);
    assert_non_null(strstr(err.message, "an oci: target is not allowed"));
    assert_int_equal(
        load(&spec, "{version: 1, source: {repository: a/b}, image: {repository: r.example/x}}", true, &err), 0);
    spec_dispose(&spec);
}

/* What a profile's system sends is not refused for what its builds never see. */
static void env_of_a_profile(void **state)
{
    struct spec_context context = {.name = "profile x", .default_id = "task-1"};
    json_t *document = json_pack("{s:i, s:{s:s}, s:{}, s:{s:s}}", "version", 1, "source", "repository", "a/b", "image",
                                 "env", "A", "b");
    json_t *origins = json_object();
    struct problems problems = {0};
    struct error err = {0};
    struct spec spec;

    (void)state;
    assert_int_equal(spec_load_json(&spec, document, origins, &context, &problems, &err), 0);
    assert_int_equal(spec.env.len, 1);
    spec_dispose(&spec);
    assert_int_equal(load(&spec, "{version: 1, source: {repository: a/b}, image: {}, env: {A: b}}", false, &err), -1);
    assert_int_equal(load(&spec,
                          "{version: 1, source: {repository: a/b}, image: {}, env: {A: b}, build: {dotenv: true}}",
                          false, &err),
                     0);
    spec_dispose(&spec);
    json_decref(document);
    json_decref(origins);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(whole_image),
        cmocka_unit_test(least_image),
        cmocka_unit_test(test_job),
        cmocka_unit_test(pull_role),
        cmocka_unit_test(created_where_it_can_be),
        cmocka_unit_test(tags_after_the_checkout),
        cmocka_unit_test(tags_that_become_none),
        cmocka_unit_test(tags_are_expanded_once),
        cmocka_unit_test(parts_of_tags),
        cmocka_unit_test(said_as_pid_1),
        cmocka_unit_test(env_of_a_profile),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
