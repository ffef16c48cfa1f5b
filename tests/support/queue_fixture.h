/* A queue over a spool of its own, before a sink that does as it is told. */
#ifndef CAISSON_TESTS_QUEUE_FIXTURE_H
#define CAISSON_TESTS_QUEUE_FIXTURE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "report/queue.h"

/* What the next calls of send shall do. */
enum behaviour { TAKE, FAIL, REFUSE, DENY, HANG, TAKE_HALF, TAKE_SMALL };

struct sink {
    struct loop *loop;
    struct loop_timer *timer;
    enum behaviour behaviour;
    const struct message *messages;
    size_t len;
    sink_done *done;
    void *context;
    struct strings ids, bodies;
    int sends, cancels, closes;
    size_t largest, too_large; /* TAKE_SMALL: bodies of so many bytes are refused */
};

/* A message a call, and lines of many. */
extern const struct sink_type sink_of_one, sink_of_many;

struct fixture {
    struct loop *loop;
    struct spool *spool;
    struct redactor *redactor;
    struct log *log;
    struct sink sink;
    struct event_job job;
    struct queue *queue;
    json_t *result;
};

/* *state is a struct fixture. */
int queue_setup(void **state);
int queue_teardown(void **state);
#define TEST_WITH_QUEUE(test) cmocka_unit_test_setup_teardown(test, queue_setup, queue_teardown)

/* Who hung answers, as `behaviour` says by now. */
void sink_answer(struct sink *sink);

/* Makes f->queue, which tells of `kinds`. */
void begin(struct fixture *f, const struct sink_type *type, const struct event_format *format, unsigned kinds);
void run_for(struct fixture *f, int64_t ms);
/* The end of the job: lines are left out from skip_ms on, and it is given up after limit_ms. */
void finish(struct fixture *f, int64_t skip_ms, int64_t limit_ms);

/* What the sink has taken: the event of that index, caller frees with json_decref; and its type, borrowed. */
json_t *body(const struct fixture *f, size_t index);
const char *type_of(const json_t *event);
void assert_type(const struct fixture *f, size_t index, const char *type);

#endif
