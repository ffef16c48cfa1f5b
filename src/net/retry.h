/* Exponential backoff with full jitter (AWS Architecture Blog, "Exponential Backoff And Jitter"). */
#ifndef CAISSON_NET_RETRY_H
#define CAISSON_NET_RETRY_H

#include <stdbool.h>
#include <stdint.h>

#include "core/error.h"
#include "net/loop.h"

struct retry {
    int max_attempts; /* the first one counts */
    int64_t base_ms;  /* ceiling of the first wait */
    int64_t cap_ms;   /* ceiling of any wait */
    int attempts;     /* made so far */
};

/* How long to wait before the next attempt after `error`, or -1 when there is none (not retryable, or used up).
 * Counts the attempt. error->retry_after_ms is a lower bound of the wait: the jitter comes on top, so that those who
 * were told the same do not come back together. */
int64_t retry_next(struct retry *retry, const struct error *error);

#endif
