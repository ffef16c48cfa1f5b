/* Texts for times, durations and sizes: what is accepted is in range and comes back from its own formatted text. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "core/clock.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_instant(int64_t ms)
{
    char text[CLOCK_TEXT_SIZE];
    int64_t back;

    clock_format(ms, text);
    /* An offset may lead out of the years 0 to 9999, which the formatted text cannot leave. */
    if (clock_parse(text, &back) || (back != ms && ms >= INT64_C(-62167219200000) && ms <= INT64_C(253402300799999)))
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *text = strndup(size ? (const char *)data : "", size);
    char formatted[CLOCK_TEXT_SIZE];
    int64_t value;
    int64_t back;

    if (!text)
        return 0;
    if (clock_parse(text, &value) == 0)
        check_instant(value);
    if (clock_parse_http(text, &value) == 0)
        check_instant(value);
    if (duration_parse(text, &value) == 0) {
        if (value < 0 || value > INT64_C(30) * 24 * 3600 * 1000)
            abort();
        duration_format(value, formatted);
        if (!strchr(formatted, '.') && (duration_parse(formatted, &back) || llabs(back - value) > 500))
            abort();
    }
    if (size_parse(text, &value) == 0) {
        if (value < 0)
            abort();
        size_format(value, formatted);
    }
    if (size >= sizeof value) {
        memcpy(&value, data, sizeof value);
        check_instant(value);
        duration_format(value, formatted);
        size_format(value, formatted);
    }
    free(text);
    return 0;
}
