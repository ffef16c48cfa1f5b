/* AMQP 0-9-1: a real RabbitMQ of the test's own, and servers that are none. */
#include <stdlib.h>
#include <string.h>

#include "bus/amqp.h"
#include "core/clock.h"
#include "core/mem.h"
#include "support/bus_fixture.h"
#include "support/http_server.h"

static int next_id;

static void publish_to(struct amqp *amqp, struct answers *answers, const char *exchange, const char *key,
                       struct view body)
{
    char id[32];
    struct amqp_header header = {"ce-type", "dev.caisson.job.log"};
    struct amqp_message message = {.exchange = exchange,
                                   .routing_key = key,
                                   .message_id = id,
                                   .content_type = "application/json",
                                   .headers = &header,
                                   .header_count = 1,
                                   .wall_ms = clock_wall_ms(),
                                   .body = body};

    snprintf(id, sizeof id, "run-%d", ++next_id);
    amqp_publish(amqp, &message, answered, asked(answers, body.len ? body.data[0] : '-'));
}

static void publish(struct amqp *amqp, struct answers *answers, const char *text)
{
    publish_to(amqp, answers, "ci.direct", "status", view_of(text));
}

static struct amqp_options options_of(bool tls)
{
    return (struct amqp_options){.host = "localhost",
                                 .port = tls ? broker.tls_port : broker.port,
                                 .virtual_host = broker.place,
                                 .username = broker.user,
                                 .password = broker.password,
                                 .tls = tls,
                                 .ca_bundle = broker.ca};
}

static void publishes_in_order_and_is_confirmed(void **state)
{
    (void)state;
    NEED_BROKER();
    for (int tls = 0; tls < 2; tls++) {
        struct amqp_options options = options_of(tls);
        struct amqp *amqp = amqp_new(loop, &options);
        struct answers answers = {0};
        json_t *messages;

        for (int i = 0; i < 20; i++) {
            char text[16];

            snprintf(text, sizeof text, "%c-line", 'a' + i);
            publish(amqp, &answers, text);
        }
        wait_for(&answers.answered, 20);
        assert_int_equal(answers.failed, 0);
        messages = broker_ask(&broker, "messages ci.queue");
        assert_int_equal(json_array_size(messages), 20);
        for (size_t i = 0; i < 20; i++)
            assert_int_equal(json_string_value(json_array_get(messages, i))[0], 'a' + (int)i);
        json_decref(messages);
        amqp_free(amqp);
    }
}

static void bodies_of_any_size_arrive_whole(void **state)
{
    static const size_t sizes[] = {0, 1, 4087, 4088, 4089, 8176, 262144, 1048576};
    struct amqp_options options;
    struct amqp *amqp;
    struct answers answers = {0};
    char *text = xcalloc(1, 1048577);
    json_t *messages;

    (void)state;
    memset(text, 'z', 1048576);
    if (!have_broker)
        free(text);
    NEED_BROKER();
    options = options_of(true);
    amqp = amqp_new(loop, &options);
    for (size_t i = 0; i < ARRAY_LEN(sizes); i++)
        publish_to(amqp, &answers, "ci.direct", "status", (struct view){text, sizes[i]});
    wait_for(&answers.answered, ARRAY_LEN(sizes));
    assert_int_equal(answers.failed, 0);
    messages = broker_ask(&broker, "messages ci.queue");
    for (size_t i = 0; i < ARRAY_LEN(sizes); i++)
        assert_int_equal(json_string_length(json_array_get(messages, i)), sizes[i]);
    json_decref(messages);
    amqp_free(amqp);
    free(text);
}

static void says_what_nobody_takes(void **state)
{
    struct amqp_options options;
    struct amqp *amqp;
    struct answers answers = {0};

    (void)state;
    NEED_BROKER();
    options = options_of(true);
    amqp = amqp_new(loop, &options);
    publish(amqp, &answers, "a");
    publish_to(amqp, &answers, "ci.direct", "nobody", view_of("b"));
    publish(amqp, &answers, "c");
    wait_for(&answers.answered, 3);
    assert_int_equal(answers.failed, 1);
    assert_string_equal(answers.last.reason, "unroutable");
    assert_false(answers.last.retryable);

    publish_to(amqp, &answers, "ci.missing", "status", view_of("d"));
    wait_for(&answers.answered, 4);
    assert_string_equal(answers.last.reason, "no-exchange");
    assert_false(answers.last.retryable);
    publish(amqp, &answers, "e");
    wait_for(&answers.answered, 5);
    assert_int_equal(answers.failed, 2);
    json_decref(broker_ask(&broker, "messages ci.queue"));
    amqp_free(amqp);
}

static void one_too_large_harms_no_other(void **state)
{
    struct amqp_options options;
    struct amqp *amqp;
    struct answers answers = {0};
    char *text = xcalloc(1, 17u << 20);

    (void)state;
    memset(text, 'l', (17u << 20) - 1);
    if (!have_broker)
        free(text);
    NEED_BROKER();
    options = options_of(true);
    amqp = amqp_new(loop, &options);
    publish_to(amqp, &answers, "ci.direct", "status", (struct view){text, (1u << 20) + 1}); /* its limit is 1 MiB */
    publish(amqp, &answers, "b");
    wait_for(&answers.answered, 2);
    assert_int_equal(answers.failed, 2);
    assert_string_equal(answers.order, "lb");
    assert_string_equal(answers.last.reason, "connection-lost"); /* of the second: it may come again */
    assert_true(answers.last.retryable);

    publish_to(amqp, &answers, "ci.direct", "status", (struct view){text, 17u << 20});
    wait_for(&answers.answered, 3);
    assert_string_equal(answers.last.reason, "message-too-large");
    assert_false(answers.last.retryable);
    json_decref(broker_ask(&broker, "messages ci.queue"));
    amqp_free(amqp);
    free(text);
}

static void one_failure(struct amqp_options options, struct error *error)
{
    struct amqp *amqp = amqp_new(loop, &options);
    struct answers answers = {0};

    publish(amqp, &answers, "one");
    publish(amqp, &answers, "two");
    wait_for(&answers.answered, 2);
    assert_int_equal(answers.failed, 2);
    *error = answers.last;
    amqp_free(amqp);
    assert_null(strstr(error->message, "secret-of-the-test"));
}

static void says_who_is_denied(void **state)
{
    struct amqp_options options;
    struct error error;
    char longer[300];

    (void)state;
    NEED_BROKER();
    options = options_of(false);
    options.password = "secret-of-the-test";
    one_failure(options, &error);
    assert_string_equal(error.reason, "broker-denied");
    assert_int_equal(error.class, CLASS_CREDENTIALS);
    assert_false(error.retryable);

    options = options_of(true);
    options.virtual_host = "no-such-place";
    one_failure(options, &error);
    assert_string_equal(error.reason, "broker-denied");

    memset(longer, 'v', sizeof longer - 1);
    longer[sizeof longer - 1] = '\0';
    options.virtual_host = longer;
    one_failure(options, &error);
    assert_string_equal(error.reason, "broker-refused");
}

static void tls_wants_a_known_authority(void **state)
{
    struct amqp_options options;
    struct error error;

    (void)state;
    NEED_BROKER();
    options = options_of(true);
    options.ca_bundle = NULL;
    one_failure(options, &error);
    assert_string_equal(error.reason, "tls-failed");
    assert_false(error.retryable);

    /* and plain words to a port of TLS */
    options = options_of(true);
    options.tls = false;
    one_failure(options, &error);
    assert_true(strcmp(error.reason, "bad-response") == 0 || strcmp(error.reason, "connection-lost") == 0);
}

static void a_full_disk_is_told_as_such(void **state)
{
    struct amqp_options options;
    struct amqp *amqp;
    struct answers answers = {0};

    (void)state;
    NEED_BROKER();
    options = options_of(true);
    options.answer_timeout_ms = 1500;
    amqp = amqp_new(loop, &options);
    publish(amqp, &answers, "before");
    wait_for(&answers.answered, 1);
    broker_tell(&broker, "full");
    publish(amqp, &answers, "full");
    wait_for(&answers.answered, 2);
    assert_int_equal(answers.failed, 1);
    assert_string_equal(answers.last.reason, "broker-busy");
    assert_true(answers.last.retryable);
    broker_tell(&broker, "room");
    amqp_free(amqp);
    options.answer_timeout_ms = 0;
    amqp = amqp_new(loop, &options);
    publish(amqp, &answers, "after");
    wait_for(&answers.answered, 3);
    assert_int_equal(answers.failed, 1);
    json_decref(broker_ask(&broker, "messages ci.queue"));
    amqp_free(amqp);
}

static void idle_connections_stay(void **state)
{
    struct amqp_options options;
    struct amqp *amqp;
    struct answers answers = {0};

    (void)state;
    NEED_BROKER();
    options = options_of(true);
    options.heartbeat_s = 1; /* without our heartbeats the broker ends it after two to three */
    amqp = amqp_new(loop, &options);
    publish(amqp, &answers, "one");
    wait_for(&answers.answered, 1);
    loop_sleep(loop, 5000, NULL);
    publish(amqp, &answers, "two");
    wait_for(&answers.answered, 2);
    assert_int_equal(answers.failed, 0);
    json_decref(broker_ask(&broker, "messages ci.queue"));
    amqp_free(amqp);
}

/* What the broker knows of its connections comes a while after it is so. */
static void await_connections(size_t wanted)
{
    size_t count;
    int tries = 0;

    do {
        json_t *names = broker_ask(&broker, "connections");

        count = json_array_size(names);
        json_decref(names);
        loop_sleep(loop, 100, NULL);
    } while (count != wanted && tries++ < 600);
    assert_int_equal(count, wanted);
}

static void a_lost_connection_fails_all_and_the_next_connects(void **state)
{
    struct amqp_options options;
    struct amqp *amqp;
    struct answers answers = {0};

    (void)state;
    NEED_BROKER();
    options = options_of(true);
    amqp = amqp_new(loop, &options);
    publish(amqp, &answers, "before");
    wait_for(&answers.answered, 1);
    await_connections(1);
    broker_tell(&broker, "drop"); /* an idle connection that ends is nobody's concern */
    await_connections(0);
    broker_tell(&broker, "pause");
    for (int i = 0; i < 5; i++)
        publish(amqp, &answers, "during");
    loop_sleep(loop, 300, NULL);
    assert_int_equal(answers.answered, 1);
    broker_tell(&broker, "kill");
    wait_for(&answers.answered, 6);
    assert_int_equal(answers.failed, 5);
    assert_true(answers.last.retryable);
    publish(amqp, &answers, "down");
    wait_for(&answers.answered, 7);
    assert_string_equal(answers.last.reason, "connect-failed");
    assert_true(answers.last.retryable);
    broker_tell(&broker, "start");
    publish(amqp, &answers, "after");
    wait_for(&answers.answered, 8);
    assert_int_equal(answers.failed, 6);
    json_decref(broker_ask(&broker, "messages ci.queue"));
    amqp_free(amqp);
}

static void free_it(void *context)
{
    amqp_free(context);
}

static void done_may_free_it(void **state)
{
    struct amqp_options options = {.host = "127.0.0.1", .port = http_server_unused_port()};
    struct amqp *amqp = amqp_new(loop, &options);
    struct answers answers = {.first = free_it, .context = amqp};
    struct amqp_message second = {
        .exchange = "", .routing_key = "q", .message_id = "2", .content_type = "text/plain", .body = view_of("two")};
    void *context = asked(&answers, 't');

    (void)state;
    publish(amqp, &answers, "one");
    amqp_publish(amqp, &second, answered, context);
    wait_for(&answers.answered, 1);
    loop_sleep(loop, 50, NULL);
    assert_int_equal(answers.answered, 1);
    free(context);
}

static void what_is_abandoned_is_not_told(void **state)
{
    struct amqp_options options = {.host = "127.0.0.1", .port = http_server_unused_port()};
    struct amqp *amqp = amqp_new(loop, &options);
    struct answers answers = {0};
    void *context = asked(&answers, 'a');
    struct amqp_message message = {.exchange = "", .routing_key = "q", .message_id = "a", .body = view_of("a")};

    (void)state;
    amqp_publish(amqp, &message, answered, context);
    amqp_abandon(amqp);
    loop_sleep(loop, 50, NULL);
    assert_int_equal(answers.answered, 0);
    publish(amqp, &answers, "next");
    wait_for(&answers.answered, 1);
    assert_string_equal(answers.order, "n");
    amqp_free(amqp);
    free(context);
}

static void addresses_of_this_machine_can_be_refused(void **state)
{
    struct amqp_options options = {.host = "localhost", .port = 5672, .refuse_own = true};
    struct error error;

    (void)state;
    one_failure(options, &error);
    assert_string_equal(error.reason, "own-address");
}

static void connecting_never_holds_the_loop(void **state)
{
    struct amqp_options options = {.host = "127.0.0.1", .connect_timeout_ms = 600};
    struct black_hole hole;
    struct ticks ticks;
    struct error error;

    (void)state;
    black_hole_open(&hole);
    ticks_start(&ticks);
    options.port = hole.port;
    one_failure(options, &error);
    assert_string_equal(error.reason, "timed-out");
    assert_true(error.retryable);
    assert_in_range(ticks.count, 20, 10000);
    assert_in_range(ticks.longest_ms, 1, 300);
    black_hole_close(&hole);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST_WITH_LOOP(publishes_in_order_and_is_confirmed),
        TEST_WITH_LOOP(bodies_of_any_size_arrive_whole),
        TEST_WITH_LOOP(says_what_nobody_takes),
        TEST_WITH_LOOP(what_is_abandoned_is_not_told),
        TEST_WITH_LOOP(one_too_large_harms_no_other),
        TEST_WITH_LOOP(says_who_is_denied),
        TEST_WITH_LOOP(tls_wants_a_known_authority),
        TEST_WITH_LOOP(a_full_disk_is_told_as_such),
        TEST_WITH_LOOP(idle_connections_stay),
        TEST_WITH_LOOP(a_lost_connection_fails_all_and_the_next_connects),
        TEST_WITH_LOOP(done_may_free_it),
        TEST_WITH_LOOP(addresses_of_this_machine_can_be_refused),
        TEST_WITH_LOOP(connecting_never_holds_the_loop),
    };
    int failed;

    have_broker = broker_start(&broker, "rabbitmq");
    if (have_broker) {
        broker_tell(&broker, "exchange ci.direct");
        broker_tell(&broker, "queue ci.queue ci.direct status");
    }
    failed = cmocka_run_group_tests(tests, NULL, NULL);
    if (have_broker)
        broker_stop(&broker);
    return failed;
}
