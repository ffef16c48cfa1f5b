#include "core/clock.h"

#include <ctype.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#define MS_PER_SECOND ((int64_t)1000)
#define MS_PER_MINUTE (60 * MS_PER_SECOND)
#define MS_PER_HOUR (60 * MS_PER_MINUTE)
#define MS_PER_DAY (24 * MS_PER_HOUR)

/* The years 0 to 9999: what RFC 3339 can write. */
#define WALL_MIN_MS (INT64_C(-62167219200000))
#define WALL_MAX_MS INT64_C(253402300799999)

static int64_t now_ms(clockid_t clock)
{
    struct timespec now;

    clock_gettime(clock, &now);
    return (int64_t)now.tv_sec * MS_PER_SECOND + now.tv_nsec / 1000000;
}

int64_t clock_monotonic_ms(void)
{
    return now_ms(CLOCK_MONOTONIC);
}

int64_t clock_wall_ms(void)
{
    return now_ms(CLOCK_REALTIME);
}

static void put_digits(char *at, int count, int value)
{
    for (; count-- > 0; value /= 10)
        at[count] = (char)('0' + value % 10);
}

/* Without printf: it is called for every line of a log. */
void clock_format(int64_t wall_ms, char text[CLOCK_TEXT_SIZE])
{
    struct tm tm = {0};
    time_t seconds;
    int ms;

    if (wall_ms < WALL_MIN_MS)
        wall_ms = WALL_MIN_MS;
    if (wall_ms > WALL_MAX_MS)
        wall_ms = WALL_MAX_MS;
    ms = (int)(wall_ms % MS_PER_SECOND);
    if (ms < 0)
        ms += (int)MS_PER_SECOND;
    seconds = (time_t)((wall_ms - ms) / MS_PER_SECOND);
    gmtime_r(&seconds, &tm);
    put_digits(text, 4, tm.tm_year + 1900);
    put_digits(text + 5, 2, tm.tm_mon + 1);
    put_digits(text + 8, 2, tm.tm_mday);
    put_digits(text + 11, 2, tm.tm_hour);
    put_digits(text + 14, 2, tm.tm_min);
    put_digits(text + 17, 2, tm.tm_sec);
    put_digits(text + 20, 3, ms);
    text[4] = text[7] = '-';
    text[10] = 'T';
    text[13] = text[16] = ':';
    text[19] = '.';
    memcpy(text + 23, "Z", 2);
}

/* ---- points in time ---- */

struct moment {
    int year, month, day, hour, minute, second;
};

static bool take_char(const char **at, const char *allowed)
{
    if (**at == '\0' || !strchr(allowed, **at))
        return false;
    (*at)++;
    return true;
}

static bool take_number(const char **at, int digits, int *value)
{
    *value = 0;
    while (digits-- > 0) {
        if (!isdigit((unsigned char)**at))
            return false;
        *value = *value * 10 + (*(*at)++ - '0');
    }
    return true;
}

static bool take_clock(const char **at, struct moment *m)
{
    return take_number(at, 2, &m->hour) && take_char(at, ":") && take_number(at, 2, &m->minute) && take_char(at, ":") &&
           take_number(at, 2, &m->second);
}

static int days_in_month(int year, int month)
{
    static const int days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;

    return month == 2 && leap ? 29 : days[month - 1];
}

/* Days since 1970-01-01 in the proleptic Gregorian calendar: whole years, then the months of the last one. */
static int64_t days_since_epoch(int year, int month, int day)
{
    int64_t before = (int64_t)year - 1;
    int64_t days = before * 365 + (before >= 0 ? before / 4 - before / 100 + before / 400 : -1);
    int m;

    for (m = 1; m < month; m++)
        days += days_in_month(year, m);
    return days + day - 1 - 719162; /* days from 0001-01-01 to 1970-01-01 */
}

static int moment_to_ms(const struct moment *m, int64_t *wall_ms)
{
    int second = m->second == 60 ? 59 : m->second;

    if (m->month < 1 || m->month > 12 || m->day < 1 || m->day > days_in_month(m->year, m->month))
        return -1;
    if (m->hour > 23 || m->minute > 59 || second > 59)
        return -1;
    *wall_ms = days_since_epoch(m->year, m->month, m->day) * MS_PER_DAY + m->hour * MS_PER_HOUR +
               m->minute * MS_PER_MINUTE + second * MS_PER_SECOND;
    return 0;
}

/* ".123456": milliseconds, the rest cut off. */
static bool take_fraction(const char **at, int64_t *ms)
{
    int64_t unit = 100;

    *ms = 0;
    if (!take_char(at, "."))
        return true;
    if (!isdigit((unsigned char)**at))
        return false;
    for (; isdigit((unsigned char)**at); (*at)++, unit /= 10)
        *ms += unit * (**at - '0');
    return true;
}

static bool take_offset(const char **at, int64_t *ms)
{
    bool west;
    int hours;
    int minutes;

    *ms = 0;
    if (take_char(at, "Zz"))
        return true;
    west = **at == '-';
    if (!take_char(at, "+-") || !take_number(at, 2, &hours) || !take_char(at, ":") || !take_number(at, 2, &minutes))
        return false;
    *ms = (hours * MS_PER_HOUR + minutes * MS_PER_MINUTE) * (west ? -1 : 1);
    return hours <= 23 && minutes <= 59;
}

int clock_parse(const char *text, int64_t *wall_ms)
{
    const char *at = text;
    struct moment m;
    int64_t fraction_ms;
    int64_t offset_ms;
    int64_t ms;

    if (!take_number(&at, 4, &m.year) || !take_char(&at, "-") || !take_number(&at, 2, &m.month) ||
        !take_char(&at, "-") || !take_number(&at, 2, &m.day) || !take_char(&at, "Tt ") || !take_clock(&at, &m))
        return -1;
    if (!take_fraction(&at, &fraction_ms) || !take_offset(&at, &offset_ms) || *at)
        return -1;
    if (moment_to_ms(&m, &ms))
        return -1;
    *wall_ms = ms + fraction_ms - offset_ms;
    return 0;
}

/* Three letters of a list of names without separators; its index or -1. */
static int take_name(const char **at, const char *names)
{
    size_t i;

    for (i = 0; names[i * 3]; i++) {
        if (strncmp(*at, names + i * 3, 3) != 0)
            continue;
        *at += 3;
        return (int)i;
    }
    return -1;
}

int clock_parse_http(const char *text, int64_t *wall_ms)
{
    const char *at = text;
    struct moment m;

    if (take_name(&at, "MonTueWedThuFriSatSun") < 0 || !take_char(&at, ",") || !take_char(&at, " ") ||
        !take_number(&at, 2, &m.day) || !take_char(&at, " "))
        return -1;
    m.month = take_name(&at, "JanFebMarAprMayJunJulAugSepOctNovDec") + 1;
    if (m.month == 0 || !take_char(&at, " ") || !take_number(&at, 4, &m.year) || !take_char(&at, " ") ||
        !take_clock(&at, &m) || strcmp(at, " GMT") != 0)
        return -1;
    return moment_to_ms(&m, wall_ms);
}
