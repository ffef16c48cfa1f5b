/* Calls and multipart uploads against a server that checks signatures and conditions. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "aws/s3_multipart.h"
#include "core/clock.h"
#include "core/mem.h"
#include "support/skip.h"
#include "support/versitygw.h"

#define MIB ((int64_t)1 << 20)

struct bed {
    struct versitygw server;
    struct loop *loop;
    struct http_client *client;
    struct credentials_source source;
    struct credentials_provider *provider;
    struct s3 *s3;
};

static struct s3 *connect_to(struct bed *bed, const char *endpoint, const char *region)
{
    struct s3_options options = {.bucket = VERSITYGW_BUCKET, .region = region, .endpoint = endpoint};
    struct s3 *s3 = NULL;

    assert_int_equal(s3_new(&s3, bed->client, bed->provider, &options, NULL), 0);
    return s3;
}

static int setup(void **state)
{
    struct bed *bed = xcalloc(1, sizeof *bed);

    *state = bed;
    if (!versitygw_start(&bed->server))
        return 0;
    bed->loop = loop_new();
    bed->client = http_client_new(bed->loop, &(struct http_options){.max_connections = 64});
    bed->source = (struct credentials_source){
        .kind = CREDENTIALS_STATIC,
        .fixed = {.access_key = secret_dup(VERSITYGW_ACCESS), .secret_key = secret_dup(VERSITYGW_SECRET)},
    };
    bed->provider = credentials_provider_new(&bed->source, bed->client);
    bed->s3 = connect_to(bed, bed->server.endpoint, VERSITYGW_REGION);
    return 0;
}

static int teardown(void **state)
{
    struct bed *bed = *state;

    if (bed->s3) {
        s3_free(bed->s3);
        credentials_provider_free(bed->provider);
        credentials_source_dispose(&bed->source);
        http_client_free(bed->client);
        loop_free(bed->loop);
    }
    versitygw_stop(&bed->server);
    free(bed);
    return 0;
}

static struct bed *bed_of(void **state)
{
    struct bed *bed = *state;

    if (!bed->s3)
        skip_because("no versitygw");
    return bed;
}

/* One call; its reason or "". The ETag, with quotes, is left in `etag`. */
static const char *call(struct s3 *s3, const char *method, const char *key, const char *header, const char *body,
                        char etag[128])
{
    static struct error err;
    struct s3_call call;

    memset(&err, 0, sizeof err);
    s3_call_init(&call, method, key);
    if (header)
        strings_add(&call.headers, header);
    call.body = view_of(body);
    if (s3_perform(s3, &call, &err) == 0 && etag)
        snprintf(etag, 128, "%s", s3_etag(&call) ? s3_etag(&call) : "");
    s3_call_dispose(&call);
    return err.reason;
}

static void expect_content(struct s3 *s3, const char *key, const char *content)
{
    struct s3_call get;
    struct error err;

    s3_call_init(&get, "GET", key);
    if (s3_perform(s3, &get, &err))
        fail_msg("%s", err.message);
    assert_string_equal(buf_text(&get.response.body), content);
    s3_call_dispose(&get);
}

static void test_keys(void **state)
{
    static const char *const keys[] = {
        "plain.txt",      "a b/c d.txt",   "grüße/日本語 😀",      "a+b=c&d;e",
        "100%/%20/x%2Fy", "~-._!$'()*,:@", "q?x#y[z]\"<>\\^`{|}",
    };
    struct bed *bed = bed_of(state);
    size_t i;

    for (i = 0; i < ARRAY_LEN(keys); i++) {
        assert_string_equal(call(bed->s3, "PUT", keys[i], "Content-Type: text/plain;  charset=utf-8", keys[i], NULL),
                            "");
        expect_content(bed->s3, keys[i], keys[i]);
    }
    assert_string_equal(call(bed->s3, "PUT", "empty", NULL, "", NULL), "");
    expect_content(bed->s3, "empty", "");
    assert_string_equal(call(bed->s3, "DELETE", "empty", NULL, NULL, NULL), "");
    assert_string_equal(call(bed->s3, "GET", "empty", NULL, NULL, NULL), "no-such-key");
    assert_string_equal(call(bed->s3, "HEAD", "empty", NULL, NULL, NULL), "no-such-key");
}

static void test_listing_signs_its_query(void **state)
{
    struct bed *bed = bed_of(state);
    struct s3_call list;
    struct error err;

    assert_string_equal(call(bed->s3, "PUT", "ü b+/x", NULL, "1", NULL), "");
    s3_call_init(&list, "GET", NULL);
    list.query = "prefix=%C3%BC%20b%2B%2F&list-type=2&max-keys=10";
    if (s3_perform(bed->s3, &list, &err))
        fail_msg("%s", err.message);
    assert_non_null(strstr(buf_text(&list.response.body), "<KeyCount>1</KeyCount>"));
    s3_call_dispose(&list);
}

static void test_virtual_host(void **state)
{
    struct bed *bed = bed_of(state);
    CLEANUP_FREE char *endpoint = xasprintf("http://localhost:%d", bed->server.port);
    struct s3 *s3 = connect_to(bed, endpoint, VERSITYGW_REGION);

    assert_string_equal(call(s3, "PUT", "by host/ü", NULL, "v", NULL), "");
    expect_content(bed->s3, "by host/ü", "v");
    s3_free(s3);
}

static void test_region_is_learnt(void **state)
{
    struct bed *bed = bed_of(state);
    struct s3 *s3 = connect_to(bed, bed->server.endpoint, NULL);

    assert_string_equal(call(s3, "PUT", "region", NULL, "r", NULL), "");
    assert_int_equal(s3_stats(s3).requests, 2);
    assert_string_equal(call(s3, "PUT", "region", NULL, "r", NULL), "");
    assert_int_equal(s3_stats(s3).requests, 3);
    s3_free(s3);
}

static void test_refusals(void **state)
{
    struct bed *bed = bed_of(state);
    struct s3_options options = {
        .bucket = "no-such-bucket", .region = VERSITYGW_REGION, .endpoint = bed->server.endpoint};
    struct credentials_source wrong = {
        .kind = CREDENTIALS_STATIC,
        .fixed = {.access_key = (char *)VERSITYGW_ACCESS, .secret_key = (char *)"wrong"},
    };
    struct credentials_provider *provider = credentials_provider_new(&wrong, bed->client);
    struct s3 *s3;
    struct s3_call put;
    struct error err;

    assert_int_equal(s3_new(&s3, bed->client, bed->provider, &options, NULL), 0);
    assert_string_equal(call(s3, "PUT", "k", NULL, "x", NULL), "no-such-bucket");
    s3_free(s3);
    options.bucket = VERSITYGW_BUCKET;
    assert_int_equal(s3_new(&s3, bed->client, provider, &options, NULL), 0);
    assert_string_equal(call(s3, "PUT", "k", NULL, "x", NULL), "credentials-refused");
    s3_free(s3);
    credentials_provider_free(provider);

    s3_call_init(&put, "PUT", "k");
    put.body = view_of("what is sent");
    put.body_sha256 = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
    assert_int_equal(s3_perform(bed->s3, &put, &err), -1);
    assert_string_equal(err.reason, "content-mismatch");
    s3_call_dispose(&put);
}

static void test_conditions(void **state)
{
    struct bed *bed = bed_of(state);
    CLEANUP_FREE char *match = NULL;
    char etag[128];

    assert_string_equal(call(bed->s3, "PUT", "c", "If-None-Match: *", "1", etag), "");
    assert_string_equal(call(bed->s3, "PUT", "c", "If-None-Match: *", "2", NULL), "precondition-failed");
    assert_string_equal(call(bed->s3, "PUT", "c", "If-Match: \"00\"", "2", NULL), "precondition-failed");
    assert_string_equal(call(bed->s3, "DELETE", "c", "If-Match: \"00\"", NULL, NULL), "precondition-failed");
    assert_string_equal(call(bed->s3, "PUT", "none", "If-Match: \"00\"", "2", NULL), "no-such-key");
    match = xasprintf("If-None-Match: %s", etag);
    assert_string_equal(call(bed->s3, "GET", "c", match, NULL, NULL), "not-modified");
    free(match);
    match = xasprintf("If-Match: %s", etag);
    assert_string_equal(call(bed->s3, "PUT", "c", match, "3", etag), "");
    expect_content(bed->s3, "c", "3");
    free(match);
    match = xasprintf("If-Match: %s", etag);
    assert_string_equal(call(bed->s3, "DELETE", "c", match, NULL, NULL), "");
}

/* ---- multipart ---- */

struct upload {
    bool done;
    char etag[128];
    struct error error;
};

static void on_uploaded(void *context, const char *etag, const struct error *error)
{
    struct upload *upload = context;

    upload->done = true;
    snprintf(upload->etag, sizeof upload->etag, "%s", etag ? etag : "");
    if (error)
        upload->error = *error;
}

static const char *upload(struct bed *bed, const struct s3_upload_options *options, char etag[128])
{
    static struct upload upload;

    upload = (struct upload){0};
    s3_upload_start(bed->s3, options, on_uploaded, &upload);
    loop_run_until(bed->loop, &upload.done);
    if (etag)
        snprintf(etag, 128, "%s", upload.etag);
    return upload.error.reason;
}

/* A file with content that differs in each block, unlinked. */
static int make_file(int64_t size)
{
    char path[] = "/tmp/caisson-part-XXXXXX";
    int fd = mkstemp(path);
    char *block = xmalloc((size_t)MIB);
    int64_t at;

    assert_true(fd >= 0);
    unlink(path);
    for (at = 0; at < size; at += MIB) {
        int64_t length = size - at < MIB ? size - at : MIB;

        memset(block, 'a' + (int)(at / MIB) % 26, (size_t)MIB);
        assert_int_equal(write(fd, block, (size_t)length), length);
    }
    free(block);
    return fd;
}

static int64_t open_uploads(struct bed *bed)
{
    struct s3_call list;
    struct error err;
    int64_t count = 0;
    const char *at;

    s3_call_init(&list, "GET", NULL);
    list.query = "uploads=";
    if (s3_perform(bed->s3, &list, &err))
        fail_msg("%s", err.message);
    for (at = buf_text(&list.response.body); (at = strstr(at, "<UploadId>")); at++)
        count++;
    s3_call_dispose(&list);
    return count;
}

static void expect_object(struct bed *bed, const char *key, int fd, int64_t offset, int64_t size)
{
    CLEANUP_FREE char *path = xasprintf("%s/data/" VERSITYGW_BUCKET "/%s", bed->server.folder, key);
    CLEANUP_CLOSE int object = open(path, O_RDONLY | O_CLOEXEC);
    char found[SHA256_HEX_SIZE], wanted[SHA256_HEX_SIZE];
    struct stat st;

    assert_true(object >= 0);
    assert_int_equal(fstat(object, &st), 0);
    assert_int_equal(st.st_size, size);
    assert_int_equal(sha256_hex_file(object, 0, size, found), 0);
    assert_int_equal(sha256_hex_file(fd, offset, size, wanted), 0);
    assert_string_equal(found, wanted);
}

static void test_upload_in_parts(void **state)
{
    struct bed *bed = bed_of(state);
    CLEANUP_CLOSE int fd = make_file(23 * MIB + 17);
    struct strings headers = {0};
    struct s3_upload_options options;
    struct s3_call head;
    struct error err;
    char etag[128];

    strings_add(&headers, "Content-Type: video/mp4");
    strings_add(&headers, "Cache-Control: max-age=5");
    s3_upload_options_init(&options, "big file ü.bin");
    options.headers = &headers;
    options.fd = fd;
    options.offset = MIB;
    options.size = 22 * MIB + 17;
    options.part_size = 5 * MIB;
    options.concurrency = 3;
    assert_string_equal(upload(bed, &options, etag), "");
    assert_non_null(strstr(etag, "-5\""));
    expect_object(bed, "big file ü.bin", fd, MIB, 22 * MIB + 17);
    s3_call_init(&head, "HEAD", "big file ü.bin");
    assert_int_equal(s3_perform(bed->s3, &head, &err), 0);
    assert_string_equal(http_response_header(&head.response, "content-type"), "video/mp4");
    assert_string_equal(http_response_header(&head.response, "cache-control"), "max-age=5");
    assert_string_equal(s3_etag(&head), etag);
    s3_call_dispose(&head);
    strings_dispose(&headers);
    assert_int_equal(open_uploads(bed), 0);
}

static void test_small_uploads_change_the_etag(void **state)
{
    struct bed *bed = bed_of(state);
    struct s3_upload_options options;
    struct strings conditions = {0};
    char single[128], parts[128];

    assert_string_equal(call(bed->s3, "PUT", "fence", NULL, "same", single), "");
    strings_addf(&conditions, "If-Match: %s", single);
    s3_upload_options_init(&options, "fence");
    options.body = view_of("same");
    options.conditions = &conditions;
    assert_string_equal(upload(bed, &options, parts), "");
    assert_string_not_equal(single, parts);
    assert_non_null(strstr(parts, "-1\""));
    expect_content(bed->s3, "fence", "same");
    /* The condition holds no more. */
    assert_string_equal(upload(bed, &options, NULL), "precondition-failed");
    options.body = view_of("");
    options.conditions = NULL;
    assert_string_equal(upload(bed, &options, parts), "");
    expect_content(bed->s3, "fence", "");
    strings_dispose(&conditions);
    s3_drain(bed->s3, 20000);
    assert_int_equal(open_uploads(bed), 0);
}

static void test_changed_file_is_not_published(void **state)
{
    struct bed *bed = bed_of(state);
    CLEANUP_CLOSE int fd = make_file(12 * MIB);
    char hashes[3][SHA256_HEX_SIZE];
    struct s3_upload_options options;
    int i;

    for (i = 0; i < 3; i++)
        assert_int_equal(sha256_hex_file(fd, i * 5 * MIB, i < 2 ? 5 * MIB : 2 * MIB, hashes[i]), 0);
    s3_upload_options_init(&options, "changing.bin");
    options.fd = fd;
    options.size = 12 * MIB;
    options.part_size = 5 * MIB;
    options.part_sha256 = hashes;
    assert_int_equal(pwrite(fd, "X", 1, 11 * MIB), 1);
    assert_string_equal(upload(bed, &options, NULL), "content-mismatch");
    assert_int_equal(pwrite(fd, "l", 1, 11 * MIB), 1);
    assert_string_equal(upload(bed, &options, NULL), "");
    options.part_sha256 = NULL;
    options.size = 13 * MIB;
    assert_string_equal(upload(bed, &options, NULL), "file-changed");
    s3_drain(bed->s3, 20000);
    assert_int_equal(open_uploads(bed), 0);
    expect_object(bed, "changing.bin", fd, 0, 12 * MIB);
}

/* Given up at every moment of its life: nothing stays at S3, and `done` is not called. */
static void test_cancelled_uploads_leave_nothing(void **state)
{
    struct bed *bed = bed_of(state);
    CLEANUP_CLOSE int fd = make_file(11 * MIB);
    int turns;

    for (turns = 0; turns < 40; turns += 3) {
        struct s3_upload_options options;
        struct upload result = {0};
        struct s3_upload *running;

        s3_upload_options_init(&options, "cancelled.bin");
        options.fd = fd;
        options.size = 11 * MIB;
        options.part_size = 5 * MIB;
        running = s3_upload_start(bed->s3, &options, on_uploaded, &result);
        for (int turn = 0; turn < turns && !result.done; turn++)
            loop_run_once(bed->loop, 20);
        if (result.done)
            continue;
        s3_upload_cancel(running);
        s3_drain(bed->s3, 20000);
        assert_false(result.done);
        assert_int_equal(open_uploads(bed), 0);
    }
}

static void test_part_sizes(void **state)
{
    (void)state;
    assert_int_equal(s3_part_size(0), 8 * MIB);
    assert_int_equal(s3_part_size(80000 * MIB), 8 * MIB);
    assert_int_equal(s3_part_size(80001 * MIB), 9 * MIB);
    assert_int_equal(s3_part_size(INT64_C(5) << 40), 525 * MIB);
    assert_true(s3_part_count(INT64_C(5) << 40, s3_part_size(INT64_C(5) << 40)) <= S3_PARTS_MAX);
    assert_int_equal(s3_part_count(0, 8 * MIB), 1);
    assert_int_equal(s3_part_count(8 * MIB, 8 * MIB), 1);
    assert_int_equal(s3_part_count(8 * MIB + 1, 8 * MIB), 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_part_sizes),
        cmocka_unit_test(test_keys),
        cmocka_unit_test(test_listing_signs_its_query),
        cmocka_unit_test(test_virtual_host),
        cmocka_unit_test(test_region_is_learnt),
        cmocka_unit_test(test_refusals),
        cmocka_unit_test(test_conditions),
        cmocka_unit_test(test_upload_in_parts),
        cmocka_unit_test(test_small_uploads_change_the_etag),
        cmocka_unit_test(test_changed_file_is_not_published),
        cmocka_unit_test(test_cancelled_uploads_leave_nothing),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
