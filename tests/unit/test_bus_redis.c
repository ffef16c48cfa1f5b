/* Redis: a real server of the test's own, and addresses where there is none. */
#include <stdlib.h>
#include <string.h>

#include "bus/redis.h"
#include "core/clock.h"
#include "core/mem.h"
#include "support/bus_fixture.h"
#include "support/http_server.h"

static void publish(struct redis *redis, struct answers *answers, const char *channel, const char *text)
{
    redis_publish(redis, channel, view_of(text), answered, asked(answers, text[0]));
}

static struct redis_options options_of(bool tls)
{
    return (struct redis_options){.host = "localhost",
                                  .port = tls ? broker.tls_port : broker.port,
                                  .username = broker.user,
                                  .password = broker.password,
                                  .tls = tls,
                                  .ca_bundle = broker.ca};
}

/* The broker's collector is another client: what it has seen comes a moment later. */
static json_t *seen_at_least(size_t count)
{
    int64_t until = clock_monotonic_ms() + 60000; /* emulated, 24 MB take a while */
    json_t *seen = broker_ask(&broker, "seen");

    while (json_array_size(seen) < count && clock_monotonic_ms() < until) {
        json_decref(seen);
        loop_sleep(loop, 20, NULL);
        seen = broker_ask(&broker, "seen");
    }
    return seen;
}

static void publishes_in_order(void **state)
{
    (void)state;
    NEED_BROKER();
    for (int tls = 0; tls < 2; tls++) {
        struct redis_options options = options_of(tls);
        struct redis *redis = redis_new(loop, &options);
        struct answers answers = {0};
        json_t *seen;

        broker_tell(&broker, "collect logs:order%d", tls);
        for (int i = 0; i < 20; i++) {
            char channel[32], text[16];

            snprintf(channel, sizeof channel, "logs:order%d", tls);
            snprintf(text, sizeof text, "%c-line", 'a' + i);
            publish(redis, &answers, channel, text);
        }
        wait_for(&answers.answered, 20);
        assert_int_equal(answers.failed, 0);
        assert_string_equal(answers.order, "abcdefghijklmnopqrst");
        seen = seen_at_least(20);
        assert_int_equal(json_array_size(seen), 20);
        for (size_t i = 0; i < 20; i++)
            assert_int_equal(json_string_value(json_array_get(seen, i))[0], 'a' + (int)i);
        json_decref(seen);
        redis_free(redis);
    }
}

static void appends_to_a_stream(void **state)
{
    struct redis_options options;
    struct redis *redis;
    struct answers answers = {0};
    struct redis_field fields[] = {{"id", view_of("1-2")}, {"data", {"bin\0ary", 7}}};
    json_t *entries;

    (void)state;
    NEED_BROKER();
    options = options_of(true);
    redis = redis_new(loop, &options);
    redis_xadd(redis, "logs:stream", fields, 1, 100, answered, asked(&answers, 'x'));
    redis_xadd(redis, "logs:stream", fields, 2, 0, answered, asked(&answers, 'y'));
    wait_for(&answers.answered, 2);
    assert_int_equal(answers.failed, 0);
    entries = broker_ask(&broker, "stream logs:stream");
    assert_int_equal(json_array_size(entries), 2);
    assert_non_null(strstr(json_string_value(json_array_get(entries, 0)), "\"id\": \"1-2\""));
    assert_non_null(strstr(json_string_value(json_array_get(entries, 1)), "bin\\u0000ary"));
    json_decref(entries);
    redis_free(redis);
}

static void large_payloads_arrive_whole(void **state)
{
    size_t len = 3u << 20;
    char *text = xmalloc(len + 1);
    struct redis_options options;
    struct redis *redis;
    struct answers answers = {0};
    json_t *seen;

    (void)state;
    if (!have_broker)
        free(text);
    NEED_BROKER();
    memset(text, 'z', len);
    text[len] = '\0';
    options = options_of(true);
    redis = redis_new(loop, &options);
    broker_tell(&broker, "collect logs:large");
    for (int i = 0; i < 8; i++) /* more than the connection takes at once */
        publish(redis, &answers, "logs:large", text);
    wait_for(&answers.answered, 8);
    assert_int_equal(answers.failed, 0);
    seen = seen_at_least(8);
    assert_int_equal(json_string_length(json_array_get(seen, 7)), len);
    json_decref(seen);
    redis_free(redis);
    free(text);
}

static void refuses_what_is_too_large(void **state)
{
    struct redis_options options = {.host = "127.0.0.1", .port = 1};
    struct redis *redis = redis_new(loop, &options);
    struct answers answers = {0};
    char *text = xcalloc(1, 17u << 20);

    (void)state;
    redis_publish(redis, "c", (struct view){text, 17u << 20}, answered, asked(&answers, 'l'));
    assert_int_equal(answers.answered, 0);
    wait_for(&answers.answered, 1);
    assert_string_equal(answers.last.reason, "message-too-large");
    assert_false(answers.last.retryable);
    redis_free(redis);
    free(text);
}

static void one_failure(struct redis_options options, const char *channel, struct error *error)
{
    struct redis *redis = redis_new(loop, &options);
    struct answers answers = {0};

    publish(redis, &answers, channel, "one");
    publish(redis, &answers, channel, "two");
    wait_for(&answers.answered, 2);
    assert_int_equal(answers.failed, 2);
    *error = answers.last;
    redis_free(redis);
    assert_null(strstr(error->message, "secret-of-the-test"));
}

static void says_who_is_denied(void **state)
{
    struct redis_options options;
    struct error error;

    (void)state;
    NEED_BROKER();
    options = options_of(false);
    options.password = "secret-of-the-test";
    one_failure(options, "logs:x", &error);
    assert_string_equal(error.reason, "broker-denied");
    assert_int_equal(error.class, CLASS_CREDENTIALS);
    assert_false(error.retryable);
    assert_non_null(strstr(error.message, "signing in"));

    options = options_of(false);
    options.username = options.password = NULL;
    one_failure(options, "logs:x", &error);
    assert_string_equal(error.reason, "broker-denied");

    one_failure(options_of(false), "secrets:x", &error);
    assert_string_equal(error.reason, "broker-denied");
    assert_non_null(strstr(error.message, "NOPERM"));
}

static void a_full_server_is_retried(void **state)
{
    struct redis_options options;
    struct redis *redis;
    struct redis_field field = {"a", view_of("b")};
    struct answers answers = {0};

    (void)state;
    NEED_BROKER();
    options = options_of(false);
    redis = redis_new(loop, &options);
    broker_tell(&broker, "fill");
    redis_xadd(redis, "logs:full", &field, 1, 0, answered, asked(&answers, 'x'));
    wait_for(&answers.answered, 1);
    assert_string_equal(answers.last.reason, "broker-busy");
    assert_true(answers.last.retryable);
    broker_tell(&broker, "room");
    redis_xadd(redis, "logs:full", &field, 1, 0, answered, asked(&answers, 'x'));
    wait_for(&answers.answered, 2);
    assert_int_equal(answers.failed, 1);
    redis_free(redis);
}

static void tls_wants_a_known_authority(void **state)
{
    struct redis_options options;
    struct error error;

    (void)state;
    NEED_BROKER();
    options = options_of(true);
    options.ca_bundle = NULL;
    one_failure(options, "logs:x", &error);
    assert_string_equal(error.reason, "tls-failed");
    assert_false(error.retryable);

    /* who is known, but by another name */
    options = options_of(true);
    options.host = "127.0.0.1";
    one_failure(options, "logs:x", &error);
    assert_string_equal(error.reason, "tls-failed");
}

static void a_lost_connection_fails_all_and_the_next_connects(void **state)
{
    struct redis_options options;
    struct redis *redis;
    struct answers answers = {0};

    (void)state;
    NEED_BROKER();
    options = options_of(true);
    redis = redis_new(loop, &options);
    publish(redis, &answers, "logs:l", "before");
    wait_for(&answers.answered, 1);
    broker_tell(&broker, "pause");
    for (int i = 0; i < 5; i++)
        publish(redis, &answers, "logs:l", "during");
    loop_sleep(loop, 200, NULL);
    assert_int_equal(answers.answered, 1);
    broker_tell(&broker, "kill");
    wait_for(&answers.answered, 6);
    assert_int_equal(answers.failed, 5);
    assert_string_equal(answers.last.reason, "connection-lost");
    assert_true(answers.last.retryable);
    publish(redis, &answers, "logs:l", "down");
    wait_for(&answers.answered, 7);
    assert_string_equal(answers.last.reason, "connect-failed");
    assert_true(answers.last.retryable);
    broker_tell(&broker, "start");
    publish(redis, &answers, "logs:l", "after");
    wait_for(&answers.answered, 8);
    assert_int_equal(answers.failed, 6);
    /* an idle connection that ends is nobody's concern */
    broker_tell(&broker, "drop");
    loop_sleep(loop, 100, NULL);
    publish(redis, &answers, "logs:l", "again");
    wait_for(&answers.answered, 9);
    assert_int_equal(answers.failed, 6);
    redis_free(redis);
}

static void a_silent_server_is_given_up(void **state)
{
    struct redis_options options;
    struct redis *redis;
    struct answers answers = {0};
    int64_t start;

    (void)state;
    NEED_BROKER();
    options = options_of(false);
    options.answer_timeout_ms = 400;
    redis = redis_new(loop, &options);
    publish(redis, &answers, "logs:s", "one");
    wait_for(&answers.answered, 1);
    broker_tell(&broker, "pause");
    start = clock_monotonic_ms();
    publish(redis, &answers, "logs:s", "two");
    wait_for(&answers.answered, 2);
    assert_in_range(clock_monotonic_ms() - start, 350, 5000);
    assert_string_equal(answers.last.reason, "timed-out");
    assert_true(answers.last.retryable);
    broker_tell(&broker, "resume");
    redis_free(redis);
}

static void free_it(void *context)
{
    redis_free(context);
}

static void done_may_free_it(void **state)
{
    struct redis_options options = {.host = "127.0.0.1", .port = http_server_unused_port()};
    struct redis *redis = redis_new(loop, &options);
    struct answers answers = {.first = free_it, .context = redis};

    (void)state;
    publish(redis, &answers, "c", "one");
    wait_for(&answers.answered, 1);
    if (!have_broker)
        return;
    options = options_of(true);
    redis = redis_new(loop, &options);
    answers = (struct answers){.first = free_it, .context = redis};
    publish(redis, &answers, "logs:f", "one");
    wait_for(&answers.answered, 1);
    assert_int_equal(answers.failed, 0);
}

struct heard {
    int count, ended;
    char text[64];
    struct error error;
    struct redis *redis; /* freed at the end */
};

static void on_message(void *context, struct view payload)
{
    struct heard *heard = context;

    snprintf(heard->text, sizeof heard->text, "%.*s", (int)payload.len, payload.data);
    heard->count++;
}

static void on_ended(void *context, const struct error *error)
{
    struct heard *heard = context;

    heard->ended++;
    heard->error = *error;
    redis_free(heard->redis);
}

static void listens_to_a_channel(void **state)
{
    struct redis_options options;
    struct heard heard = {0};
    struct redis_subscription subscription = {.message = on_message, .ended = on_ended, .context = &heard};

    (void)state;
    NEED_BROKER();
    options = options_of(true);
    heard.redis = redis_new(loop, &options);
    redis_subscribe(heard.redis, "builder:cancel", &subscription);
    for (int i = 0; i < 100 && !heard.count; i++) {
        broker_tell(&broker, "publish builder:cancel {\"deploymentId\":\"d1\"}");
        loop_sleep(loop, 50, NULL);
    }
    assert_string_equal(heard.text, "{\"deploymentId\":\"d1\"}");
    broker_tell(&broker, "drop");
    broker_tell(&broker, "kill");
    wait_for(&heard.ended, 1);
    assert_true(heard.error.retryable);
    broker_tell(&broker, "start");

    options.password = "secret-of-the-test";
    heard = (struct heard){.redis = redis_new(loop, &options)};
    redis_subscribe(heard.redis, "builder:cancel", &subscription);
    wait_for(&heard.ended, 1);
    assert_string_equal(heard.error.reason, "broker-denied");

    options = options_of(false);
    heard = (struct heard){.redis = redis_new(loop, &options)};
    redis_subscribe(heard.redis, "other", &subscription);
    wait_for(&heard.ended, 1);
    assert_string_equal(heard.error.reason, "broker-denied");
}

/* Whatever becomes of an address where nobody answers, and of a name that does not exist: the loop runs. */
static void connecting_never_holds_the_loop(void **state)
{
    static const char *const hosts[] = {"127.0.0.1", "no-such-name.invalid"};
    static const char *const reasons[] = {"timed-out", "name-lookup-failed"};
    struct ticks ticks;
    struct black_hole hole;

    (void)state;
    black_hole_open(&hole);
    ticks_start(&ticks);
    for (int i = 0; i < 2; i++) {
        struct redis_options options = {.host = hosts[i], .port = hole.port, .connect_timeout_ms = 600};
        struct error error;

        one_failure(options, "c", &error);
        assert_string_equal(error.reason, reasons[i]);
        assert_true(error.retryable);
    }
    assert_in_range(ticks.count, 20, 10000);
    assert_in_range(ticks.longest_ms, 1, 300);
    black_hole_close(&hole);
}

static void addresses_of_this_machine_can_be_refused(void **state)
{
    static const char *const hosts[] = {"localhost", "127.0.0.1", "0.0.0.0", "::1", "[::1]", "169.254.170.2"};

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(hosts); i++) {
        struct redis_options options = {.host = hosts[i], .port = 6379, .refuse_own = true};
        struct error error;

        one_failure(options, "c", &error);
        assert_string_equal(error.reason, "own-address");
        assert_false(error.retryable);
    }
}

/* As URLs have it, and bare. */
static void addresses_of_version_6(void **state)
{
    static const char *const hosts[] = {"[::1]", "::1"};

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(hosts); i++) {
        struct redis_options options = {.host = hosts[i], .port = http_server_unused_port()};
        struct error error;

        one_failure(options, "c", &error);
        assert_string_equal(error.reason, "connect-failed");
    }
}

static void what_is_abandoned_is_not_told(void **state)
{
    struct redis_options options = {.host = "127.0.0.1", .port = http_server_unused_port()};
    struct redis *redis = redis_new(loop, &options);
    struct answers answers = {0};
    void *contexts[] = {asked(&answers, 'a'), asked(&answers, 'b')};
    char *large = xcalloc(1, 17u << 20);

    (void)state;
    redis_publish(redis, "c", view_of("a"), answered, contexts[0]);
    redis_publish(redis, "c", (struct view){large, 17u << 20}, answered, contexts[1]);
    redis_abandon(redis);
    loop_sleep(loop, 50, NULL);
    assert_int_equal(answers.answered, 0);
    publish(redis, &answers, "c", "next");
    wait_for(&answers.answered, 1);
    assert_string_equal(answers.order, "n");
    redis_free(redis);
    free(contexts[0]);
    free(contexts[1]);
    free(large);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST_WITH_LOOP(publishes_in_order),
        TEST_WITH_LOOP(appends_to_a_stream),
        TEST_WITH_LOOP(large_payloads_arrive_whole),
        TEST_WITH_LOOP(refuses_what_is_too_large),
        TEST_WITH_LOOP(says_who_is_denied),
        TEST_WITH_LOOP(a_full_server_is_retried),
        TEST_WITH_LOOP(tls_wants_a_known_authority),
        TEST_WITH_LOOP(a_lost_connection_fails_all_and_the_next_connects),
        TEST_WITH_LOOP(a_silent_server_is_given_up),
        TEST_WITH_LOOP(done_may_free_it),
        TEST_WITH_LOOP(listens_to_a_channel),
        TEST_WITH_LOOP(connecting_never_holds_the_loop),
        TEST_WITH_LOOP(addresses_of_this_machine_can_be_refused),
        TEST_WITH_LOOP(addresses_of_version_6),
        TEST_WITH_LOOP(what_is_abandoned_is_not_told),
    };
    int failed;

    have_broker = broker_start(&broker, "redis");
    failed = cmocka_run_group_tests(tests, NULL, NULL);
    if (have_broker)
        broker_stop(&broker);
    return failed;
}
