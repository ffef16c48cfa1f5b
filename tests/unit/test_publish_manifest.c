/* The state document, the stamp of objects and the plan drawn from them. */
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
#include "publish/manifest.h"
#include "publish/plan.h"

#define SHA_A "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
#define SHA_B "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb"
#define CLAIM                                                                                                          \
    "\"schema\":\"caisson.manifest/1\",\"target\":\"s3://b/\",\"claim\":{\"job_id\":\"j\",\"created_at_ms\":5,"        \
    "\"claimed_at_ms\":6,\"state\":\"done\",\"nonce\":\"0123456789abcdef0123456789abcdef\"}"

static struct content content_of(const char *sha256, int form)
{
    struct content content = {.form = form, .size = 3};

    memcpy(content.sha256, sha256, strlen(sha256) + 1);
    memcpy(content.meta, "0123456789abcdef", META_SIZE);
    return content;
}

static int parse(struct manifest *manifest, const char *text, struct error *err)
{
    return manifest_parse(manifest, view_of(text), "the state", err);
}

static void test_round_trip(void **state)
{
    struct manifest manifest, again;
    struct intent intents[] = {
        {.path = (char *)(uintptr_t) "z.js",
         .content = content_of(SHA_B, 1),
         .settled_at_ms = 5,
         .write_settled_at_ms = 4},
        {.path = (char *)(uintptr_t) "a.js", .remove = true, .expects = true, .expected = content_of(SHA_A, 0)},
    };
    struct pending pending = {
        .job_id = (char *)(uintptr_t) "x", .created_at_ms = 7, .settled_at_ms = 8, .intents = intents, .len = 2};
    struct content a = content_of(SHA_A, 0), b = content_of(SHA_B, 1);
    struct buf text;

    (void)state;
    manifest_init(&manifest);
    manifest.target = xstrdup("s3://b/p/");
    manifest.state = CLAIM_COMMITTING;
    manifest.job_id = xstrdup("job");
    manifest.created_at_ms = 1;
    manifest.claimed_at_ms = 2;
    memcpy(manifest.nonce, "0123456789abcdef0123456789abcdef", MANIFEST_NONCE_SIZE);
    manifest_add_file(&manifest, "b/\xc3\xa4 \"q\".js", &b, "\"e-1\"");
    manifest_add_file(&manifest, "a.js", &a, NULL);
    manifest_add_pending(&manifest, &pending);
    buf_init(&text, 65536);
    assert_int_equal(manifest_format(&manifest, &text, NULL), 0);
    assert_int_equal(parse(&again, buf_text(&text), NULL), 0);
    assert_string_equal(again.target, "s3://b/p/");
    assert_int_equal(again.state, CLAIM_COMMITTING);
    assert_int_equal(again.files_len, 2);
    assert_null(manifest_find(&again, "a.js")->etag);
    assert_string_equal(manifest_find(&again, "b/\xc3\xa4 \"q\".js")->etag, "\"e-1\"");
    assert_true(content_same(&manifest_find(&again, "a.js")->content, &a));
    assert_int_equal(manifest_find(&again, "b/\xc3\xa4 \"q\".js")->content.form, 1);
    assert_null(manifest_find(&again, "c"));
    assert_int_equal(again.pending_len, 1);
    assert_int_equal(again.pending[0].settled_at_ms, 8);
    assert_true(pending_find(&again.pending[0], "a.js")->remove);
    assert_true(pending_find(&again.pending[0], "a.js")->expects);
    assert_false(pending_find(&again.pending[0], "z.js")->expects);
    assert_int_equal(pending_settled_at(&again.pending[0], pending_find(&again.pending[0], "z.js")), 5);
    assert_int_equal(pending_find(&again.pending[0], "z.js")->write_settled_at_ms, 4);
    assert_int_equal(pending_settled_at(&again.pending[0], pending_find(&again.pending[0], "a.js")), 8);
    manifest_dispose(&again);

    buf_dispose(&text);
    buf_init(&text, 64);
    assert_int_equal(manifest_format(&manifest, &text, NULL), -1);
    buf_dispose(&text);
    manifest_dispose(&manifest);
}

static void test_hostile_documents(void **state)
{
    static const char *const bad[] = {
        "",
        "[]",
        "{}",
        "{\"schema\":\"caisson.manifest/2\"}",
        "{" CLAIM "}",
        "{" CLAIM ",\"files\":[]}",
        "{" CLAIM ",\"files\":{\"a\":1}}",
        "{" CLAIM ",\"files\":{\"../a\":{\"sha256\":\"\",\"size\":1}}}",
        "{" CLAIM ",\"files\":{\"/a\":{\"sha256\":\"\",\"size\":1}}}",
        "{" CLAIM ",\"files\":{\"a//b\":{\"sha256\":\"\",\"size\":1}}}",
        "{" CLAIM ",\"files\":{\"a\\nb\":{\"sha256\":\"\",\"size\":1}}}",
        "{" CLAIM ",\"files\":{\"a\":{\"sha256\":\"xyz\",\"size\":1}}}",
        "{" CLAIM ",\"files\":{\"a\":{\"sha256\":\"" SHA_A "\",\"size\":-1}}}",
        "{" CLAIM ",\"files\":{\"a\":{\"sha256\":\"" SHA_A "\",\"size\":1,\"form\":2}}}",
        "{" CLAIM ",\"files\":{\"a\":{\"sha256\":\"" SHA_A "\",\"size\":1,\"etag\":\"x\\r\\ny: z\"}}}",
        "{" CLAIM ",\"files\":{\"a\":{\"sha256\":\"\",\"size\":1},\"a\":{\"sha256\":\"\",\"size\":1}}}",
        "{" CLAIM ",\"files\":{},\"pending\":{}}",
        "{" CLAIM ",\"files\":{},\"pending\":[1]}",
        "{" CLAIM ",\"files\":{},\"pending\":[{\"intents\":{\"../x\":{\"remove\":true}}}]}",
        "{" CLAIM ",\"files\":{},\"pending\":[{\"intents\":{\"x\":{}}}]}",
        "{\"schema\":\"caisson.manifest/1\",\"claim\":{\"job_id\":\"j\",\"created_at_ms\":5,\"state\":\"odd\","
        "\"nonce\":\"0123456789abcdef0123456789abcdef\"},\"files\":{}}",
        "{\"schema\":\"caisson.manifest/1\",\"claim\":{\"job_id\":\"\",\"created_at_ms\":5,\"state\":\"done\","
        "\"nonce\":\"0123456789abcdef0123456789abcdef\"},\"files\":{}}",
        "{\"schema\":\"caisson.manifest/1\",\"claim\":{\"job_id\":\"j\",\"created_at_ms\":5,\"state\":\"done\","
        "\"nonce\":\"0123\"},\"files\":{}}",
    };
    struct manifest manifest;
    struct error err;
    size_t i;

    (void)state;
    for (i = 0; i < ARRAY_LEN(bad); i++) {
        memset(&err, 0, sizeof err);
        if (parse(&manifest, bad[i], &err) == 0)
            fail_msg("taken: %s", bad[i]);
        assert_string_equal(err.reason, "bad-manifest");
        assert_null(manifest.files);
    }
}

static void test_stamp(void **state)
{
    struct content content = content_of(SHA_A, 1), read;
    char stamp[STAMP_SIZE];

    (void)state;
    stamp_format(&content, "s3://b/p/", stamp);
    assert_true(stamp_parse(stamp, "s3://b/p/", &read));
    assert_true(content_same(&content, &read));
    assert_int_equal(read.form, 1);
    assert_false(stamp_parse(stamp, "s3://b/p/q/", &read)); /* a prefix within */
    assert_false(stamp_parse(NULL, "s3://b/p/", &read));
    assert_false(stamp_parse("", "s3://b/p/", &read));
    assert_false(stamp_parse("1/", "s3://b/p/", &read));
    stamp[strlen(stamp) - 1] = '7';
    assert_false(stamp_parse(stamp, "s3://b/p/", &read));
    stamp_format(&content, "s3://b/p/", stamp);
    stamp[20] = 'G';
    assert_false(stamp_parse(stamp, "s3://b/p/", &read));
}

static void test_same(void **state)
{
    struct content a = content_of(SHA_A, 0), b = content_of(SHA_A, 1), c = content_of(SHA_B, 0), unknown = {0};

    (void)state;
    assert_true(content_same(&a, &b));
    assert_false(content_same(&a, &c));
    assert_false(content_same(&unknown, &unknown));
    assert_false(content_same_etag(&a, &b));
    assert_false(content_same_etag(&a, &c));
    assert_true(content_same_etag(&a, &unknown)); /* it might */
    a.meta[0] = 'f';
    assert_false(content_same(&a, &b));
}

/* ---- the plan ---- */

#define NOW 100000000

struct scene {
    struct tree tree;
    struct tree_file files[4];
    struct manifest manifest;
    struct plan plan;
};

static void add_tree_file(struct scene *scene, const char *path, const char *sha256)
{
    struct tree_file *file = &scene->files[scene->tree.len++];

    file->path = (char *)(uintptr_t)path;
    file->content = content_of(sha256, 0);
    scene->tree.files = scene->files;
}

static void add_pending(struct scene *scene, const char *path, bool expects, int form, int64_t settled_at_ms)
{
    struct intent intent = {.path = (char *)(uintptr_t)path,
                            .expects = expects,
                            .expected = content_of(SHA_A, form),
                            .content = content_of(expects ? SHA_B : SHA_A, form)};
    struct pending pending = {
        .job_id = (char *)(uintptr_t) "o", .settled_at_ms = settled_at_ms, .intents = &intent, .len = 1};

    manifest_add_pending(&scene->manifest, &pending);
}

static const struct plan_item *plan_of(struct scene *scene, enum publish_mode mode, const char *path)
{
    size_t i;

    manifest_sort_files(&scene->manifest);
    plan_dispose(&scene->plan);
    manifest_thin_pending(&scene->manifest, NOW);
    plan_make(&scene->plan, &scene->tree, &scene->manifest, mode);
    for (i = 0; i < scene->plan.len; i++)
        if (strcmp(scene->plan.items[i].path, path) == 0)
            return &scene->plan.items[i];
    return NULL;
}

static void end_scene(struct scene *scene)
{
    plan_dispose(&scene->plan);
    manifest_dispose(&scene->manifest);
}

static void test_plan(void **state)
{
    struct scene scene = {0};
    struct content a = content_of(SHA_A, 0), b = content_of(SHA_B, 0);

    (void)state;
    add_tree_file(&scene, "changed", SHA_A);
    add_tree_file(&scene, "new", SHA_A);
    add_tree_file(&scene, "same", SHA_A);
    manifest_add_file(&scene.manifest, "same", &a, "\"1\"");
    manifest_add_file(&scene.manifest, "changed", &b, "\"2\"");
    manifest_add_file(&scene.manifest, "gone", &a, "\"3\"");
    assert_int_equal(plan_of(&scene, PUBLISH_MIRROR, "same")->kind, PLAN_KEEP);
    assert_int_equal(plan_of(&scene, PUBLISH_MIRROR, "new")->kind, PLAN_CREATE);
    assert_int_equal(plan_of(&scene, PUBLISH_MIRROR, "changed")->kind, PLAN_OVERWRITE);
    assert_string_equal(plan_of(&scene, PUBLISH_MIRROR, "changed")->etag, "\"2\"");
    assert_int_equal(plan_of(&scene, PUBLISH_MIRROR, "gone")->kind, PLAN_REMOVE);
    assert_null(plan_of(&scene, PUBLISH_ADD, "gone"));
    assert_false(plan_is_empty(&scene.plan));
    end_scene(&scene);
}

/* An unfinished publish expects "same" as it is: it must not stay with that ETag. */
static void test_plan_fences(void **state)
{
    struct scene scene = {0};
    struct content a = content_of(SHA_A, 0);
    const struct plan_item *item;

    (void)state;
    add_tree_file(&scene, "same", SHA_A);
    manifest_add_file(&scene.manifest, "same", &a, "\"1\"");
    add_pending(&scene, "same", true, 0, 0);
    item = plan_of(&scene, PUBLISH_MIRROR, "same");
    assert_int_equal(item->kind, PLAN_OVERWRITE);
    assert_int_equal(item->content.form, 1);
    assert_true(item->probe);
    /* settled a moment ago: still not with that ETag, but nobody needs to look */
    scene.manifest.pending[0].settled_at_ms = NOW - PENDING_KEPT_MS + 1;
    item = plan_of(&scene, PUBLISH_MIRROR, "same");
    assert_int_equal(item->kind, PLAN_OVERWRITE);
    assert_int_equal(item->content.form, 1);
    assert_false(item->probe);
    /* it has the other form by now: fine */
    scene.manifest.files[0].content.form = 1;
    assert_int_equal(plan_of(&scene, PUBLISH_MIRROR, "same")->kind, PLAN_KEEP);
    scene.manifest.files[0].content.form = 0;
    /* settled so long ago that S3 would refuse what is still under way */
    scene.manifest.pending[0].settled_at_ms = NOW - PENDING_KEPT_MS - 1;
    assert_int_equal(plan_of(&scene, PUBLISH_MIRROR, "same")->kind, PLAN_KEEP);
    /* both forms expected: the one that is expected for longer */
    add_pending(&scene, "same", true, 0, 0);
    add_pending(&scene, "same", true, 1, 0);
    item = plan_of(&scene, PUBLISH_MIRROR, "same");
    assert_int_equal(item->content.form, 0);
    end_scene(&scene);
}

static const struct intent *intent_of(const struct manifest *manifest, const char *path, int64_t *settled_at_ms)
{
    const struct intent *intent = NULL;
    size_t i;

    for (i = 0; i < manifest->pending_len && !intent; i++) {
        intent = pending_find(&manifest->pending[i], path);
        if (intent)
            *settled_at_ms = pending_settled_at(&manifest->pending[i], intent);
    }
    return intent;
}

/* More lists than are kept: their intents go each in its own time. */
static void test_thin(void **state)
{
    struct scene scene = {0};
    int64_t settled_at_ms = -1;
    char path[16];
    int i;

    (void)state;
    for (i = 1; i <= 30; i++) {
        snprintf(path, sizeof path, "path-%02d", i);
        add_pending(&scene, path, false, 0, NOW + i);
        add_pending(&scene, "again", false, 0, NOW + i);
        manifest_thin_pending(&scene.manifest, NOW + i);
    }
    assert_int_equal(scene.manifest.pending_len, 8);
    assert_non_null(intent_of(&scene.manifest, "path-01", &settled_at_ms));
    assert_int_equal(settled_at_ms, NOW + 1);
    manifest_thin_pending(&scene.manifest, NOW + 10 + PENDING_KEPT_MS);
    assert_null(intent_of(&scene.manifest, "path-09", &settled_at_ms));
    assert_non_null(intent_of(&scene.manifest, "path-10", &settled_at_ms));
    assert_non_null(intent_of(&scene.manifest, "again", &settled_at_ms));
    manifest_thin_pending(&scene.manifest, NOW + 31 + PENDING_KEPT_MS);
    assert_int_equal(scene.manifest.pending_len, 0);
    end_scene(&scene);
}

/* What nobody has looked at yet stays so, and makes nothing of the others' younger. */
static void test_thin_unsettled(void **state)
{
    struct scene scene = {0};
    int64_t settled_at_ms = -1;
    int i;

    (void)state;
    add_pending(&scene, "settled", false, 0, NOW);
    add_pending(&scene, "both", false, 0, NOW);
    for (i = 0; i < 8; i++)
        add_pending(&scene, i ? "open" : "both", false, 0, 0);
    manifest_thin_pending(&scene.manifest, NOW);
    assert_int_equal(scene.manifest.pending_len, 8);
    assert_non_null(intent_of(&scene.manifest, "settled", &settled_at_ms));
    assert_int_equal(settled_at_ms, NOW);
    assert_non_null(intent_of(&scene.manifest, "both", &settled_at_ms));
    assert_int_equal(settled_at_ms, 0);
    for (i = 0; i < 8; i++) /* as the end of a publish does */
        scene.manifest.pending[i].settled_at_ms = NOW + 100;
    manifest_thin_pending(&scene.manifest, NOW + 100 + PENDING_KEPT_MS);
    assert_null(intent_of(&scene.manifest, "settled", &settled_at_ms));
    assert_non_null(intent_of(&scene.manifest, "both", &settled_at_ms));
    assert_non_null(intent_of(&scene.manifest, "open", &settled_at_ms));
    end_scene(&scene);
}

/* Each of many publishes was to remove what the first one would have written: that write is over in its own time. */
static void test_thin_removed_again(void **state)
{
    struct scene scene = {0};
    struct intent removal = {.path = (char *)(uintptr_t) "stray", .remove = true};
    struct pending pending = {.job_id = (char *)(uintptr_t) "o", .intents = &removal, .len = 1};
    const struct intent *intent;
    int64_t settled_at_ms = -1;
    int i;

    (void)state;
    add_pending(&scene, "stray", false, 0, NOW);
    for (i = 1; i <= 20; i++) {
        pending.settled_at_ms = NOW + i;
        manifest_add_pending(&scene.manifest, &pending);
        manifest_thin_pending(&scene.manifest, NOW + i);
    }
    intent = intent_of(&scene.manifest, "stray", &settled_at_ms);
    assert_false(intent->remove);
    assert_string_equal(intent->content.sha256, SHA_A);
    assert_true(settled_at_ms > NOW);
    manifest_thin_pending(&scene.manifest, NOW + 1 + PENDING_KEPT_MS);
    intent = intent_of(&scene.manifest, "stray", &settled_at_ms);
    assert_true(intent->remove);
    assert_string_equal(intent->content.sha256, "");
    end_scene(&scene);
}

static void test_plan_strays(void **state)
{
    struct scene scene = {0};
    const struct plan_item *item;

    (void)state;
    add_tree_file(&scene, "created", SHA_A);
    add_pending(&scene, "stray", false, 0, 0);
    add_pending(&scene, "stray", false, 1, 0);
    add_pending(&scene, "created", false, 0, 0);
    item = plan_of(&scene, PUBLISH_MIRROR, "stray");
    assert_int_equal(item->kind, PLAN_REMOVE);
    assert_true(item->probe);
    assert_int_equal(scene.plan.removals, 1);
    item = plan_of(&scene, PUBLISH_MIRROR, "created"); /* its creator may remove it again */
    assert_int_equal(item->kind, PLAN_OVERWRITE);
    assert_int_equal(item->content.form, 1);
    assert_null(plan_of(&scene, PUBLISH_ADD, "stray"));
    end_scene(&scene);
}

static void test_plan_file_in_the_place_of_a_folder(void **state)
{
    struct scene scene = {0};
    struct content a = content_of(SHA_A, 0);

    (void)state;
    add_tree_file(&scene, "file-now", SHA_A);
    add_tree_file(&scene, "folder-now/x/y", SHA_A);
    manifest_add_file(&scene.manifest, "file-now/x", &a, "\"1\"");
    manifest_add_file(&scene.manifest, "folder-now", &a, "\"1\"");
    manifest_add_file(&scene.manifest, "other", &a, "\"1\"");
    assert_true(plan_of(&scene, PUBLISH_MIRROR, "file-now")->blocked);
    assert_true(plan_of(&scene, PUBLISH_MIRROR, "file-now/x")->blocks);
    assert_true(plan_of(&scene, PUBLISH_MIRROR, "folder-now/x/y")->blocked);
    assert_true(plan_of(&scene, PUBLISH_MIRROR, "folder-now")->blocks);
    assert_false(plan_of(&scene, PUBLISH_MIRROR, "other")->blocks);
    end_scene(&scene);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_round_trip),
        cmocka_unit_test(test_hostile_documents),
        cmocka_unit_test(test_stamp),
        cmocka_unit_test(test_same),
        cmocka_unit_test(test_plan),
        cmocka_unit_test(test_plan_fences),
        cmocka_unit_test(test_thin),
        cmocka_unit_test(test_thin_unsettled),
        cmocka_unit_test(test_thin_removed_again),
        cmocka_unit_test(test_plan_strays),
        cmocka_unit_test(test_plan_file_in_the_place_of_a_folder),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
