#include "net/retry.h"

#include <sys/random.h>

static uint64_t random_below(uint64_t bound)
{
    uint64_t value = 0;

    /* Without entropy (early boot) there is no jitter; the wait is then the shortest. */
    if (bound == 0 || getrandom(&value, sizeof value, GRND_NONBLOCK) != sizeof value)
        return 0;
    return value % bound;
}

int64_t retry_next(struct retry *retry, const struct error *error)
{
    int64_t ceiling = retry->base_ms > 0 ? retry->base_ms : 0;
    int doubled;

    retry->attempts++;
    if (!error->retryable || retry->attempts >= retry->max_attempts)
        return -1;
    for (doubled = 1; doubled < retry->attempts && ceiling < retry->cap_ms; doubled++)
        ceiling *= 2;
    if (ceiling > retry->cap_ms)
        ceiling = retry->cap_ms;
    return error->retry_after_ms + (int64_t)random_below((uint64_t)ceiling + 1);
}
