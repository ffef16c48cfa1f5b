#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "aws/s3.h"
#include "aws/s3_internal.h"
#include "aws/xml.h"
#include "core/mem.h"

/* ---- where requests go ---- */

static void expect_place(const struct s3_options *options, const char *region, const char *host, const char *prefix)
{
    char found[S3_REGION_MAX];
    struct s3_place place;

    assert_int_equal(s3_place_check(options, NULL), 0);
    s3_place_region(options, found);
    assert_string_equal(found, region);
    s3_place_init(&place, options, found);
    assert_string_equal(place.host, host);
    assert_string_equal(place.prefix, prefix);
    s3_place_dispose(&place);
}
#define PLACE(...) (&(struct s3_options){__VA_ARGS__})

static void test_places(void **state)
{
    (void)state;
    expect_place(PLACE(.bucket = "b"), "us-east-1", "b.s3.us-east-1.amazonaws.com", "");
    expect_place(PLACE(.bucket = "b", .region = "auto"), "us-east-1", "b.s3.us-east-1.amazonaws.com", "");
    expect_place(PLACE(.bucket = "b", .region = "eu-west-1"), "eu-west-1", "b.s3.eu-west-1.amazonaws.com", "");
    expect_place(PLACE(.bucket = "b", .region = "cn-north-1"), "cn-north-1", "b.s3.cn-north-1.amazonaws.com.cn", "");
    expect_place(PLACE(.bucket = "b", .path_style = true), "us-east-1", "s3.us-east-1.amazonaws.com", "/b");
    expect_place(PLACE(.bucket = "a.b"), "us-east-1", "s3.us-east-1.amazonaws.com", "/a.b");
    expect_place(PLACE(.bucket = "a.b", .endpoint = "http://h.test"), "us-east-1", "a.b.h.test", "");
    expect_place(PLACE(.bucket = "A_b", .endpoint = "http://h.test"), "us-east-1", "h.test", "/A_b");
    expect_place(PLACE(.bucket = "b", .endpoint = "https://S3.Test:443/"), "us-east-1", "b.s3.test", "");
    expect_place(PLACE(.bucket = "b", .endpoint = "http://s3.test:9000"), "us-east-1", "b.s3.test:9000", "");
    expect_place(PLACE(.bucket = "b", .endpoint = "http://127.0.0.1:9"), "us-east-1", "127.0.0.1:9", "/b");
    expect_place(PLACE(.bucket = "b", .endpoint = "http://[::1]:9"), "us-east-1", "[::1]:9", "/b");
    expect_place(PLACE(.bucket = "b", .endpoint = "https://h.test/base/", .path_style = true), "us-east-1", "h.test",
                 "/base/b");
    expect_place(PLACE(.bucket = "b", .endpoint = "https://s3.eu-north-1.amazonaws.com"), "eu-north-1",
                 "b.s3.eu-north-1.amazonaws.com", "");
    expect_place(PLACE(.bucket = "b", .endpoint = "https://s3.dualstack.eu-north-1.amazonaws.com"), "eu-north-1",
                 "b.s3.dualstack.eu-north-1.amazonaws.com", "");
    expect_place(PLACE(.bucket = "b", .endpoint = "https://s3.amazonaws.com"), "us-east-1", "b.s3.amazonaws.com", "");
    expect_place(PLACE(.bucket = "b", .endpoint = "https://s3.my-own.test"), "us-east-1", "b.s3.my-own.test", "");
}

static void test_bad_options(void **state)
{
    static const struct s3_options bad[] = {
        {.bucket = NULL},
        {.bucket = ""},
        {.bucket = "a/b"},
        {.bucket = "-a"},
        {.bucket = "a b"},
        {.bucket = "a@b"},
        {.bucket = "b", .region = "eu west"},
        {.bucket = "b", .region = "EU"},
        {.bucket = "b", .region = "evil.example/"},
        {.bucket = "b", .endpoint = "ftp://h"},
        {.bucket = "b", .endpoint = "http://u:p@h"},
        {.bucket = "b", .endpoint = "http://h/?x=1"},
        {.bucket = "b", .endpoint = "http://"},
        {.bucket = "b", .endpoint = "nonsense"},
    };
    struct error err;
    size_t i;

    (void)state;
    for (i = 0; i < ARRAY_LEN(bad); i++) {
        if (s3_place_check(&bad[i], &err) == 0)
            fail_msg("accepted bucket %s region %s endpoint %s", bad[i].bucket, bad[i].region, bad[i].endpoint);
        assert_int_equal(err.class, CLASS_USAGE);
    }
}

static void test_uris(void **state)
{
    static const char *const bad[] = {"",           "s3:",         "s3://",    "s3:///key", "https://b/k",
                                      "s3://b@c/k", "s3://b/a\nb", "S3://b/k", "s3://.b/k"};
    char *bucket, *key;
    struct error err;
    size_t i;

    (void)state;
    assert_int_equal(s3_uri_parse("s3://buck.et/a//b ü%/", &bucket, &key, &err), 0);
    assert_string_equal(bucket, "buck.et");
    assert_string_equal(key, "a//b ü%/");
    free(bucket);
    free(key);
    assert_int_equal(s3_uri_parse("s3://bucket", &bucket, &key, &err), 0);
    assert_string_equal(key, "");
    free(bucket);
    free(key);
    for (i = 0; i < ARRAY_LEN(bad); i++) {
        if (s3_uri_parse(bad[i], &bucket, &key, &err) == 0)
            fail_msg("accepted \"%s\"", bad[i]);
        assert_int_equal(err.class, CLASS_USAGE);
    }
}

/* ---- error documents ---- */

static void test_error_document(void **state)
{
    const char *text = "<?xml version=\"1.0\"?>\n<Error xmlns=\"x\"><Code>NoSuchKey</Code>"
                       "<Message>a &lt;b&gt; &amp;amp; &#34;c&#x22; &bad; \xff\n</Message><Key>k</Key>"
                       "<RequestId >id</RequestId><Region/></Error>";
    struct s3_error_document document;

    (void)state;
    s3_error_parse(view_of(text), &document);
    assert_string_equal(document.code, "NoSuchKey");
    assert_string_equal(document.message, "a <b> &amp; \"c\" &bad; \xEF\xBF\xBD ");
    assert_string_equal(document.request_id, "id");
    assert_string_equal(document.region, "");
    assert_true(xml_root_is(view_of(text), "Error"));
    assert_false(xml_root_is(view_of(text), "Err"));
    s3_error_parse((struct view){0}, &document);
    assert_string_equal(document.code, "");
}

static void test_hostile_documents(void **state)
{
    static const char *const texts[] = {"<",
                                        "<Code",
                                        "<Code>",
                                        "<Code>x",
                                        "<Code a",
                                        "<Code/>",
                                        "<Code>&",
                                        "<Code>&#",
                                        "<Code>&#x;</Code>",
                                        "<Code>&#0;</Code>",
                                        "<Code>&#99999999999;</Code>",
                                        "<!--"};
    struct s3_error_document document;
    struct buf text;
    char id[8];
    size_t i;

    (void)state;
    for (i = 0; i < ARRAY_LEN(texts); i++) {
        s3_error_parse(view_of(texts[i]), &document);
        xml_root_is(view_of(texts[i]), "Error");
    }
    buf_init(&text, 1 << 20);
    buf_adds(&text, "<Error><Code>");
    for (i = 0; i < 5000; i++)
        buf_adds(&text, "ü&amp;");
    buf_adds(&text, "</Code></Error>");
    s3_error_parse((struct view){text.data, text.len}, &document);
    assert_true(strlen(document.code) < sizeof document.code);
    assert_false(xml_text((struct view){text.data, text.len}, "Code", id, sizeof id));
    buf_dispose(&text);
    assert_true(xml_text(view_of("<A><UploadId>abc</UploadId></A>"), "UploadId", id, sizeof id));
    assert_string_equal(id, "abc");
}

/* When S3 tells another region, the host moves too where it is AWS's own. */
static void test_region_moves_the_host(void **state)
{
    struct s3_options options = {.bucket = "b"};
    struct s3_place place;

    (void)state;
    s3_place_init(&place, &options, "eu-west-3");
    assert_string_equal(place.host, "b.s3.eu-west-3.amazonaws.com");
    s3_place_dispose(&place);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_places),
        cmocka_unit_test(test_bad_options),
        cmocka_unit_test(test_uris),
        cmocka_unit_test(test_error_document),
        cmocka_unit_test(test_hostile_documents),
        cmocka_unit_test(test_region_moves_the_host),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
