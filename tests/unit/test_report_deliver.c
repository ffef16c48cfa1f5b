/* What goes to and comes from S3 for the job itself, when the other side is in no hurry. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "core/clock.h"
#include "core/mem.h"
#include "report/deliver.h"
#include "support/http_server.h"

/* A byte every second is no stall, so only the deadline ends it. */
static void test_a_trickle_ends_at_the_deadline(void **state)
{
    struct credentials_source source = {
        .kind = CREDENTIALS_STATIC,
        .fixed = {.access_key = (char *)(uintptr_t) "AK", .secret_key = (char *)(uintptr_t) "SK"}};
    struct loop *loop = loop_new();
    struct http_client *client = http_client_new(loop, &(struct http_options){0});
    struct credentials_provider *provider = credentials_provider_new(&source, client);
    int64_t begin_ms = clock_monotonic_ms(), deadline_ms = begin_ms + 1500;
    struct http_server server;
    CLEANUP_FREE char *endpoint = NULL;
    struct error err;
    struct buf text;

    (void)state;
    http_server_start(&server);
    endpoint = xasprintf("http://127.0.0.1:%d", server.port);
    struct deliver deliver = {.client = client,
                              .credentials = provider,
                              .region = "us-east-1",
                              .endpoint = endpoint,
                              .path_style = true,
                              .deadline_ms = &deadline_ms};

    buf_init(&text, 1024);
    assert_int_equal(deliver_fetch(&deliver, "s3://drip/1000", &text, &err), -1);
    assert_string_equal(err.reason, "out-of-time");
    assert_int_equal(err.class, CLASS_PLATFORM);
    assert_in_range(clock_monotonic_ms() - begin_ms, 1500, 8000);
    buf_dispose(&text);
    http_server_stop(&server);
    credentials_provider_free(provider);
    http_client_free(client);
    loop_free(loop);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_a_trickle_ends_at_the_deadline)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
