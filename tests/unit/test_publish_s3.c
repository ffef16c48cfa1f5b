/* Publishing to an S3 server that checks every signature and honours conditions. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <sys/stat.h>
#include <unistd.h>

#include "aws/s3.h"
#include "core/clock.h"
#include "core/mem.h"
#include "publish/publish.h"
#include "support/publish_bed.h"
#include "support/skip.h"

#define FIRST "\nassets/app-1.js=one()\nindex.html=<h1>one</h1>\nrobots.txt=allow\n"

static int setup(void **state)
{
    struct publish_bed *bed = xcalloc(1, sizeof *bed);

    publish_bed_init(bed);
    publish_bed_s3(bed);
    *state = bed;
    return 0;
}

static int teardown(void **state)
{
    publish_bed_dispose(*state);
    free(*state);
    return 0;
}

/* Each test has the first site in its output and a prefix of its own. */
static struct publish_bed *begin(void **state)
{
    struct publish_bed *bed = *state;

    if (!bed->has_server)
        skip_because("no versitygw");
    bed->stop = false;
    bed->stop_at_committing = NULL;
    bed_remove(bed, "site");
    bed_write(bed, "site/index.html", "<h1>one</h1>");
    bed_write(bed, "site/assets/app-1.js", "one()");
    bed_write(bed, "site/robots.txt", "allow");
    return bed;
}

static void check(struct publish_bed *bed, struct publish_request *request, const char *reason)
{
    const char *got = bed_publish(bed, request);

    if (strcmp(got, reason) != 0)
        fail_msg("expected \"%s\", got \"%s\": %s", reason, got, bed->error.message);
}

static void expect(struct publish_bed *bed, const char *prefix, const char *job, int64_t at, enum publish_mode mode,
                   const char *reason)
{
    struct publish_request request;

    bed_request_s3(bed, &request, prefix, job, BED_TIME + at, mode);
    check(bed, &request, reason);
}

static void expect_objects(struct publish_bed *bed, const char *prefix, const char *objects)
{
    CLEANUP_FREE char *found = bed_objects(bed, prefix);

    assert_string_equal(found, objects);
}

static void remove_object(struct publish_bed *bed, const char *key)
{
    CLEANUP_FREE char *path = bed_object_path(bed, key);

    assert_int_equal(unlink(path), 0);
}

/* One request of somebody else's. The value of a header of the answer; caller frees. */
static char *other_program(struct publish_bed *bed, const char *method, const char *key, const char *body,
                           const char *header)
{
    struct credentials_source source = {.kind = CREDENTIALS_STATIC,
                                        .fixed = {.access_key = (char *)(uintptr_t)VERSITYGW_ACCESS,
                                                  .secret_key = (char *)(uintptr_t)VERSITYGW_SECRET}};
    struct http_client *client = http_client_new(bed->loop, &(struct http_options){0});
    struct credentials_provider *provider = credentials_provider_new(&source, client);
    struct s3_options options = {
        .bucket = VERSITYGW_BUCKET, .region = VERSITYGW_REGION, .endpoint = bed->server.endpoint};
    struct s3 *s3;
    struct s3_call call;
    char *value;

    assert_int_equal(s3_new(&s3, client, provider, &options, NULL), 0);
    s3_call_init(&call, method, key);
    call.body = view_of(body);
    assert_int_equal(s3_perform(s3, &call, NULL), 0);
    value = xstrdup(http_response_header(&call.response, header));
    s3_call_dispose(&call);
    s3_free(s3);
    credentials_provider_free(provider);
    http_client_free(client);
    return value;
}

static void write_object(struct publish_bed *bed, const char *prefix, const char *key, const char *text)
{
    CLEANUP_FREE char *whole = xasprintf("%s/%s", prefix, key);
    CLEANUP_FREE char *etag = other_program(bed, "PUT", whole, text, "etag");

    assert_non_null(etag);
}

static char *header_of(struct publish_bed *bed, const char *key, const char *name)
{
    return other_program(bed, "HEAD", key, "", name);
}

static void expect_header(struct publish_bed *bed, const char *key, const char *name, const char *value)
{
    CLEANUP_FREE char *found = header_of(bed, key, name);

    if (value)
        assert_string_equal(found ? found : "(none)", value);
    else
        assert_null(found);
}

static void test_mirror(void **state)
{
    struct publish_bed *bed = begin(state);

    expect(bed, "m/site/", "a", 0, PUBLISH_MIRROR, "");
    expect_objects(bed, "m/site", FIRST);
    assert_int_equal(bed->result.written, 3);
    assert_string_equal(bed->result.url, "s3://" VERSITYGW_BUCKET "/m/site/");
    expect_header(bed, "m/site/index.html", "content-type", "text/html; charset=utf-8");
    expect_header(bed, "m/site/assets/app-1.js", "content-type", "text/javascript; charset=utf-8");
    expect_header(bed, "m/site/index.html", "cache-control", NULL);
    expect_header(bed, ".caisson/m~1site/manifest.json", "content-type", "application/json");

    bed_remove(bed, "site/assets");
    bed_write(bed, "site/assets/app-2.js", "two()");
    bed_write(bed, "site/index.html", "<h1>two</h1>");
    write_object(bed, "m/site", "theirs.txt", "keep");
    expect(bed, "m/site", "b", 1, PUBLISH_MIRROR, "");
    expect_objects(bed, "m/site",
                   "\nassets/app-2.js=two()\nindex.html=<h1>two</h1>\nrobots.txt=allow\ntheirs.txt=keep\n");
    assert_int_equal(bed->result.removed, 1);
    assert_int_equal(bed->result.written, 2);
    assert_int_equal(bed->result.unchanged, 1);
}

static void test_unchanged_takes_four_requests(void **state)
{
    struct publish_bed *bed = begin(state);

    expect(bed, "u/", "a", 0, PUBLISH_MIRROR, "");
    expect(bed, "u/", "b", 1, PUBLISH_MIRROR, "");
    assert_int_equal(bed->result.unchanged, 3);
    assert_true(bed->result.requests <= 4);
    expect(bed, "u/", "a", 0, PUBLISH_MIRROR, "superseded");
}

static void test_changed_headers_are_a_change(void **state)
{
    struct publish_bed *bed = begin(state);
    struct publish_request request;

    expect(bed, "h/", "a", 0, PUBLISH_MIRROR, "");
    bed_write(bed, "site/assets/app-1.js.gz", "gz");
    bed_write(bed, "site/archive.gz", "gz");
    bed_request_s3(bed, &request, "h/", "b", BED_TIME + 1, PUBLISH_MIRROR);
    request.headers_len = 2;
    request.headers = xcalloc(2, sizeof *request.headers);
    request.headers[0].match = xstrdup("assets/**");
    request.headers[0].cache_control = xstrdup("public, max-age=31536000, immutable");
    request.headers[1].match = xstrdup("**");
    request.headers[1].cache_control = xstrdup("no-cache");
    request.headers[1].content_language = xstrdup("en");
    check(bed, &request, "");
    assert_int_equal(bed->result.written, 5);
    expect_header(bed, "h/assets/app-1.js", "cache-control", "public, max-age=31536000, immutable");
    expect_header(bed, "h/assets/app-1.js", "content-language", NULL);
    expect_header(bed, "h/index.html", "cache-control", "no-cache");
    expect_header(bed, "h/index.html", "content-language", "en");
    expect_header(bed, "h/assets/app-1.js.gz", "content-encoding", "gzip");
    expect_header(bed, "h/assets/app-1.js.gz", "content-type", "text/javascript; charset=utf-8");
    expect_header(bed, "h/archive.gz", "content-encoding", NULL);
    expect_header(bed, "h/archive.gz", "content-type", "application/gzip");
}

static void test_large_files(void **state)
{
    struct publish_bed *bed = begin(state);
    CLEANUP_FREE char *object = NULL, *path = NULL;
    struct stat st;

    bed_write_size(bed, "site/video.mp4", (size_t)20 << 20, 1);
    bed_write_size(bed, "site/medium.bin", (size_t)3 << 20, 2);
    bed_write(bed, "site/empty.txt", "");
    expect(bed, "l/", "a", 0, PUBLISH_MIRROR, "");
    path = bed_object_path(bed, "l/video.mp4");
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_size, 20 << 20);
    object = header_of(bed, "l/video.mp4", "etag");
    assert_non_null(strstr(object, "-3\""));
    expect(bed, "l/", "a", 0, PUBLISH_MIRROR, "");
    assert_int_equal(bed->result.written, 0);
}

static void test_mirror_refuses_foreign_objects(void **state)
{
    struct publish_bed *bed = begin(state);
    struct publish_request request;

    write_object(bed, "f", "robots.txt", "theirs");
    expect(bed, "f/", "a", 0, PUBLISH_MIRROR, "foreign-object");
    expect_objects(bed, "f", "\nrobots.txt=theirs\n");
    write_object(bed, "g", "index.html", "theirs");
    expect(bed, "g/", "a", 0, PUBLISH_MIRROR, "foreign-object");
    expect_objects(bed, "g", "\nindex.html=theirs\n");
    /* neither left a claim */
    bed_request_s3(bed, &request, "g/", "0", BED_TIME - 1, PUBLISH_MIRROR);
    request.adopt = true;
    check(bed, &request, "");
    expect_objects(bed, "g", FIRST);
    expect(bed, "f/", "b", 0, PUBLISH_ADD, "");
    expect_objects(bed, "f", FIRST);
}

static void adopt(struct publish_bed *bed, const char *prefix, const char *job, int64_t at)
{
    struct publish_request request;

    bed_request_s3(bed, &request, prefix, job, BED_TIME + at, PUBLISH_MIRROR);
    request.adopt = true;
    check(bed, &request, "");
}

/* What another builder left goes, page by page of the list; targets within this one stay, and so do neighbours. */
static void test_adopt_removes_what_others_left(void **state)
{
    struct publish_bed *bed = begin(state);
    char path[64];
    int i;

    for (i = 0; i < 1005; i++) {
        snprintf(path, sizeof path, "site/%d.txt", i);
        bed_write(bed, path, "theirs");
    }
    expect(bed, "adopt/old/", "x", 0, PUBLISH_ADD, "");
    remove_object(bed, ".caisson/adopt~1old/manifest.json"); /* so that nobody knows whose they are */
    begin(state);
    write_object(bed, "adopt", "old/a b+c&d\xc3\xbc<e>.html", "theirs");
    write_object(bed, "adopt", "robots.txt", "theirs");
    write_object(bed, "adopt2", "index.html", "a neighbour's");
    expect(bed, "adopt/docs/", "x", 0, PUBLISH_MIRROR, "");
    adopt(bed, "adopt/", "a", 0);
    assert_int_equal(bed->result.removed, 1009);
    assert_int_equal(bed->result.files, 3);
    expect_objects(bed, "adopt",
                   "\nassets/app-1.js=one()\ndocs/assets/app-1.js=one()\ndocs/index.html=<h1>one</h1>\n"
                   "docs/robots.txt=allow\nindex.html=<h1>one</h1>\nrobots.txt=allow\n");
    expect_objects(bed, "adopt2", "\nindex.html=a neighbour's\n");
    /* once: what is put there by hand later stays, and an unchanged publish costs what it always does */
    write_object(bed, "adopt", "proof.html", "by hand");
    adopt(bed, "adopt/", "b", 1);
    assert_int_equal(bed->result.removed, 0);
    assert_true(bed->result.requests <= 4);
    bed_remove(bed, "site/robots.txt");
    adopt(bed, "adopt/", "c", 2);
    assert_int_equal(bed->result.removed, 1);
    CLEANUP_FREE char *etag = other_program(bed, "HEAD", "adopt/proof.html", "", "etag");
    assert_non_null(etag);
}

static void test_changed_by_others(void **state)
{
    struct publish_bed *bed = begin(state);

    expect(bed, "c/", "a", 0, PUBLISH_MIRROR, "");
    remove_object(bed, "c/index.html");
    write_object(bed, "c", "index.html", "edited by hand");
    bed_write(bed, "site/index.html", "<h1>two</h1>");
    bed_write(bed, "site/new.js", "new()");
    expect(bed, "c/", "b", 1, PUBLISH_MIRROR, "foreign-object");
    expect_objects(bed, "c", "\nassets/app-1.js=one()\nindex.html=edited by hand\nrobots.txt=allow\n");
    /* a removal of what has become someone else's is left */
    bed_remove(bed, "site/index.html");
    bed_write(bed, "site/home.html", "home");
    expect(bed, "c/", "c", 2, PUBLISH_MIRROR, "");
    expect_objects(bed, "c",
                   "\nassets/app-1.js=one()\nhome.html=home\nindex.html=edited by hand\nnew.js=new()\n"
                   "robots.txt=allow\n");
    assert_int_equal(bed->said.len, 1);
    /* and what has vanished is made anew when it changes */
    remove_object(bed, "c/home.html");
    bed_write(bed, "site/home.html", "home 2");
    expect(bed, "c/", "d", 3, PUBLISH_MIRROR, "");
    expect_header(bed, "c/home.html", "content-length", "6");
}

static void test_prefixless_bucket(void **state)
{
    struct publish_bed *bed = begin(state);
    CLEANUP_FREE char *path = bed_object_path(bed, "robots.txt");
    struct stat st;

    bed_write(bed, "site/.caisson/x", "never");
    bed_write(bed, "site/.git/config", "never");
    bed_write(bed, "site/a/.git/config", "never");
    expect(bed, "", "a", 0, PUBLISH_MIRROR, "");
    assert_int_equal(bed->result.files, 3);
    assert_int_equal(stat(path, &st), 0);
    expect_header(bed, ".caisson/~/manifest.json", "content-type", "application/json");
    bed_remove(bed, "site/robots.txt");
    expect(bed, "", "b", 1, PUBLISH_MIRROR, "");
    assert_int_not_equal(stat(path, &st), 0);
    assert_int_equal(bed->result.removed, 1);
}

/* Names that must be encoded once and signed as they are encoded; and an empty file, and one that is sent from disk. */
static void test_odd_names(void **state)
{
    struct publish_bed *bed = begin(state);
    CLEANUP_FREE char *found = NULL;

    bed_remove(bed, "site");
    bed_write(bed, "site/a b+c%20d&e=f?#\"'<>;:@$,!*()~.txt", "1");
    bed_write(bed, "site/\xc3\xa4\xf0\x9f\x98\x80/[slug].html", "2");
    bed_write(bed, "site/-", "");
    expect(bed, "odd ~ name/x", "a", 0, PUBLISH_MIRROR, "");
    expect_objects(bed, "odd ~ name/x",
                   "\n-=\na b+c%20d&e=f?#\"'<>;:@$,!*()~.txt=1\n\xc3\xa4\xf0\x9f\x98\x80/[slug].html=2\n");
    found = bed_object_path(bed, ".caisson/odd ~0 name~1x/manifest.json");
    assert_int_equal(access(found, F_OK), 0);
    expect(bed, "odd ~ name/x", "a", 0, PUBLISH_MIRROR, "");
    assert_int_equal(bed->result.written, 0);
    bed_remove(bed, "site");
    bed_write(bed, "site/x", "x");
    expect(bed, "odd ~ name/x", "b", 1, PUBLISH_MIRROR, "");
    expect_objects(bed, "odd ~ name/x", "\nx=x\n");
}

static void test_order(void **state)
{
    struct publish_bed *bed = begin(state);

    expect(bed, "o/", "m", 10, PUBLISH_MIRROR, "");
    bed_write(bed, "site/index.html", "older");
    expect(bed, "o/", "z", 9, PUBLISH_MIRROR, "superseded");
    expect(bed, "o/", "z", 9, PUBLISH_ADD, "superseded");
    assert_int_equal(bed->error.class, CLASS_SUPERSEDED);
    assert_true(bed->result.requests <= 1);
    expect_objects(bed, "o", FIRST);
    expect(bed, "o/", "m", 10, PUBLISH_ADD, "");
    expect_objects(bed, "o", "\nassets/app-1.js=one()\nindex.html=older\nrobots.txt=allow\n");
}

static void test_stop(void **state)
{
    struct publish_bed *bed = begin(state);

    bed->stop = true;
    expect(bed, "s/", "a", 0, PUBLISH_MIRROR, "stopped-before-publish");
    expect_objects(bed, "s", "\n");
    bed->stop = false;
    bed->stop_at_committing = &bed->stop;
    expect(bed, "s/", "a", 0, PUBLISH_MIRROR, "");
    assert_true(bed->stop);
    expect_objects(bed, "s", FIRST);
}

static void test_many_files(void **state)
{
    struct publish_bed *bed = begin(state);
    int i;

    for (i = 0; i < 600; i++) {
        CLEANUP_FREE char *path = xasprintf("site/many/%d/%d.%s", i % 7, i, i % 3 ? "js" : "html");

        bed_write_size(bed, path, (size_t)(i * 37 % 5000), i);
    }
    expect(bed, "many/", "a", 0, PUBLISH_MIRROR, "");
    assert_int_equal(bed->result.files, 603);
    assert_int_equal(bed->result.written, 603);
    assert_int_equal(bed->result.retries, 0);
    assert_true(bed->progress >= 1);
    assert_true(bed->progress <= 1 + bed->result.duration_ms / 200); /* five a second */
    bed_remove(bed, "site/many/3");
    expect(bed, "many/", "b", 1, PUBLISH_MIRROR, "");
    assert_int_equal(bed->result.removed, 86);
    assert_int_equal(bed->result.written, 0);
    /* 1 state + claim + removals + commit + end */
    assert_true(bed->result.requests <= 86 + 4);
}

static void test_wrong_keys(void **state)
{
    struct publish_bed *bed = begin(state);
    struct publish_request request;

    bed_request_s3(bed, &request, "w/", "a", BED_TIME, PUBLISH_MIRROR);
    secret_free(request.credentials.fixed.secret_key);
    request.credentials.fixed.secret_key = secret_dup("wrong");
    check(bed, &request, "credentials-refused");
    bed_request_s3(bed, &request, "../x/", "a", BED_TIME, PUBLISH_MIRROR);
    check(bed, &request, "bad-target");
    bed_request_s3(bed, &request, "x//y", "a", BED_TIME, PUBLISH_MIRROR);
    check(bed, &request, "bad-target");
    bed_request_s3(bed, &request, ".caisson/x", "a", BED_TIME, PUBLISH_MIRROR);
    check(bed, &request, "bad-target");
    bed_request_s3(bed, &request, "n/", "a", BED_TIME, PUBLISH_MIRROR);
    free(request.to);
    request.to = xstrdup("s3://there-is-no-such-bucket/n/");
    check(bed, &request, "no-such-bucket");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_mirror),
        cmocka_unit_test(test_unchanged_takes_four_requests),
        cmocka_unit_test(test_changed_headers_are_a_change),
        cmocka_unit_test(test_large_files),
        cmocka_unit_test(test_mirror_refuses_foreign_objects),
        cmocka_unit_test(test_adopt_removes_what_others_left),
        cmocka_unit_test(test_changed_by_others),
        cmocka_unit_test(test_prefixless_bucket),
        cmocka_unit_test(test_odd_names),
        cmocka_unit_test(test_order),
        cmocka_unit_test(test_stop),
        cmocka_unit_test(test_many_files),
        cmocka_unit_test(test_wrong_keys),
    };

    return cmocka_run_group_tests(tests, setup, teardown);
}
