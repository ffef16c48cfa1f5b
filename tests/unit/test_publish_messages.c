/* A request and a result of the publishing child, as JSON. */
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
#include "publish/publish.h"

#define SHA_A "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"

static void test_request_json(void **state)
{
    struct publish_request request, again;
    CLEANUP_JSON json_t *json = NULL, *twice = NULL, *empty = json_object();
    struct error err;

    (void)state;
    publish_request_init(&request);
    request.from = xstrdup("/w/dist");
    request.root = xstrdup("/w");
    request.to = xstrdup("s3://b/p/");
    request.mode = PUBLISH_MIRROR;
    request.adopt = true;
    strings_add(&request.include, "**");
    strings_add(&request.exclude, "*.map");
    request.headers = xcalloc(1, sizeof *request.headers);
    request.headers_len = 1;
    request.headers[0].match = xstrdup("a/**");
    request.headers[0].cache_control = xstrdup("no-store");
    request.job_id = xstrdup("job");
    request.created_at_ms = 1767960000123;
    request.endpoint = xstrdup("https://e");
    request.region = xstrdup("auto");
    request.path_style = true;
    request.proxy = xstrdup("http://u:p@proxy");
    request.credentials.kind = CREDENTIALS_STATIC;
    request.credentials.fixed.access_key = secret_dup("A");
    request.credentials.fixed.secret_key = secret_dup("S");
    request.build_uid = 1000;
    request.reader_uid = 1001;
    request.reader_gid = 1002;
    request.root_device = 7;
    request.root_inode = (ino_t)1 << 62;
    request.max_bytes = (int64_t)5 << 30;
    strings_add(&request.secrets, "not \xff UTF-8 \x80");
    strings_add(&request.secret_names, "NPM_TOKEN");
    json = publish_request_to_json(&request);
    assert_int_equal(publish_request_from_json(&again, json, &err), 0);
    twice = publish_request_to_json(&again);
    assert_true(json_equal(json, twice));
    assert_string_equal(again.secrets.items[0], "not \xff UTF-8 \x80");
    assert_string_equal(again.secret_names.items[0], "NPM_TOKEN");
    assert_int_equal(again.build_uid, 1000);
    assert_int_equal(again.reader_uid, 1001);
    assert_int_equal(again.reader_gid, 1002);
    assert_true(again.root_device == 7 && again.root_inode == (ino_t)1 << 62);
    assert_int_equal(again.mode, PUBLISH_MIRROR);
    assert_null(again.headers[0].content_type);
    publish_request_dispose(&request);
    publish_request_dispose(&again);
    assert_int_equal(publish_request_from_json(&again, empty, &err), -1);
}

static void test_result_json(void **state)
{
    struct publish_result result = {.files = 1,
                                    .bytes = 2,
                                    .written = 3,
                                    .unchanged = 4,
                                    .removed = 5,
                                    .requests = 6,
                                    .retries = 7,
                                    .duration_ms = 8,
                                    .ordered = true,
                                    .digest = "sha256:" SHA_A};
    struct publish_result again;
    CLEANUP_JSON json_t *json = NULL, *twice = NULL;
    struct error err;

    (void)state;
    result.url = xstrdup("s3://b/");
    json = publish_result_to_json(&result);
    assert_int_equal(publish_result_from_json(&again, json, &err), 0);
    twice = publish_result_to_json(&again);
    assert_true(json_equal(json, twice));
    assert_string_equal(again.digest, "sha256:" SHA_A);
    publish_result_dispose(&result);
    publish_result_dispose(&again);
    assert_int_equal(publish_result_from_json(&again, NULL, &err), -1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_request_json),
        cmocka_unit_test(test_result_json),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
