#include "support/queue_fixture.h"

#include <stdlib.h>

#include "core/clock.h"
#include "core/mem.h"
#include "core/redact.h"

static void take(struct sink *sink, size_t len)
{
    size_t i;

    for (i = 0; i < len; i++) {
        strings_add(&sink->ids, sink->messages[i].id);
        strings_add(&sink->bodies, sink->messages[i].body);
        if (sink->messages[i].body_len > sink->largest)
            sink->largest = sink->messages[i].body_len;
    }
}

static void on_turn(void *context)
{
    struct sink *sink = context;
    struct error err;
    size_t taken = sink->behaviour == TAKE ? sink->len : sink->behaviour == TAKE_HALF ? sink->len / 2 : 0;

    sink->timer = NULL;
    while (sink->behaviour == TAKE_SMALL && taken < sink->len && sink->messages[taken].body_len < sink->too_large)
        taken++;
    take(sink, taken);
    error_set(&err, sink->behaviour == DENY ? CLASS_CREDENTIALS : CLASS_PLATFORM,
              sink->behaviour == TAKE_SMALL ? "message-too-large" : "no", "no");
    if (sink->behaviour == FAIL || sink->behaviour == TAKE_HALF)
        error_retryable(&err, 0);
    if (sink->behaviour == TAKE_HALF)
        sink->behaviour = TAKE;
    sink->done(sink->context, taken, taken == sink->len ? NULL : &err);
}

void sink_answer(struct sink *sink)
{
    sink->timer = loop_timer_start(sink->loop, 0, on_turn, sink);
}

static void send_messages(struct sink *sink, const struct message *messages, size_t len, sink_done *done, void *context)
{
    sink->sends++;
    sink->messages = messages;
    sink->len = len;
    sink->done = done;
    sink->context = context;
    if (sink->behaviour != HANG)
        sink_answer(sink);
}

static void cancel(struct sink *sink)
{
    sink->cancels++;
    loop_timer_stop(sink->timer);
    sink->timer = NULL;
}

static void close_sink(struct sink *sink)
{
    sink->closes++;
    loop_timer_stop(sink->timer);
}

const struct sink_type sink_of_one = {.name = "one",
                                      .max_body = 1 << 18,
                                      .max_messages = 1,
                                      .send = send_messages,
                                      .cancel = cancel,
                                      .close = close_sink};
const struct sink_type sink_of_many = {.name = "many",
                                       .max_body = 1 << 18,
                                       .max_messages = 100,
                                       .line_wise = true,
                                       .send = send_messages,
                                       .cancel = cancel,
                                       .close = close_sink};

static void on_append(void *context)
{
    struct fixture *f = context;

    if (f->queue)
        queue_wake(f->queue);
}

int queue_setup(void **state)
{
    struct fixture *f = xcalloc(1, sizeof *f);

    f->loop = loop_new();
    f->spool = spool_new("/tmp", 256 << 20);
    f->redactor = redactor_new();
    f->log = log_new(f->spool, f->redactor);
    f->sink.loop = f->loop;
    f->job = (struct event_job){.run = "run1", .source = "urn:x", .id = "job1", .type = "build", .started_ms = 1000};
    f->result = json_pack("{s:s, s:s}", "id", "job1", "status", "succeeded");
    spool_on_append(f->spool, on_append, f);
    *state = f;
    return 0;
}

int queue_teardown(void **state)
{
    struct fixture *f = *state;

    queue_free(f->queue);
    strings_dispose(&f->sink.ids);
    strings_dispose(&f->sink.bodies);
    log_free(f->log);
    redactor_free(f->redactor);
    spool_free(f->spool);
    loop_free(f->loop);
    json_decref(f->result);
    free(f);
    return 0;
}

void begin(struct fixture *f, const struct sink_type *type, const struct event_format *format, unsigned kinds)
{
    const struct queue_options options = {.loop = f->loop,
                                          .spool = f->spool,
                                          .log = f->log,
                                          .job = &f->job,
                                          .type = type,
                                          .sink = &f->sink,
                                          .format = format,
                                          .kinds = kinds,
                                          .name = "test"};

    f->queue = queue_new(&options);
}

void run_for(struct fixture *f, int64_t ms)
{
    int64_t until = clock_monotonic_ms() + ms;

    while (clock_monotonic_ms() < until)
        loop_run_once(f->loop, 5);
}

void finish(struct fixture *f, int64_t skip_ms, int64_t limit_ms)
{
    int64_t now = clock_monotonic_ms();

    queue_finish(f->queue, f->result);
    while (!queue_done(f->queue) && clock_monotonic_ms() < now + limit_ms) {
        loop_run_once(f->loop, 5);
        if (clock_monotonic_ms() >= now + skip_ms)
            queue_skip(f->queue);
    }
}

json_t *body(const struct fixture *f, size_t index)
{
    assert_true(index < f->sink.bodies.len);
    return json_loads(f->sink.bodies.items[index], 0, NULL);
}

const char *type_of(const json_t *event)
{
    return json_string_value(json_object_get(event, "type"));
}

void assert_type(const struct fixture *f, size_t index, const char *type)
{
    json_t *event = body(f, index);

    assert_string_equal(type_of(event), type);
    json_decref(event);
}
