#include "detect/range.h"

#include <string.h>

#include "core/mem.h"

#define FIELD_BITS 20
#define FIELD_MAX 999999 /* one more still fits in a field */
#define WITHOUT_END UINT64_MAX

/* "18", "18.x", "18.2.0-rc.1": as many numbers as were given. */
struct partial {
    uint32_t numbers[3];
    int given;
};

enum operation { OP_EQUAL, OP_LESS, OP_LESS_EQUAL, OP_MORE, OP_MORE_EQUAL, OP_TILDE, OP_CARET };

/* Longest spellings first. */
static const struct {
    const char *text;
    enum operation operation;
} operators[] = {
    {">=", OP_MORE_EQUAL}, {"<=", OP_LESS_EQUAL}, {"~>", OP_TILDE}, {">", OP_MORE},
    {"<", OP_LESS},        {"=", OP_EQUAL},       {"~", OP_TILDE},  {"^", OP_CARET},
};

/* Node's long-term lines, oldest first (nodejs.org, "Previous releases"). */
static const struct {
    const char *name;
    uint32_t major;
} lts_lines[] = {
    {"argon", 4},    {"boron", 6},     {"carbon", 8}, {"dubnium", 10}, {"erbium", 12},  {"fermium", 14},
    {"gallium", 16}, {"hydrogen", 18}, {"iron", 20},  {"jod", 22},     {"krypton", 24},
};

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static bool is_space(char c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

static const char *skip_spaces(const char *at)
{
    while (is_space(*at))
        at++;
    return at;
}

static bool is_tag_character(char c)
{
    return is_digit(c) || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '-' || c == '.';
}

static uint64_t point_of(uint32_t major, uint32_t minor, uint32_t patch)
{
    return (uint64_t)major << (2 * FIELD_BITS) | (uint64_t)minor << FIELD_BITS | patch;
}

static uint64_t first_of(const struct partial *partial)
{
    return point_of(partial->numbers[0], partial->numbers[1], partial->numbers[2]);
}

/* The first version past all that agree with the partial's first `fields` numbers. */
static uint64_t past(const struct partial *partial, int fields)
{
    switch (fields) {
    case 0: return WITHOUT_END;
    case 1: return point_of(partial->numbers[0] + 1, 0, 0);
    case 2: return point_of(partial->numbers[0], partial->numbers[1] + 1, 0);
    default: return first_of(partial) + 1;
    }
}

/* Reads one number or wildcard. 1: a number, 0: a wildcard, -1: neither. */
static int read_field(const char **at, uint32_t *number)
{
    uint32_t value = 0;

    if (**at == 'x' || **at == 'X' || **at == '*') {
        (*at)++;
        return 0;
    }
    if (!is_digit(**at))
        return -1;
    while (is_digit(**at)) {
        value = value * 10 + (uint32_t)(*(*at)++ - '0');
        if (value > FIELD_MAX)
            return -1;
    }
    *number = value;
    return 1;
}

static int read_partial(const char **at, struct partial *partial)
{
    bool wild = false;
    int field;
    int kind;

    *partial = (struct partial){.given = 0};
    if (**at == 'v' || **at == 'V')
        (*at)++;
    for (field = 0; field < 3; field++) {
        kind = read_field(at, &partial->numbers[field]);
        if (kind < 0)
            return -1;
        wild = wild || kind == 0;
        if (wild)
            partial->numbers[field] = 0;
        else
            partial->given = field + 1;
        if (field == 2 || **at != '.')
            break;
        (*at)++;
    }
    while (**at == '-' || **at == '+')
        for ((*at)++; is_tag_character(**at); (*at)++)
            ;
    return **at == '\0' || **at == '|' || is_space(**at) ? 0 : -1;
}

static struct interval caret(const struct partial *partial)
{
    int fixed = 1;

    if (partial->given == 0)
        return (struct interval){0, WITHOUT_END};
    while (fixed < partial->given && partial->numbers[fixed - 1] == 0)
        fixed++;
    return (struct interval){first_of(partial), past(partial, fixed)};
}

static struct interval interval_of(enum operation operation, const struct partial *partial)
{
    uint64_t first = first_of(partial);
    uint64_t next = past(partial, partial->given);

    switch (operation) {
    case OP_LESS: return (struct interval){0, first};
    case OP_LESS_EQUAL: return (struct interval){0, next};
    case OP_MORE: return (struct interval){next, WITHOUT_END};
    case OP_MORE_EQUAL: return (struct interval){first, WITHOUT_END};
    case OP_TILDE: return (struct interval){first, past(partial, partial->given < 2 ? partial->given : 2)};
    case OP_CARET: return caret(partial);
    default: return (struct interval){first, next};
    }
}

static void narrow(struct interval *interval, struct interval by)
{
    if (by.from > interval->from)
        interval->from = by.from;
    if (by.to < interval->to)
        interval->to = by.to;
}

static enum operation read_operator(const char **at)
{
    size_t i;

    for (i = 0; i < ARRAY_LEN(operators); i++) {
        if (strncmp(*at, operators[i].text, strlen(operators[i].text)) == 0) {
            *at = skip_spaces(*at + strlen(operators[i].text));
            return operators[i].operation;
        }
    }
    return OP_EQUAL;
}

/* "18 - 20.1": what follows the first version. 1 when it was there, 0 when not, -1 when it is broken. */
static int read_hyphen(const char **at, struct interval *interval)
{
    const char *next = skip_spaces(*at);
    struct partial last;

    if (next == *at || next[0] != '-' || !is_space(next[1]))
        return 0;
    next = skip_spaces(next + 1);
    if (read_partial(&next, &last))
        return -1;
    narrow(interval, interval_of(OP_LESS_EQUAL, &last));
    *at = next;
    return 1;
}

/* One alternative, up to "||" or the end. */
static int read_alternative(const char **at, struct interval *interval)
{
    enum operation operation;
    struct partial partial;
    int hyphen;

    *interval = (struct interval){0, WITHOUT_END};
    for (;;) {
        *at = skip_spaces(*at);
        if (**at == '\0' || **at == '|')
            return 0;
        operation = read_operator(at);
        if (read_partial(at, &partial))
            return -1;
        hyphen = 0;
        if (operation == OP_EQUAL) {
            struct interval upper = {0, WITHOUT_END};

            hyphen = read_hyphen(at, &upper);
            if (hyphen < 0)
                return -1;
            if (hyphen)
                narrow(interval, upper);
        }
        narrow(interval, interval_of(hyphen ? OP_MORE_EQUAL : operation, &partial));
    }
}

static void add(struct range *range, struct interval interval)
{
    if (interval.from < interval.to && range->len < RANGE_INTERVALS_MAX)
        range->intervals[range->len++] = interval;
}

static void add_major(struct range *range, uint32_t major)
{
    add(range, (struct interval){point_of(major, 0, 0), point_of(major + 1, 0, 0)});
}

/* nvm's names. 1 when it was one, 0 when not. */
static int parse_name(struct range *range, const char *text)
{
    static const char *const newest[] = {"node", "stable", "latest", "current"};
    size_t i;

    for (i = 0; i < ARRAY_LEN(newest); i++) {
        if (strcmp(text, newest[i]) == 0) {
            add(range, (struct interval){0, WITHOUT_END});
            return 1;
        }
    }
    if (strncmp(text, "lts/", 4) != 0 && strcmp(text, "lts") != 0)
        return 0;
    text += text[3] == '/' ? 4 : 3;
    for (i = 0; i < ARRAY_LEN(lts_lines); i++)
        if (*text == '\0' || strcmp(text, "*") == 0 || strcmp(text, lts_lines[i].name) == 0)
            add_major(range, lts_lines[i].major);
    /* "lts/-1": the line before the newest. */
    if (text[0] == '-' && is_digit(text[1]) && text[2] == '\0' && (size_t)(text[1] - '0') < ARRAY_LEN(lts_lines))
        add_major(range, lts_lines[ARRAY_LEN(lts_lines) - 1 - (size_t)(text[1] - '0')].major);
    return range->len > 0;
}

int range_parse(struct range *range, const char *text)
{
    struct interval interval;
    size_t alternatives = 0;

    range->len = 0;
    if (strlen(text) > RANGE_TEXT_MAX)
        return -1;
    text = skip_spaces(text);
    if (parse_name(range, text))
        return 0;
    for (;;) {
        if (read_alternative(&text, &interval) || ++alternatives > RANGE_INTERVALS_MAX)
            break;
        add(range, interval);
        if (*text == '\0')
            return 0;
        if (text[0] != '|' || text[1] != '|')
            break;
        text += 2;
    }
    range->len = 0;
    return -1;
}

int range_parse_version(uint64_t *point, const char *text)
{
    struct partial partial;

    if (strlen(text) > RANGE_TEXT_MAX || read_partial(&text, &partial) || *text != '\0' || partial.given != 3)
        return -1;
    *point = first_of(&partial);
    return 0;
}

bool range_has(const struct range *range, uint64_t point)
{
    size_t i;

    for (i = 0; i < range->len; i++)
        if (point >= range->intervals[i].from && point < range->intervals[i].to)
            return true;
    return false;
}

bool range_has_major(const struct range *range, uint32_t major)
{
    size_t i;

    for (i = 0; i < range->len; i++)
        if (range->intervals[i].to > point_of(major, 0, 0) && range->intervals[i].from < point_of(major + 1, 0, 0))
            return true;
    return false;
}

int64_t range_highest_major(const struct range *range)
{
    int64_t highest = -1;
    int64_t major;
    size_t i;

    for (i = 0; i < range->len; i++) {
        major = (int64_t)range_major(range->intervals[i].to == WITHOUT_END ? range->intervals[i].from
                                                                           : range->intervals[i].to - 1);
        if (major > highest)
            highest = major;
    }
    return highest;
}

uint32_t range_major(uint64_t point)
{
    return (uint32_t)(point >> (2 * FIELD_BITS));
}
