/* Time, and the texts people write for time and size. */
#ifndef CAISSON_CORE_CLOCK_H
#define CAISSON_CORE_CLOCK_H

#include <stddef.h>
#include <stdint.h>

#define CLOCK_TEXT_SIZE 32

/* Milliseconds of CLOCK_MONOTONIC: for durations and limits. */
int64_t clock_monotonic_ms(void);
/* Milliseconds since the epoch, UTC: for what people and other machines read. */
int64_t clock_wall_ms(void);

/* "2026-01-09T12:00:00.123Z" (RFC 3339, UTC). */
void clock_format(int64_t wall_ms, char text[CLOCK_TEXT_SIZE]);
/* RFC 3339 with any offset; 0 or -1. Leap second 60 is taken as 59. */
int clock_parse(const char *text, int64_t *wall_ms);
/* An HTTP date (RFC 9110, IMF-fixdate); 0 or -1. */
int clock_parse_http(const char *text, int64_t *wall_ms);

/* "90s", "30m", "1h30m", "500ms", "2d"; a number must have a unit, larger units come first, each at most once. 0 or -1
 * (malformed, negative, or over 30 days). */
int duration_parse(const char *text, int64_t *ms);
/* "1h30m", "2m5s", "4.2s", "870ms": rounded for people; duration_parse reads it back when it has no fraction. */
void duration_format(int64_t ms, char text[CLOCK_TEXT_SIZE]);
/* "512", "64KiB", "5GiB", "10MB" (B, kB or KB, MB, GB, TB by 1000; KiB, MiB, GiB, TiB by 1024); 0 or -1. */
int size_parse(const char *text, int64_t *bytes);
/* A size, or "90%" (1 to 100) of what there is: one of the two is set, the other 0. 0 or -1. */
int limit_parse(const char *text, int64_t *bytes, int *percent);
/* "34.1 MiB" for people. */
void size_format(int64_t bytes, char text[CLOCK_TEXT_SIZE]);

#endif
