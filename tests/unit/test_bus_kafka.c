/* Kafka: a real broker of the test's own. */
#include <stdlib.h>
#include <string.h>

#include "bus/kafka.h"
#include "core/clock.h"
#include "core/mem.h"
#include "support/bus_fixture.h"
#include "support/http_server.h"

static char secure[64], plain[64]; /* where it is */

static void produce(struct kafka *kafka, struct answers *answers, const char *topic, const char *text)
{
    struct kafka_header header = {"ce_id", text};
    struct kafka_message message = {
        .topic = topic, .key = "log", .value = view_of(text), .headers = &header, .header_count = strlen(text) < 64};

    kafka_produce(kafka, &message, answered, asked(answers, text[0]));
}

static struct kafka_options options_of(bool tls)
{
    return (struct kafka_options){.brokers = tls ? secure : plain,
                                  .mechanism = tls ? "PLAIN" : NULL,
                                  .username = broker.user,
                                  .password = broker.password,
                                  .tls = tls,
                                  .ca_bundle = broker.ca};
}

static void produces_in_order_by_every_mechanism(void **state)
{
    static const char *const mechanisms[] = {NULL, "PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"};

    (void)state;
    NEED_BROKER();
    for (int i = 0; i < 4; i++) {
        struct kafka_options options = options_of(mechanisms[i] != NULL);
        struct kafka *kafka;
        struct answers answers = {0};
        char topic[16];
        json_t *records;

        options.mechanism = mechanisms[i];
        snprintf(topic, sizeof topic, "order-%d", i);
        broker_tell(&broker, "topic %s", topic);
        kafka = kafka_new(loop, &options);
        for (int n = 0; n < 20; n++) {
            char text[16];

            snprintf(text, sizeof text, "%c-line", 'a' + n);
            produce(kafka, &answers, topic, text);
        }
        wait_for(&answers.answered, 20);
        assert_int_equal(answers.failed, 0);
        assert_string_equal(answers.order, "abcdefghijklmnopqrst");
        records = broker_ask(&broker, "records %s", topic);
        assert_int_equal(json_array_size(records), 20);
        assert_string_equal(json_string_value(json_array_get(records, 1)),
                            "{\"key\": \"log\", \"value\": \"b-line\", \"headers\": {\"ce_id\": \"b-line\"}}");
        json_decref(records);
        kafka_free(kafka);
    }
}

static void one_failure(struct kafka_options options, const char *topic, struct error *error)
{
    struct kafka *kafka = kafka_new(loop, &options);
    struct answers answers = {0};

    produce(kafka, &answers, topic, "one");
    produce(kafka, &answers, topic, "two");
    wait_for(&answers.answered, 2);
    assert_int_equal(answers.failed, 2);
    *error = answers.last;
    kafka_free(kafka);
    assert_null(strstr(error->message, "secret-of-the-test"));
}

static void says_at_once_who_is_denied(void **state)
{
    struct kafka_options options;
    struct error error;
    int64_t start;

    (void)state;
    NEED_BROKER();
    broker_tell(&broker, "topic denial");
    for (int i = 0; i < 2; i++) {
        options = options_of(true);
        options.password = "secret-of-the-test";
        options.mechanism = i ? "SCRAM-SHA-512" : "PLAIN";
        start = clock_monotonic_ms();
        one_failure(options, "denial", &error);
        assert_string_equal(error.reason, "broker-denied");
        assert_int_equal(error.class, CLASS_CREDENTIALS);
        assert_false(error.retryable);
        assert_in_range(clock_monotonic_ms() - start, 0, 15000);
    }
    broker_tell(&broker, "denied others");
    one_failure(options_of(true), "others", &error);
    assert_string_equal(error.reason, "broker-denied");
}

static void tls_wants_a_known_authority(void **state)
{
    struct kafka_options options;
    struct error error;
    char by_address[64];

    (void)state;
    NEED_BROKER();
    options = options_of(true);
    options.ca_bundle = NULL;
    one_failure(options, "denial", &error);
    assert_string_equal(error.reason, "tls-failed");
    assert_false(error.retryable);

    options = options_of(true);
    snprintf(by_address, sizeof by_address, "127.0.0.2:%d", broker.tls_port);
    options.ca_bundle = "/nonexistent/ca.pem";
    one_failure(options, "denial", &error);
    assert_string_equal(error.reason, "tls-failed");
    assert_non_null(strstr(error.message, "the CA bundle /nonexistent/ca.pem cannot be read"));
}

static void says_which_topic_is_missing(void **state)
{
    struct error error;

    (void)state;
    NEED_BROKER();
    one_failure(options_of(true), "no-such-topic", &error);
    assert_string_equal(error.reason, "unknown-topic");
    assert_false(error.retryable);
    one_failure(options_of(true), "no/such topic", &error);
    assert_string_equal(error.reason, "unknown-topic");
}

/* The broker refuses a request of several messages as a whole: none is blamed that could go alone. */
static void blames_only_what_is_too_large(void **state)
{
    struct kafka_options options;
    struct kafka *kafka;
    struct answers answers = {0};
    char half[700], large[3000];

    (void)state;
    NEED_BROKER();
    memset(half, 'h', sizeof half - 1);
    half[sizeof half - 1] = '\0';
    memset(large, 'l', sizeof large - 1);
    large[sizeof large - 1] = '\0';
    broker_tell(&broker, "small small 1000");
    options = options_of(false);
    kafka = kafka_new(loop, &options);
    for (int i = 0; i < 3; i++)
        produce(kafka, &answers, "small", half);
    wait_for(&answers.answered, 3);
    if (answers.failed) { /* they went in one request */
        assert_string_equal(answers.last.reason, "broker-busy");
        assert_true(answers.last.retryable);
    }
    answers = (struct answers){0};
    for (int i = 0; i < 3; i++)
        produce(kafka, &answers, "small", half);
    produce(kafka, &answers, "small", large);
    produce(kafka, &answers, "small", half);
    wait_for(&answers.answered, 5);
    assert_int_equal(answers.failed, 1);
    assert_string_equal(answers.last.reason, "message-too-large");
    assert_false(answers.last.retryable);
    kafka_free(kafka);
}

static void large_values_arrive_whole(void **state)
{
    struct kafka_options options;
    struct kafka *kafka;
    struct answers answers = {0};
    char *text = xcalloc(1, 900001), *huge = xcalloc(1, 17u << 20);
    json_t *records;

    (void)state;
    memset(text, 'z', 900000);
    memset(huge, 'y', (17u << 20) - 1);
    if (have_broker) {
        broker_tell(&broker, "topic large");
        options = options_of(true);
        kafka = kafka_new(loop, &options);
        for (int i = 0; i < 5; i++)
            produce(kafka, &answers, "large", text);
        produce(kafka, &answers, "large", huge);
        wait_for(&answers.answered, 6);
        assert_int_equal(answers.failed, 1);
        assert_string_equal(answers.last.reason, "message-too-large");
        records = broker_ask(&broker, "records large");
        assert_int_equal(json_array_size(records), 5);
        json_decref(records);
        kafka_free(kafka);
    }
    free(text);
    free(huge);
    NEED_BROKER();
}

static void a_broker_that_comes_back_gets_all_once(void **state)
{
    struct kafka_options options;
    struct kafka *kafka;
    struct answers answers = {0};
    json_t *records;

    (void)state;
    NEED_BROKER();
    broker_tell(&broker, "topic back");
    options = options_of(true);
    options.delivery_timeout_ms = 5 * 60 * 1000; /* a broker's start on a machine that is busy */
    kafka = kafka_new(loop, &options);
    produce(kafka, &answers, "back", "a");
    wait_for(&answers.answered, 1);
    broker_tell(&broker, "kill");
    for (int i = 1; i < 10; i++) {
        char text[] = {(char)('a' + i), '\0'};

        produce(kafka, &answers, "back", text);
    }
    loop_sleep(loop, 500, NULL);
    assert_int_equal(answers.answered, 1);
    broker_tell(&broker, "start");
    wait_for(&answers.answered, 10);
    assert_int_equal(answers.failed, 0);
    assert_string_equal(answers.order, "abcdefghij");
    records = broker_ask(&broker, "records back");
    assert_int_equal(json_array_size(records), 10);
    json_decref(records);
    kafka_free(kafka);
}

static void a_broker_that_stays_away_is_given_up(void **state)
{
    CLEANUP_FREE char *nobody = xasprintf("127.0.0.1:%d", http_server_unused_port());
    struct kafka_options options = {.brokers = nobody, .delivery_timeout_ms = 1500};
    struct error error;
    int64_t start = clock_monotonic_ms();

    (void)state;
    one_failure(options, "t", &error);
    assert_string_equal(error.reason, "connect-failed");
    assert_true(error.retryable);
    assert_in_range(clock_monotonic_ms() - start, 1000, 8000);
    assert_non_null(strstr(error.message, nobody));

    options.brokers = "no-such-name.invalid:9092";
    one_failure(options, "t", &error);
    assert_string_equal(error.reason, "name-lookup-failed");
    assert_true(error.retryable);
}

static void connecting_never_holds_the_loop_nor_freeing(void **state)
{
    struct kafka_options options = {.delivery_timeout_ms = 1500};
    struct answers answers = {0};
    struct black_hole hole;
    struct ticks ticks;
    struct error error;
    struct kafka *kafka;
    char where[32];
    int64_t start;

    (void)state;
    black_hole_open(&hole);
    snprintf(where, sizeof where, "127.0.0.1:%d", hole.port);
    options.brokers = where;
    ticks_start(&ticks);
    kafka = kafka_new(loop, &options);
    produce(kafka, &answers, "t", "one");
    wait_for(&answers.answered, 1);
    assert_true(answers.last.retryable);
    assert_in_range(ticks.count, 20, 100000);
    assert_in_range(ticks.longest_ms, 1, 300);
    start = clock_monotonic_ms();
    kafka_free(kafka);
    assert_in_range(clock_monotonic_ms() - start, 0, 1500);
    black_hole_close(&hole);

    options.brokers = "127.0.0.1:9";
    options.refuse_own = true;
    one_failure(options, "t", &error);
    assert_string_equal(error.reason, "own-address");
}

static void what_is_abandoned_is_not_told(void **state)
{
    CLEANUP_FREE char *nobody = xasprintf("127.0.0.1:%d", http_server_unused_port());
    struct kafka_options options = {.brokers = nobody, .delivery_timeout_ms = 1000};
    struct kafka *kafka = kafka_new(loop, &options);
    struct answers answers = {0};
    void *context = asked(&answers, 'a');
    struct kafka_message message = {.topic = "t", .value = view_of("a")};

    (void)state;
    kafka_produce(kafka, &message, answered, context);
    kafka_abandon(kafka);
    produce(kafka, &answers, "t", "next");
    wait_for(&answers.answered, 1);
    assert_string_equal(answers.order, "n");
    kafka_free(kafka);
    free(context);
}

static void free_it(void *context)
{
    kafka_free(context);
}

static void done_may_free_it(void **state)
{
    struct kafka_options options;
    struct kafka *kafka;
    struct answers answers;

    (void)state;
    NEED_BROKER();
    broker_tell(&broker, "topic freed");
    options = options_of(true);
    kafka = kafka_new(loop, &options);
    answers = (struct answers){.first = free_it, .context = kafka};
    produce(kafka, &answers, "freed", "one");
    wait_for(&answers.answered, 1);
    assert_int_equal(answers.failed, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST_WITH_LOOP(produces_in_order_by_every_mechanism),
        TEST_WITH_LOOP(says_at_once_who_is_denied),
        TEST_WITH_LOOP(tls_wants_a_known_authority),
        TEST_WITH_LOOP(says_which_topic_is_missing),
        TEST_WITH_LOOP(blames_only_what_is_too_large),
        TEST_WITH_LOOP(large_values_arrive_whole),
        TEST_WITH_LOOP(a_broker_that_comes_back_gets_all_once),
        TEST_WITH_LOOP(done_may_free_it),
        TEST_WITH_LOOP(what_is_abandoned_is_not_told),
        TEST_WITH_LOOP(a_broker_that_stays_away_is_given_up),
        TEST_WITH_LOOP(connecting_never_holds_the_loop_nor_freeing),
    };
    int failed;

    have_broker = broker_start(&broker, "kafka");
    snprintf(secure, sizeof secure, "localhost:%d", broker.tls_port);
    snprintf(plain, sizeof plain, "127.0.0.1:%d", broker.port);
    failed = cmocka_run_group_tests(tests, NULL, NULL);
    if (have_broker)
        broker_stop(&broker);
    return failed;
}
