#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <dirent.h>
#include <fcntl.h>
#include <unistd.h>

#include "aws/sign.h"
#include "core/clock.h"
#include "core/fs.h"
#include "core/json.h"
#include "core/mem.h"
#include "net/http.h"

#define VECTORS TEST_DATA_DIR "/vectors/aws-sign"

struct vector {
    json_t *json;
    struct strings headers;
    struct credentials credentials;
    struct sign_request request;
    char hash[SHA256_HEX_SIZE];
};

static char *read_text(const char *folder, const char *name)
{
    CLEANUP_FREE char *path = xasprintf(VECTORS "/%s/%s", folder, name);
    struct buf text;

    buf_init(&text, 1 << 20);
    if (fs_read_file(path, 1 << 20, &text))
        fail_msg("cannot read %s", path);
    if (text.len && text.data[text.len - 1] == '\n')
        text.data[--text.len] = '\0';
    return buf_take(&text);
}

static void vector_init(struct vector *vector, const char *folder)
{
    CLEANUP_FREE char *text = read_text(folder, "request.json");
    json_t *json = json_parse(text, strlen(text), CLASS_INTERNAL, folder, NULL);
    const char *body = json_text(json, "body", "");
    json_t *header;
    size_t i;

    assert_non_null(json);
    *vector = (struct vector){.json = json};
    json_array_foreach(json_object_get(json, "headers"), i, header)
        strings_add(&vector->headers, json_string_value(header));
    vector->credentials = (struct credentials){
        .access_key = (char *)json_text(json, "access_key", NULL),
        .secret_key = (char *)json_text(json, "secret_key", NULL),
        .session_token = (char *)json_text(json, "session_token", NULL),
    };
    sha256_hex(body, strlen(body), vector->hash);
    vector->request = (struct sign_request){
        .method = json_text(json, "method", NULL),
        .host = json_text(json, "host", NULL),
        .path = json_text(json, "path", NULL),
        .query = json_text(json, "query", NULL),
        .headers = &vector->headers,
        .payload_hash = json_flag(json, "unsigned_payload", false) ? SIGN_UNSIGNED_PAYLOAD : vector->hash,
        .region = json_text(json, "region", NULL),
        .service = json_text(json, "service", NULL),
        .content_hash_header = json_flag(json, "content_hash_header", false),
        .keep_path = json_flag(json, "keep_path", false),
    };
    assert_int_equal(clock_parse(json_text(json, "time", ""), &vector->request.wall_ms), 0);
}

static void vector_dispose(struct vector *vector)
{
    strings_dispose(&vector->headers);
    json_decref(vector->json);
}

static void expect_file(const char *folder, const char *name, const char *found)
{
    CLEANUP_FREE char *wanted = read_text(folder, name);

    if (strcmp(wanted, found) != 0)
        fail_msg("%s/%s:\nwanted\n%s\nfound\n%s", folder, name, wanted, found);
}

static const char *header_value(const struct strings *headers, const char *name)
{
    size_t len = strlen(name);
    size_t i;

    for (i = 0; i < headers->len; i++)
        if (strncmp(headers->items[i], name, len) == 0 && strncmp(headers->items[i] + len, ": ", 2) == 0)
            return headers->items[i] + len + 2;
    return NULL;
}

static void check_headers(const char *folder, struct vector *vector, struct sign_cache *cache)
{
    struct strings out = {0};

    vector->request.cache = cache;
    sign_headers(&vector->request, &vector->credentials, &out);
    assert_non_null(header_value(&out, "Authorization"));
    expect_file(folder, "authorization.txt", header_value(&out, "Authorization"));
    assert_non_null(header_value(&out, "X-Amz-Date"));
    if (vector->credentials.session_token)
        assert_string_equal(header_value(&out, "X-Amz-Security-Token"), vector->credentials.session_token);
    else
        assert_null(header_value(&out, "X-Amz-Security-Token"));
    if (vector->request.content_hash_header)
        assert_string_equal(header_value(&out, "X-Amz-Content-Sha256"), vector->request.payload_hash);
    else
        assert_null(header_value(&out, "X-Amz-Content-Sha256"));
    strings_wipe(&out);
}

static void check_key(const struct vector *vector)
{
    const char *key = json_text(vector->json, "key", NULL);
    const char *path = vector->request.path;
    struct buf encoded;

    if (!key)
        return;
    buf_init(&encoded, 4096);
    url_encode(key, true, &encoded);
    if (strncmp(path, "/bucket", 7) == 0)
        path = strchr(path + 1, '/');
    assert_string_equal(buf_text(&encoded), path + 1);
    buf_dispose(&encoded);
}

static void check_vector(const char *folder, struct sign_cache *cache)
{
    struct vector vector;
    struct buf canonical, text;

    vector_init(&vector, folder);
    buf_init(&canonical, 1 << 20);
    buf_init(&text, 1 << 20);
    sign_canonical_request(&vector.request, &vector.credentials, &canonical);
    expect_file(folder, "canonical-request.txt", buf_text(&canonical));
    sign_string_to_sign(&vector.request, buf_text(&canonical), &text);
    expect_file(folder, "string-to-sign.txt", buf_text(&text));
    check_headers(folder, &vector, NULL);
    check_headers(folder, &vector, cache);
    check_headers(folder, &vector, cache);
    check_key(&vector);
    buf_dispose(&canonical);
    buf_dispose(&text);
    vector_dispose(&vector);
}

/* One cache for all cases: dates, regions, services and secrets change between them, so a stale key would show. */
static void test_vectors(void **state)
{
    struct sign_cache cache = {0};
    DIR *dir = opendir(VECTORS);
    struct dirent *entry;
    int aws = 0, own = 0;

    (void)state;
    assert_non_null(dir);
    while ((entry = readdir(dir))) {
        if (strchr(entry->d_name, '.'))
            continue;
        check_vector(entry->d_name, &cache);
        if (strncmp(entry->d_name, "s3-", 3) == 0)
            own++;
        else
            aws++;
    }
    closedir(dir);
    assert_int_equal(aws, 38);
    assert_int_equal(own, 16);
}

static void sign_with(struct sign_cache *cache, const char *secret, int64_t wall_ms, char signature[65])
{
    struct credentials credentials = {.access_key = (char *)"A", .secret_key = (char *)secret};
    struct sign_request request = {.method = "GET",
                                   .host = "h",
                                   .path = "/",
                                   .payload_hash = SIGN_UNSIGNED_PAYLOAD,
                                   .region = "r",
                                   .service = "s3",
                                   .wall_ms = wall_ms,
                                   .cache = cache};
    struct strings out = {0};

    sign_headers(&request, &credentials, &out);
    snprintf(signature, 65, "%s", strstr(header_value(&out, "Authorization"), "Signature=") + 10);
    strings_wipe(&out);
}

static void test_cache_follows_secret_and_day(void **state)
{
    struct sign_cache cache = {0};
    char cached[65], fresh[65], first[65];

    (void)state;
    sign_with(&cache, "one", 0, first);
    sign_with(&cache, "two", 0, cached);
    sign_with(NULL, "two", 0, fresh);
    assert_string_equal(cached, fresh);
    assert_string_not_equal(cached, first);
    sign_with(&cache, "two", INT64_C(86400000), cached);
    sign_with(NULL, "two", INT64_C(86400000), fresh);
    assert_string_equal(cached, fresh);
}

static void test_long_secret_is_not_mixed_up(void **state)
{
    struct sign_cache cache = {0};
    char secret[1000], cached[65], fresh[65], first[65];

    (void)state;
    memset(secret, 's', sizeof secret - 1);
    secret[sizeof secret - 1] = '\0';
    sign_with(&cache, secret, 0, first);
    secret[sizeof secret - 2] = 't';
    sign_with(&cache, secret, 0, cached);
    sign_with(NULL, secret, 0, fresh);
    assert_string_equal(cached, fresh);
    assert_string_not_equal(cached, first);
}

static void test_file_hash(void **state)
{
    char path[] = "/tmp/caisson-sign-XXXXXX";
    char hex[SHA256_HEX_SIZE], wanted[SHA256_HEX_SIZE];
    int fd = mkstemp(path);

    (void)state;
    assert_true(fd >= 0);
    unlink(path);
    assert_int_equal(write(fd, "0123456789", 10), 10);
    sha256_hex("345", 3, wanted);
    assert_int_equal(sha256_hex_file(fd, 3, 3, hex), 0);
    assert_string_equal(hex, wanted);
    assert_int_equal(sha256_hex_file(fd, 8, 3, hex), -1);
    close(fd);
    assert_int_equal(sha256_hex_file(fd, 0, 1, hex), -1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_vectors),
        cmocka_unit_test(test_cache_follows_secret_and_day),
        cmocka_unit_test(test_long_secret_is_not_mixed_up),
        cmocka_unit_test(test_file_hash),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
