#include "core/lines.h"

#include <stdint.h>
#include <string.h>

#include "core/protection.h"
#include "core/spool.h"
#include "core/utf8.h"

#define ESC 0x1B
#define BEL 0x07
#define CANCEL 0x18
#define SUBSTITUTE 0x1A
#define COLOUR_RESET "\x1b[0m"
/* Room for the reset behind the text. */
#define TEXT_MAX (SPOOL_LINE_MAX - (sizeof COLOUR_RESET - 1))

void lines_init(struct lines *lines, bool terminal, void (*emit)(void *context, const char *text, size_t len),
                void *context)
{
    *lines = (struct lines){.emit = emit, .context = context, .terminal = terminal};
    buf_init(&lines->line, SPOOL_LINE_MAX);
}

void lines_dispose(struct lines *lines)
{
    buf_dispose(&lines->line);
}

/* ---- the line ---- */

static void clear_line(struct lines *lines)
{
    buf_reset(&lines->line);
    lines->coloured = false;
    lines->restart = false;
    lines->started = false;
    lines->spliced = false;
}

static void emit_line(struct lines *lines)
{
    /* Colours without a text are not worth a byte. */
    if (!lines->started)
        buf_reset(&lines->line);
    else if (lines->coloured)
        buf_adds(&lines->line, COLOUR_RESET);
    lines->emit(lines->context, buf_text(&lines->line), lines->line.len);
    clear_line(lines);
}

/* Appends what must stay in one piece; a line that gets too long is cut before it. */
static void add(struct lines *lines, const char *text, size_t len)
{
    if (lines->restart)
        clear_line(lines);
    if (lines->line.len + len > TEXT_MAX)
        emit_line(lines);
    buf_add(&lines->line, text, len);
}

static void add_text(struct lines *lines, const char *text, size_t len)
{
    add(lines, text, len);
    lines->started = true;
}

/* ASCII may be cut anywhere. */
static void add_plain(struct lines *lines, const char *text, size_t len)
{
    while (len) {
        size_t used = lines->restart || lines->line.len == TEXT_MAX ? 0 : lines->line.len;
        size_t part = len < TEXT_MAX - used ? len : TEXT_MAX - used;

        add_text(lines, text, part);
        text += part;
        len -= part;
    }
}

static void restart_line(struct lines *lines)
{
    if (lines->terminal && lines->started)
        lines->restart = true;
    lines->spliced |= !lines->terminal;
}

/* ---- escape sequences (ECMA-48): each of these takes one byte and says whether it is used up ---- */

static bool feed_escape(struct lines *lines, unsigned char c)
{
    if (c == '[') {
        lines->state = LINES_CONTROL;
        lines->parameters_len = 0;
        return true;
    }
    if (c && strchr("]PX^_", c)) {
        lines->state = LINES_STRING;
        return true;
    }
    if (c >= 0x20 && c < 0x30)
        return true;
    lines->state = LINES_TEXT;
    return c >= 0x30 && c < 0x7F;
}

static bool parameters_are(const struct lines *lines, const char *text)
{
    return lines->parameters_len == strlen(text) && memcmp(lines->parameters, text, lines->parameters_len) == 0;
}

static void end_control(struct lines *lines, char final)
{
    static const char begin[] = {ESC, '['};
    bool first_column = parameters_are(lines, "") || parameters_are(lines, "0") || parameters_are(lines, "1");
    bool is_reset = parameters_are(lines, "") || parameters_are(lines, "0");
    char sequence[LINES_PARAMETERS_MAX + 3];
    size_t len = 0;

    if ((final == 'G' && first_column) || (final == 'K' && parameters_are(lines, "2")))
        restart_line(lines);
    if (final != 'm' || !lines->terminal || lines->parameters_len == LINES_PARAMETERS_MAX)
        return;
    /* "100 %", carriage return, colours off, end of the line: the text stays. */
    if (is_reset && (lines->restart || !lines->coloured))
        return;
    memcpy(sequence, begin, sizeof begin);
    len = sizeof begin;
    memcpy(sequence + len, lines->parameters, lines->parameters_len);
    len += lines->parameters_len;
    sequence[len++] = final;
    add(lines, sequence, len);
    lines->coloured = !is_reset;
}

static bool feed_control(struct lines *lines, unsigned char c)
{
    if (c >= 0x20 && c < 0x40) {
        /* Full means that it is no colour: too long, or with other characters than a colour has. */
        if ((c < '0' || c > ';') || lines->parameters_len + 1 >= LINES_PARAMETERS_MAX)
            lines->parameters_len = LINES_PARAMETERS_MAX;
        else
            lines->parameters[lines->parameters_len++] = (char)c;
        return true;
    }
    lines->state = LINES_TEXT;
    if (c < 0x40 || c >= 0x7F)
        return false;
    end_control(lines, (char)c);
    return true;
}

static bool feed_string(struct lines *lines, unsigned char c)
{
    if (c == ESC) {
        lines->state = LINES_STRING_ESCAPE;
        return true;
    }
    if (c == BEL || c == CANCEL || c == SUBSTITUTE || c == '\n')
        lines->state = LINES_TEXT;
    /* A forgotten end costs the rest of the line, no more. */
    return c != '\n';
}

static bool feed_string_escape(struct lines *lines, unsigned char c)
{
    lines->state = c == '\\' ? LINES_TEXT : LINES_ESCAPE;
    return c == '\\';
}

/* ---- text ---- */

/* U+0080 to U+009F: control characters too, which terminals may take for the beginnings of sequences. */
static bool is_control(const char *character)
{
    return (unsigned char)character[0] == 0xC2 && (unsigned char)character[1] < 0xA0;
}

/*
 * What changes where text stands: U+2028 and U+2029, at which some readers begin a line, and the embeddings, overrides
 * and isolates of right-to-left text, U+202A to U+202E and U+2066 to U+2069.
 */
static bool moves_text(const char *character)
{
    const unsigned char *c = (const unsigned char *)character;

    return c[0] == 0xE2 &&
           ((c[1] == 0x80 && c[2] >= 0xA8 && c[2] <= 0xAE) || (c[1] == 0x81 && c[2] >= 0xA6 && c[2] <= 0xA9));
}

/* `step` as utf8_step says of it: its length, or negative when it is none. */
static void add_character(struct lines *lines, const char *character, int step)
{
    if (step > 0 && !is_control(character) && !moves_text(character)) {
        add_text(lines, character, (size_t)step);
        return;
    }
    if (step < 0 || !is_control(character))
        add_text(lines, UTF8_REPLACEMENT, sizeof UTF8_REPLACEMENT - 1);
    lines->spliced = true;
}

/* Goes on with a character that the bytes before began. Returns how many bytes are used up. */
static size_t feed_partial(struct lines *lines, char c)
{
    int step;

    lines->partial[lines->partial_len] = c;
    step = utf8_step(lines->partial, lines->partial_len + 1);
    if (step == 0) {
        lines->partial_len++;
        return 1;
    }
    add_character(lines, lines->partial, step);
    lines->partial_len = 0;
    return step < 0 ? 0 : 1;
}

static size_t feed_multibyte(struct lines *lines, struct view bytes)
{
    int step = utf8_step(bytes.data, bytes.len);

    if (step == 0) {
        memcpy(lines->partial, bytes.data, bytes.len);
        lines->partial_len = bytes.len;
        return bytes.len;
    }
    add_character(lines, bytes.data, step);
    return (size_t)(step < 0 ? -step : step);
}

static bool is_plain(char c)
{
    return (c >= 0x20 && c < 0x7F) || c == '\t';
}

static size_t feed_text(struct lines *lines, struct view bytes)
{
    unsigned char c = (unsigned char)bytes.data[0];
    size_t run = 0;

    if (lines->partial_len)
        return feed_partial(lines, bytes.data[0]);
    while (run < bytes.len && is_plain(bytes.data[run]))
        run++;
    if (run) {
        add_plain(lines, bytes.data, run);
        return run;
    }
    if (c >= 0x80)
        return feed_multibyte(lines, bytes);
    if (c == '\n')
        emit_line(lines);
    else if (c == '\r')
        restart_line(lines);
    else
        lines->spliced = true;
    if (c == ESC)
        lines->state = LINES_ESCAPE;
    return 1;
}

/* Without the protection: cut into lines, and nothing else. */
static void feed_raw(struct lines *lines, struct view bytes)
{
    for (; bytes.len; bytes.data++, bytes.len--)
        if (bytes.data[0] == '\n')
            emit_line(lines);
        else
            add_text(lines, bytes.data, 1);
}

void lines_feed(struct lines *lines, struct view bytes)
{
    static bool (*const feed_state[])(struct lines *, unsigned char) = {
        [LINES_ESCAPE] = feed_escape,
        [LINES_CONTROL] = feed_control,
        [LINES_STRING] = feed_string,
        [LINES_STRING_ESCAPE] = feed_string_escape,
    };
    size_t used;

    if (!PROTECTED(LOG_ESCAPES)) {
        feed_raw(lines, bytes);
        return;
    }
    while (bytes.len) {
        if (lines->state == LINES_TEXT)
            used = feed_text(lines, bytes);
        else
            used = feed_state[lines->state](lines, (unsigned char)bytes.data[0]);
        bytes.data += used;
        bytes.len -= used;
    }
}

void lines_end(struct lines *lines)
{
    if (lines->partial_len)
        add_text(lines, UTF8_REPLACEMENT, sizeof UTF8_REPLACEMENT - 1);
    lines->partial_len = 0;
    lines->state = LINES_TEXT;
    if (lines->started)
        emit_line(lines);
    else
        clear_line(lines);
}

static void add_piece(void *context, const char *text, size_t len)
{
    struct buf *out = context;

    if (out->len)
        buf_addc(out, ' ');
    buf_add(out, text, len);
}

char *lines_one(const char *text, size_t max)
{
    struct lines lines;
    struct buf out;

    buf_init(&out, 4 * max + 4); /* a byte that is no UTF-8 becomes three */
    lines_init(&lines, false, add_piece, &out);
    lines_feed(&lines, (struct view){text, strnlen(text, max)});
    lines_end(&lines);
    lines_dispose(&lines);
    return buf_take(&out);
}
