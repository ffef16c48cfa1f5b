#include "core/redact.h"

#include <stdlib.h>
#include <string.h>

#include "core/mem.h"
#include "core/protection.h"
#include "core/redact_forms.h"

/* Longer forms are looked for in pieces. */
#define PATTERN_MAX AUTOMATON_LONGEST
/* A stream works on so many bytes at once. */
#define SLICE 65536
/* … and on so many together with what is held, which is copied: soon nothing is held any more. */
#define SLICE_HELD 1024
/* From here on a value is looked for in its usual forms only. */
#define LONG_VALUE 8192
/* States of the automaton, 12 bytes each, from which on values are looked for in usual forms only, and raw only. */
#define STATES_FOR_ALL ((size_t)3 << 20)
#define STATES_FOR_USUAL ((size_t)6 << 20)
#define OWNERS_MAX 65535

struct value {
    char *name;
    char *data; /* owned, wiped */
    size_t len;
};

struct redactor {
    struct automaton *automaton;
    struct value *values;
    size_t len;
    uint16_t owner; /* whose forms are being added: its number in `values` */
};

struct redactor *redactor_new(void)
{
    struct redactor *redactor = xcalloc(1, sizeof *redactor);

    redactor->automaton = automaton_new();
    return redactor;
}

void redactor_free(struct redactor *redactor)
{
    size_t i;

    if (!redactor)
        return;
    automaton_free(redactor->automaton);
    for (i = 0; i < redactor->len; i++) {
        free(redactor->values[i].name);
        wipe(redactor->values[i].data, redactor->values[i].len);
        free(redactor->values[i].data);
    }
    free(redactor->values);
    free(redactor);
}

/* ---- values ---- */

static void add_form(void *context, struct view form)
{
    struct redactor *redactor = context;
    size_t at;

    if (form.len < REDACT_MIN_LENGTH)
        return;
    for (at = 0; form.len - at > PATTERN_MAX; at += PATTERN_MAX)
        automaton_add(redactor->automaton, (struct view){form.data + at, PATTERN_MAX}, redactor->owner);
    /* The last piece reaches back, so that it is not too short to be one. */
    if (at)
        at = form.len - PATTERN_MAX;
    automaton_add(redactor->automaton, (struct view){form.data + at, form.len - at}, redactor->owner);
}

static enum redact_level level_for(const struct redactor *redactor, size_t len)
{
    size_t states = automaton_states(redactor->automaton);

    if (states > STATES_FOR_USUAL)
        return REDACT_RAW;
    return len >= LONG_VALUE || states > STATES_FOR_ALL ? REDACT_USUAL : REDACT_ALL;
}

static bool is_line_end(char c)
{
    return c == '\n' || c == '\r';
}

/* The whole with other line ends: a terminal, git or an editor on the way may have changed them. */
static void add_with_line_ends(struct redactor *redactor, struct view value, const char *line_end)
{
    struct buf text;
    size_t i;

    buf_init(&text, 2 * value.len);
    for (i = 0; i < value.len; i++) {
        if (value.data[i] == '\n')
            buf_adds(&text, line_end);
        else if (value.data[i] != '\r' || value.data[i + 1] != '\n')
            buf_addc(&text, value.data[i]);
    }
    redact_forms((struct view){text.data, text.len}, level_for(redactor, text.len), add_form, redactor);
    buf_wipe(&text);
}

static void add_lines(struct redactor *redactor, struct view value)
{
    size_t start, end;

    for (start = 0; start < value.len; start = end + 1) {
        for (end = start; end < value.len && !is_line_end(value.data[end]); end++)
            ;
        if (end - start >= REDACT_MIN_LENGTH)
            redact_forms((struct view){value.data + start, end - start}, level_for(redactor, end - start), add_form,
                         redactor);
    }
}

/* False: it is known, by this name. */
static bool keep_value(struct redactor *redactor, const char *name, struct view value)
{
    struct value *kept;
    size_t i;

    for (i = 0; i < redactor->len; i++) {
        kept = &redactor->values[i];
        if (kept->len == value.len && memcmp(kept->data, value.data, value.len) == 0 && strcmp(kept->name, name) == 0)
            return false;
    }
    redactor->owner = (uint16_t)(redactor->len < OWNERS_MAX ? redactor->len : OWNERS_MAX);
    redactor->values = xrealloc(redactor->values, redactor->len + 1, sizeof *redactor->values);
    kept = &redactor->values[redactor->len++];
    *kept = (struct value){xstrdup(name), xmalloc(value.len), value.len};
    memcpy(kept->data, value.data, value.len);
    return true;
}

bool redactor_add_named(struct redactor *redactor, const char *name, const char *value, size_t len)
{
    while (len && is_line_end(value[len - 1]))
        len--;
    if (len < REDACT_MIN_LENGTH)
        return false;
    if (!keep_value(redactor, name, (struct view){value, len}))
        return true;
    redact_forms((struct view){value, len}, level_for(redactor, len), add_form, redactor);
    if (memchr(value, '\n', len)) {
        add_with_line_ends(redactor, (struct view){value, len}, "\n");
        add_with_line_ends(redactor, (struct view){value, len}, "\r\n");
    }
    add_lines(redactor, (struct view){value, len});
    return true;
}

bool redactor_add(struct redactor *redactor, const char *value, size_t len)
{
    return redactor_add_named(redactor, "", value, len);
}

void redactor_each(const struct redactor *redactor, void (*call)(void *context, const char *name, struct view value),
                   void *context)
{
    size_t i;

    for (i = 0; i < redactor->len; i++)
        call(context, redactor->values[i].name, (struct view){redactor->values[i].data, redactor->values[i].len});
}

size_t redactor_longest(const struct redactor *redactor)
{
    return automaton_longest(redactor->automaton);
}

/* ---- whole texts ---- */

/* What lies before `decided`, with a mark for each run of secrets. The spans up to there are consumed, and the others
 * count from there afterwards. */
static void give_out(struct view text, size_t decided, struct spans *found, bool *in_secret, struct buf *out)
{
    size_t at = 0, used = 0;
    size_t i;

    for (; used < found->len && found->items[used].start < decided; used++) {
        struct span *span = &found->items[used];

        if (span->start > at || !*in_secret) {
            buf_add(out, text.data + at, span->start - at);
            buf_adds(out, REDACT_MARK);
            *in_secret = true;
        }
        if (span->end > decided) {
            at = span->start = decided;
            break;
        }
        at = span->end;
    }
    if (at < decided) {
        buf_add(out, text.data + at, decided - at);
        *in_secret = false;
    }
    for (i = used; i < found->len; i++)
        found->items[i - used] = (struct span){found->items[i].start - decided, found->items[i].end - decided};
    found->len -= used;
}

/* As buf_add, but what does not fit is cut instead of left out. */
static void add_cut(struct buf *out, struct view text)
{
    size_t room = out->max - out->len;

    buf_add(out, text.data, text.len < room ? text.len : room);
    if (text.len > room)
        out->overflow = true;
}

void redact_text(const struct redactor *redactor, struct view text, struct buf *out)
{
    struct spans found = {0};
    uint32_t state = AUTOMATON_ROOT;
    bool in_secret = false;
    struct buf whole;

    if (PROTECTED(REDACTION))
        automaton_run(redactor->automaton, text, 0, true, &state, &found);
    if (found.len == 0) {
        add_cut(out, text);
        return;
    }
    /* The mark is shorter than any pattern: nothing grows. */
    buf_init(&whole, text.len);
    give_out(text, text.len, &found, &in_secret, &whole);
    add_cut(out, (struct view){buf_text(&whole), whole.len});
    buf_dispose(&whole);
    spans_dispose(&found);
}

const char *redact_find(const struct redactor *redactor, struct view text)
{
    int32_t owner = automaton_search(redactor->automaton, text);

    return owner < 0 ? NULL : owner == OWNERS_MAX ? "" : redactor->values[owner].name;
}

bool redact_finds(const struct redactor *redactor, struct view text)
{
    return automaton_search(redactor->automaton, text) >= 0;
}

/* ---- streams ---- */

void redact_stream_init(struct redact_stream *stream, const struct redactor *redactor)
{
    *stream = (struct redact_stream){.redactor = redactor, .state = AUTOMATON_ROOT};
    buf_init(&stream->held, PATTERN_MAX + SLICE);
}

void redact_stream_dispose(struct redact_stream *stream)
{
    buf_wipe(&stream->held);
    spans_dispose(&stream->found);
}

/* Reads the text, whose first `from` bytes are known already, and returns how much of it is decided. */
static size_t read_more(struct redact_stream *stream, struct view text, size_t from)
{
    struct automaton *automaton = stream->redactor->automaton;
    uint64_t generation = automaton_generation(automaton);

    /* There are new values, which may begin in what is held: it is read again. What covers its first byte may reach
     * back to what has gone out; all else is found again. */
    if (stream->generation != generation) {
        stream->generation = generation;
        stream->state = AUTOMATON_ROOT;
        stream->found.len = stream->found.len && stream->found.items[0].start == 0;
        from = 0;
    }
    automaton_run(automaton, text, from, false, &stream->state, &stream->found);
    return text.len - automaton_depth(automaton, stream->state);
}

void redact_stream_feed(struct redact_stream *stream, struct view bytes, struct buf *out)
{
    if (!PROTECTED(REDACTION)) {
        buf_add(out, bytes.data, bytes.len);
        return;
    }
    while (bytes.len) {
        size_t held = stream->held.len;
        size_t most = held ? SLICE_HELD : SLICE;
        struct view text = {bytes.data, bytes.len < most ? bytes.len : most};
        size_t decided;

        bytes.data += text.len;
        bytes.len -= text.len;
        if (held) {
            buf_add(&stream->held, text.data, text.len);
            text = (struct view){stream->held.data, stream->held.len};
        }
        decided = read_more(stream, text, held);
        give_out(text, decided, &stream->found, &stream->in_secret, out);
        if (held)
            buf_consume(&stream->held, decided);
        else
            buf_add(&stream->held, text.data + decided, text.len - decided);
    }
}

void redact_stream_flush(struct redact_stream *stream, struct buf *out)
{
    struct view text = {stream->held.data, stream->held.len};

    if (text.len) {
        read_more(stream, text, text.len);
        give_out(text, text.len, &stream->found, &stream->in_secret, out);
        buf_reset(&stream->held);
    }
    stream->state = AUTOMATON_ROOT;
    stream->in_secret = false;
}
