/* Durations and sizes as people write them. */
#include <ctype.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "core/clock.h"
#include "core/mem.h"

#define DURATION_MAX_MS (INT64_C(30) * 24 * 3600 * 1000)

struct unit {
    const char *name;
    int64_t factor;
};

/* Longest first: their order is the order in which a text may name them. */
static const struct unit durations[] = {
    {"d", 86400000}, {"h", 3600000}, {"m", 60000}, {"s", 1000}, {"ms", 1},
};

static const struct unit sizes[] = {
    {"", 1},
    {"B", 1},
    {"kB", 1000},
    {"KB", 1000},
    {"MB", 1000000},
    {"GB", 1000000000},
    {"TB", INT64_C(1000000000000)},
    {"KiB", INT64_C(1) << 10},
    {"MiB", INT64_C(1) << 20},
    {"GiB", INT64_C(1) << 30},
    {"TiB", INT64_C(1) << 40},
};

/* Digits alone: no sign, no space, no fraction. */
static bool take_count(const char **at, int64_t *value)
{
    *value = 0;
    if (!isdigit((unsigned char)**at))
        return false;
    for (; isdigit((unsigned char)**at); (*at)++)
        if (__builtin_mul_overflow(*value, 10, value) || __builtin_add_overflow(*value, **at - '0', value))
            return false;
    return true;
}

int duration_parse(const char *text, int64_t *ms)
{
    const char *at = text;
    int64_t total = 0;
    size_t next = 0;

    do {
        int64_t count;
        size_t len;

        if (!take_count(&at, &count))
            return -1;
        len = strspn(at, "dhms");
        /* "1m30s": the letters up to the next number are one unit. */
        while (next < ARRAY_LEN(durations) &&
               (strlen(durations[next].name) != len || strncmp(at, durations[next].name, len) != 0))
            next++;
        if (next == ARRAY_LEN(durations))
            return -1;
        if (__builtin_mul_overflow(count, durations[next].factor, &count) ||
            __builtin_add_overflow(total, count, &total) || total > DURATION_MAX_MS)
            return -1;
        at += len;
        next++;
    } while (*at);
    *ms = total;
    return 0;
}

void duration_format(int64_t ms, char text[CLOCK_TEXT_SIZE])
{
    int64_t seconds;
    size_t used = 0;
    size_t i;

    if (ms <= 0) {
        snprintf(text, CLOCK_TEXT_SIZE, "0s");
        return;
    }
    if (ms < 1000) {
        snprintf(text, CLOCK_TEXT_SIZE, "%dms", (int)ms);
        return;
    }
    /* Tenths below a minute, whole seconds above. */
    if (ms < 59950 && (ms + 50) / 100 % 10 != 0) {
        snprintf(text, CLOCK_TEXT_SIZE, "%d.%ds", (int)((ms + 50) / 1000), (int)((ms + 50) / 100 % 10));
        return;
    }
    seconds = ms / 1000 + (ms % 1000 >= 500);
    for (i = 0; durations[i].factor >= 1000; i++) {
        int64_t factor = durations[i].factor / 1000;

        if (seconds >= factor)
            used += (size_t)snprintf(text + used, CLOCK_TEXT_SIZE - used, "%lld%s", (long long)(seconds / factor),
                                     durations[i].name);
        seconds %= factor;
    }
}

int size_parse(const char *text, int64_t *bytes)
{
    const char *at = text;
    int64_t count;
    size_t i;

    if (!take_count(&at, &count))
        return -1;
    for (i = 0; i < ARRAY_LEN(sizes); i++) {
        if (strcmp(at, sizes[i].name) != 0)
            continue;
        if (__builtin_mul_overflow(count, sizes[i].factor, &count))
            return -1;
        *bytes = count;
        return 0;
    }
    return -1;
}

int limit_parse(const char *text, int64_t *bytes, int *percent)
{
    const char *at = text;
    int64_t count;

    *percent = 0;
    *bytes = 0;
    if (take_count(&at, &count) && strcmp(at, "%") == 0) {
        if (count < 1 || count > 100)
            return -1;
        *percent = (int)count;
        return 0;
    }
    return size_parse(text, bytes) == 0 && *bytes > 0 ? 0 : -1;
}

void size_format(int64_t bytes, char text[CLOCK_TEXT_SIZE])
{
    static const char *const names[] = {"KiB", "MiB", "GiB", "TiB", "PiB", "EiB"};
    int64_t unit = 1024;
    int64_t tenths;
    size_t i = 0;

    if (bytes < 1024) {
        snprintf(text, CLOCK_TEXT_SIZE, "%d B", bytes < 0 ? 0 : (int)bytes);
        return;
    }
    /* Rounded before the unit is chosen: 1023.99 KiB is 1 MiB. The parts are apart because bytes * 10 may overflow. */
    for (;;) {
        tenths = bytes / unit * 10 + (bytes % unit * 5 + unit / 4) / (unit / 2);
        if (tenths < 10240 || i + 1 == ARRAY_LEN(names))
            break;
        unit *= 1024;
        i++;
    }
    if (tenths % 10)
        snprintf(text, CLOCK_TEXT_SIZE, "%lld.%d %s", (long long)(tenths / 10), (int)(tenths % 10), names[i]);
    else
        snprintf(text, CLOCK_TEXT_SIZE, "%lld %s", (long long)(tenths / 10), names[i]);
}
