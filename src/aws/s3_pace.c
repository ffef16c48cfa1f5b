/* One queue for all that want to send while S3 takes fewer requests than we have. */
#include "aws/s3_internal.h"
#include "core/clock.h"

static void append(struct s3_queue *queue, struct s3_turn *turn)
{
    turn->waiting = true;
    turn->next = NULL;
    turn->previous = queue->last;
    if (queue->last)
        queue->last->next = turn;
    else
        queue->first = turn;
    queue->last = turn;
}

static void unlink_turn(struct s3_queue *queue, struct s3_turn *turn)
{
    turn->waiting = false;
    if (turn->previous)
        turn->previous->next = turn->next;
    else
        queue->first = turn->next;
    if (turn->next)
        turn->next->previous = turn->previous;
    else
        queue->last = turn->previous;
}

static void serve(void *context)
{
    struct s3 *s3 = context;
    struct s3_queue *queue = &s3->queue;
    int64_t wait_ms = 0;

    queue->timer = NULL;
    while (queue->first && (wait_ms = pace_take(&queue->pace, clock_monotonic_ms())) == 0) {
        struct s3_turn *turn = queue->first;

        unlink_turn(queue, turn);
        turn->call(turn->context);
    }
    if (queue->first && !queue->timer)
        queue->timer = loop_timer_start(s3->loop, wait_ms, serve, s3);
}

bool s3_turn_take(struct s3 *s3, struct s3_turn *turn, void (*call)(void *context), void *context)
{
    struct s3_queue *queue = &s3->queue;
    int64_t wait_ms = 0;

    if (!queue->first && (wait_ms = pace_take(&queue->pace, clock_monotonic_ms())) == 0)
        return true;
    turn->call = call;
    turn->context = context;
    append(queue, turn);
    if (!queue->timer)
        queue->timer = loop_timer_start(s3->loop, wait_ms, serve, s3);
    return false;
}

void s3_turn_leave(struct s3 *s3, struct s3_turn *turn)
{
    struct s3_queue *queue = &s3->queue;

    if (turn->waiting)
        unlink_turn(queue, turn);
    if (queue->first)
        return;
    loop_timer_stop(queue->timer);
    queue->timer = NULL;
}

void s3_pace_accepted(struct s3 *s3)
{
    s3->queue.refused_since_ms = 0;
    pace_accepted(&s3->queue.pace, clock_monotonic_ms());
}

void s3_pace_refused(struct s3 *s3, int64_t sent_ms)
{
    int64_t now_ms = clock_monotonic_ms();

    if (!s3->queue.refused_since_ms)
        s3->queue.refused_since_ms = now_ms;
    pace_refused(&s3->queue.pace, sent_ms, now_ms);
}

bool s3_pace_is_patient(const struct s3 *s3, int64_t wait_ms, int64_t *refused_ms)
{
    *refused_ms = clock_monotonic_ms() - s3->queue.refused_since_ms;
    return *refused_ms + wait_ms <= s3->options.patience_ms;
}
