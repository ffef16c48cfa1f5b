#include "core/redact.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "core/mem.h"
#include "core/redact_forms.h"

/*
 * Patterns are found by a hash of their first four bytes: one bit for each hash answers "nothing begins here" for
 * almost every byte of a log, and only where the bit is set are the patterns of that hash compared, longest first.
 */
#define HASHED_BYTES 4
#define FILTER_BITS 16
#define CHAINS 1024
/* Longer forms are looked for in pieces, which bounds what a comparison costs. */
#define PATTERN_MAX 4096
/* A stream works on so many bytes at once. */
#define SLICE 65536

struct pattern {
    char *data; /* owned */
    size_t len;
    uint32_t next; /* in its chain: index + 1; 0 ends */
};

struct redactor {
    struct pattern *patterns;
    size_t count;
    size_t longest;
    uint64_t filter[(1 << FILTER_BITS) / 64];
    uint32_t chains[CHAINS];
};

static uint32_t hash_of(const char *data)
{
    uint32_t word;

    memcpy(&word, data, sizeof word);
    return (word * UINT32_C(0x9E3779B1)) >> (32 - FILTER_BITS);
}

static bool may_begin(const struct redactor *redactor, uint32_t hash)
{
    return redactor->filter[hash / 64] >> (hash % 64) & 1;
}

struct redactor *redactor_new(void)
{
    return xcalloc(1, sizeof(struct redactor));
}

void redactor_free(struct redactor *redactor)
{
    size_t i;

    if (!redactor)
        return;
    for (i = 0; i < redactor->count; i++) {
        wipe(redactor->patterns[i].data, redactor->patterns[i].len);
        free(redactor->patterns[i].data);
    }
    free(redactor->patterns);
    free(redactor);
}

/* Puts a pattern into its chain, which is kept longest first; a known one is ignored. */
static void add_pattern(struct redactor *redactor, struct view form)
{
    uint32_t hash = hash_of(form.data);
    uint32_t *link = &redactor->chains[hash % CHAINS];
    struct pattern *pattern;

    while (*link && redactor->patterns[*link - 1].len >= form.len) {
        pattern = &redactor->patterns[*link - 1];
        if (pattern->len == form.len && memcmp(pattern->data, form.data, form.len) == 0)
            return;
        link = &pattern->next;
    }
    /* The link may lie in the array that grows now. */
    uint32_t after = *link;
    *link = (uint32_t)redactor->count + 1;
    redactor->patterns = xrealloc(redactor->patterns, redactor->count + 1, sizeof *redactor->patterns);
    pattern = &redactor->patterns[redactor->count++];
    *pattern = (struct pattern){.data = xmalloc(form.len), .len = form.len, .next = after};
    memcpy(pattern->data, form.data, form.len);
    redactor->filter[hash / 64] |= UINT64_C(1) << (hash % 64);
    if (form.len > redactor->longest)
        redactor->longest = form.len;
}

static void add_form(void *context, struct view form)
{
    struct redactor *redactor = context;
    size_t at;

    if (form.len < REDACT_MIN_LENGTH)
        return;
    for (at = 0; form.len - at > PATTERN_MAX; at += PATTERN_MAX)
        add_pattern(redactor, (struct view){form.data + at, PATTERN_MAX});
    /* The last piece reaches back, so that it is not too short to be one. */
    if (at)
        at = form.len - PATTERN_MAX;
    add_pattern(redactor, (struct view){form.data + at, form.len - at});
}

static bool is_line_end(char c)
{
    return c == '\n' || c == '\r';
}

bool redactor_add(struct redactor *redactor, const char *value, size_t len)
{
    size_t start = 0;
    size_t end;

    while (len && is_line_end(value[len - 1]))
        len--;
    if (len < REDACT_MIN_LENGTH)
        return false;
    redact_forms((struct view){value, len}, add_form, redactor);
    while (start < len) {
        for (end = start; end < len && !is_line_end(value[end]); end++)
            ;
        if (end - start >= REDACT_LINE_MIN && end - start < len)
            redact_forms((struct view){value + start, end - start}, add_form, redactor);
        start = end + 1;
    }
    return true;
}

size_t redactor_longest(const struct redactor *redactor)
{
    return redactor->longest;
}

/* What begins at one place of a text. */
struct finding {
    size_t len;     /* of the longest pattern that is there; 0: none */
    bool undecided; /* a longer one might be, but the text ends */
};

static void compare(const struct pattern *pattern, struct view text, struct finding *finding)
{
    if (pattern->len > text.len) {
        if (memcmp(pattern->data, text.data, text.len) == 0)
            finding->undecided = true;
    } else if (pattern->len > finding->len && memcmp(pattern->data, text.data, pattern->len) == 0) {
        finding->len = pattern->len;
    }
}

static struct finding look(const struct redactor *redactor, struct view text)
{
    struct finding finding = {0};
    uint32_t at;
    size_t i;

    /* Too short to hash: only beginnings can be found, and any pattern may be one. */
    if (text.len < HASHED_BYTES) {
        for (i = 0; i < redactor->count && !finding.undecided; i++)
            compare(&redactor->patterns[i], text, &finding);
        return finding;
    }
    for (at = redactor->chains[hash_of(text.data) % CHAINS]; at && finding.len == 0;
         at = redactor->patterns[at - 1].next)
        compare(&redactor->patterns[at - 1], text, &finding);
    return finding;
}

/* The first place from `at` on where something may begin; the last bytes, too few to hash, are all such places, unless
 * the text ends with them: no pattern is so short. */
static size_t next_candidate(const struct redactor *redactor, struct view text, size_t at, bool final)
{
    if (redactor->count == 0)
        return text.len;
    while (at + HASHED_BYTES <= text.len && !may_begin(redactor, hash_of(text.data + at)))
        at++;
    return final && at + HASHED_BYTES > text.len ? text.len : at;
}

struct run {
    const struct redactor *redactor;
    struct view text;
    bool final;     /* no more text follows */
    size_t covered; /* the text up to here belongs to a marked secret, or is given out */
    bool in_secret;
    struct buf *out;
};

/* Goes through the text and returns how far it could decide; what is covered beyond stays in run->covered. */
static size_t run_through(struct run *run)
{
    struct finding finding;
    size_t at = 0;

    for (;; at++) {
        at = next_candidate(run->redactor, run->text, at, run->final);
        if (at >= run->text.len)
            break;
        finding = look(run->redactor, (struct view){run->text.data + at, run->text.len - at});
        if (finding.undecided && !run->final)
            break;
        if (finding.len == 0)
            continue;
        if (at > run->covered || !run->in_secret) {
            buf_add(run->out, run->text.data + run->covered, at - run->covered);
            buf_adds(run->out, REDACT_MARK);
            run->in_secret = true;
        }
        if (at + finding.len > run->covered)
            run->covered = at + finding.len;
    }
    if (at > run->covered) {
        buf_add(run->out, run->text.data + run->covered, at - run->covered);
        run->covered = at;
        run->in_secret = false;
    }
    return at;
}

/* As buf_add, but what does not fit is cut instead of left out. */
static void add_cut(struct buf *out, const struct buf *text)
{
    size_t room = out->max - out->len;

    buf_add(out, buf_text(text), text->len < room ? text->len : room);
    if (text->len > room)
        out->overflow = true;
}

void redact_text(const struct redactor *redactor, struct view text, struct buf *out)
{
    struct run run = {.redactor = redactor, .text = text, .final = true};
    struct buf whole;

    /* The mark is shorter than any pattern: nothing grows. */
    buf_init(&whole, text.len);
    run.out = &whole;
    run_through(&run);
    add_cut(out, &whole);
    buf_dispose(&whole);
}

bool redact_finds(const struct redactor *redactor, struct view text)
{
    size_t at = 0;

    for (;; at++) {
        at = next_candidate(redactor, text, at, true);
        if (at >= text.len)
            return false;
        if (look(redactor, (struct view){text.data + at, text.len - at}).len)
            return true;
    }
}

void redact_stream_init(struct redact_stream *stream, const struct redactor *redactor)
{
    *stream = (struct redact_stream){.redactor = redactor};
    buf_init(&stream->held, PATTERN_MAX + SLICE);
}

void redact_stream_dispose(struct redact_stream *stream)
{
    buf_wipe(&stream->held);
}

/* Works on the text and keeps what is undecided in `held`, to which the text may belong. */
static void stream_run(struct redact_stream *stream, struct view text, bool final, struct buf *out)
{
    struct run run = {
        .redactor = stream->redactor,
        .text = text,
        .final = final,
        .covered = stream->covered,
        .in_secret = stream->in_secret,
        .out = out,
    };
    size_t done = run_through(&run);

    stream->covered = run.covered - done;
    stream->in_secret = run.in_secret;
    if (stream->held.len)
        buf_consume(&stream->held, done);
    else
        buf_add(&stream->held, text.data + done, text.len - done);
}

void redact_stream_feed(struct redact_stream *stream, struct view bytes, struct buf *out)
{
    while (bytes.len) {
        size_t slice = bytes.len < SLICE ? bytes.len : SLICE;

        if (stream->held.len) {
            buf_add(&stream->held, bytes.data, slice);
            stream_run(stream, (struct view){stream->held.data, stream->held.len}, false, out);
        } else {
            stream_run(stream, (struct view){bytes.data, slice}, false, out);
        }
        bytes.data += slice;
        bytes.len -= slice;
    }
}

void redact_stream_flush(struct redact_stream *stream, struct buf *out)
{
    if (stream->held.len)
        stream_run(stream, (struct view){stream->held.data, stream->held.len}, true, out);
    stream->in_secret = false;
}
