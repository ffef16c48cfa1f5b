/*
 * Any bytes as a command's output: every record is valid UTF-8 of bounded length without control characters but tabs
 * and colours, colours are off at its end, and the records do not depend on how the bytes arrived. As a message of
 * ours: no colours either.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "core/log.h"
#include "core/utf8.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct machine {
    struct spool *spool;
    struct redactor *redactor;
    struct log *log;
    struct spool_cursor cursor;
};

static void start(struct machine *m)
{
    m->spool = spool_new(NULL, (int64_t)1 << 40);
    m->redactor = redactor_new();
    redactor_add(m->redactor, "secret42", 8);
    m->log = log_new(m->spool, m->redactor);
    spool_cursor_init(&m->cursor, m->spool);
}

static void stop(struct machine *m)
{
    spool_cursor_dispose(&m->cursor);
    log_free(m->log);
    redactor_free(m->redactor);
    spool_free(m->spool);
}

/* The length of a colour sequence; 0: it is none. */
static size_t colour(struct view text)
{
    size_t at = 2;

    if (!view_starts(text, "\x1b["))
        return 0;
    while (at < text.len && strchr("0123456789:;", text.data[at]))
        at++;
    return at < text.len && text.data[at] == 'm' ? at + 1 : 0;
}

static void check(const struct record *record, bool colours)
{
    struct view rest = {record->text, record->text_len};
    bool coloured = false;

    if (record->text_len > SPOOL_LINE_MAX || !utf8_is_valid(rest) || record->text[record->text_len] != '\0' ||
        memmem(record->text, record->text_len, "secret42", 8) || memmem(record->text, record->text_len, "\xC2\x9B", 2))
        abort();
    while (rest.len) {
        unsigned char c = (unsigned char)rest.data[0];
        size_t skip = 1;

        if (c == 0x1B) {
            skip = colour(rest);
            if (!skip || !colours)
                abort();
            coloured = !(skip == 3 || (skip == 4 && rest.data[2] == '0'));
        } else if ((c < 0x20 && c != '\t') || c == 0x7F) {
            abort();
        }
        rest.data += skip;
        rest.len -= skip;
    }
    if (coloured)
        abort();
}

/* Both logs hold the same. */
static void compare(struct machine *a, struct machine *b)
{
    struct record one;
    struct record other;

    while (spool_read(&a->cursor, &one)) {
        check(&one, true);
        if (!spool_read(&b->cursor, &other) || one.text_len != other.text_len || one.kind != other.kind ||
            memcmp(one.text, other.text, one.text_len) != 0)
            abort();
    }
    if (spool_read(&b->cursor, &other))
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const char *bytes = size ? (const char *)data : "";
    struct machine whole;
    struct machine single;
    struct record record;
    char *text;
    size_t i;

    if (size > 300000)
        return 0;
    start(&whole);
    start(&single);
    log_output(whole.log, false, bytes, size);
    log_output_flush(whole.log);
    for (i = 0; i < size; i++)
        log_output(single.log, false, bytes + i, 1);
    log_output_flush(single.log);
    compare(&whole, &single);
    text = strndup(bytes, size);
    log_info(whole.log, "%s", text ? text : "");
    while (spool_read(&whole.cursor, &record))
        check(&record, false);
    free(text);
    stop(&whole);
    stop(&single);
    return 0;
}
