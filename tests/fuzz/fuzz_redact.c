/*
 * The first line of the input is one secret, the second another (\x01 in them is a line's end), the third gives the
 * lengths of the pieces; the rest is the text, in which \x02 and a byte is a form of the first secret, \x03 and a byte
 * one of the second. Compared with a search for every form at every place, on the whole text and on a stream of
 * pieces; then again with the second secret added when half of the text has come.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "core/mem.h"
#include "core/redact.h"
#include "core/redact_forms.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define CEILING ((size_t)1 << 22)
/* Below the size from which on values are looked for in pieces, and small enough to be quick. */
#define SECRET_MAX 150
#define TEXT_MAX 3000
#define FORMS_MAX 4096

struct forms {
    struct buf items[FORMS_MAX];
    size_t len;
};

static void keep_form(void *context, struct view form)
{
    struct forms *forms = context;

    if (form.len < REDACT_MIN_LENGTH)
        return;
    if (forms->len == FORMS_MAX)
        abort();
    buf_init(&forms->items[forms->len], form.len);
    buf_add(&forms->items[forms->len++], form.data, form.len);
}

static void keep_with_line_ends(struct forms *forms, struct view value, const char *line_end)
{
    struct buf text;
    size_t i;

    buf_init(&text, 2 * value.len);
    for (i = 0; i < value.len; i++)
        if (value.data[i] == '\n')
            buf_adds(&text, line_end);
        else if (value.data[i] != '\r' || value.data[i + 1] != '\n')
            buf_addc(&text, value.data[i]);
    redact_forms((struct view){text.data, text.len}, REDACT_ALL, keep_form, forms);
    buf_dispose(&text);
}

/* What core/redact.h says of a value. */
static void make_forms(struct forms *forms, struct view value)
{
    size_t start = 0, i;

    forms->len = 0;
    while (value.len && strchr("\r\n", value.data[value.len - 1]) && value.data[value.len - 1])
        value.len--;
    if (value.len < REDACT_MIN_LENGTH)
        return;
    redact_forms(value, REDACT_ALL, keep_form, forms);
    if (memchr(value.data, '\n', value.len)) {
        keep_with_line_ends(forms, value, "\n");
        keep_with_line_ends(forms, value, "\r\n");
    }
    for (i = 0; i <= value.len; i++)
        if (i == value.len || value.data[i] == '\n' || value.data[i] == '\r') {
            if (i - start >= REDACT_MIN_LENGTH)
                redact_forms((struct view){value.data + start, i - start}, REDACT_ALL, keep_form, forms);
            start = i + 1;
        }
}

static void drop_forms(struct forms *forms)
{
    while (forms->len)
        buf_dispose(&forms->items[--forms->len]);
}

/* Whether the byte belongs to a form, by trying each at each place. */
static void cover(const struct forms *forms, struct view text, bool *covered)
{
    size_t at, i;

    for (i = 0; i < forms->len; i++)
        for (at = 0; at + forms->items[i].len <= text.len; at++)
            if (memcmp(text.data + at, forms->items[i].data, forms->items[i].len) == 0)
                memset(covered + at, 1, forms->items[i].len);
}

static void reference(const struct forms *first, const struct forms *second, struct view text, struct buf *out)
{
    bool *covered = xcalloc(text.len + 1, sizeof *covered);
    size_t i;

    cover(first, text, covered);
    cover(second, text, covered);
    for (i = 0; i < text.len; i++)
        if (!covered[i])
            buf_addc(out, text.data[i]);
        else if (i == 0 || !covered[i - 1])
            buf_adds(out, REDACT_MARK);
    free(covered);
}

static struct view take_line(struct view *rest)
{
    const char *end = rest->len ? memchr(rest->data, '\n', rest->len) : NULL;
    struct view line = {rest->data, end ? (size_t)(end - rest->data) : rest->len};
    size_t used = end ? line.len + 1 : line.len;

    rest->data += used;
    rest->len -= used;
    return line;
}

static void take_secret(struct view *rest, struct buf *secret)
{
    struct view line = take_line(rest);
    size_t i;

    buf_init(secret, SECRET_MAX);
    for (i = 0; i < line.len && i < SECRET_MAX; i++)
        buf_addc(secret, line.data[i] == 1 ? '\n' : line.data[i]);
}

static void expand(struct view rest, const struct forms *first, const struct forms *second, struct buf *text)
{
    size_t i;

    for (i = 0; i < rest.len && text->len < TEXT_MAX; i++) {
        const struct forms *forms = rest.data[i] == 2 ? first : rest.data[i] == 3 ? second : NULL;

        if (forms && forms->len && i + 1 < rest.len) {
            const struct buf *form = &forms->items[(unsigned char)rest.data[++i] * 7 % forms->len];

            buf_add(text, form->data, form->len);
        } else {
            buf_addc(text, rest.data[i]);
        }
    }
}

/* `late`: a value that is added when half the text has come. */
static void feed_in_pieces(struct redactor *redactor, struct view text, struct view lengths, const struct buf *late,
                           struct buf *out)
{
    struct redact_stream stream;
    size_t piece, half = text.len / 2, i = 0;

    redact_stream_init(&stream, redactor);
    while (text.len) {
        piece = 1 + (lengths.len ? (unsigned char)lengths.data[i++ % lengths.len] % 40 : 0);
        if (piece > text.len)
            piece = text.len;
        redact_stream_feed(&stream, (struct view){text.data, piece}, out);
        text.data += piece;
        text.len -= piece;
        if (late && text.len < half) {
            redactor_add(redactor, buf_text(late), late->len);
            late = NULL;
        }
    }
    redact_stream_flush(&stream, out);
    redact_stream_dispose(&stream);
}

static void expect_same(const struct buf *a, const struct buf *b)
{
    if (a->len != b->len || memcmp(buf_text(a), buf_text(b), a->len) != 0)
        abort();
}

static void check_both(const struct buf *first, const struct buf *second, struct view text, struct view lengths,
                       const struct buf *expected)
{
    struct redactor *redactor = redactor_new();
    struct buf whole, pieces;

    buf_init(&whole, CEILING);
    buf_init(&pieces, CEILING);
    redactor_add(redactor, buf_text(first), first->len);
    redactor_add(redactor, buf_text(second), second->len);
    redact_text(redactor, text, &whole);
    expect_same(&whole, expected);
    feed_in_pieces(redactor, text, lengths, NULL, &pieces);
    expect_same(&pieces, expected);
    if (redact_finds(redactor, text) !=
            !(text.len == expected->len && memcmp(text.data, buf_text(expected), text.len) == 0) &&
        !memmem(text.data, text.len, REDACT_MARK, 3))
        abort();
    buf_dispose(&whole);
    buf_dispose(&pieces);
    redactor_free(redactor);
}

/* A value that is added late changes nothing for the other: no whole occurrence of the first is left. */
static void check_late(const struct buf *first, const struct buf *second, struct view text, struct view lengths)
{
    struct redactor *redactor = redactor_new();
    struct buf pieces;

    buf_init(&pieces, CEILING);
    redactor_add(redactor, buf_text(first), first->len);
    feed_in_pieces(redactor, text, lengths, second, &pieces);
    /* A mark beside other text can spell a secret only when the secret has the mark's characters. */
    if (first->len >= REDACT_MIN_LENGTH && !memchr("\r\n", first->data[first->len - 1], 2) &&
        !memchr(first->data, '*', first->len) && memmem(buf_text(&pieces), pieces.len, first->data, first->len))
        abort();
    buf_dispose(&pieces);
    redactor_free(redactor);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct forms first_forms, second_forms;
    struct view rest = {size ? (const char *)data : "", size};
    struct view lengths, view;
    struct buf first, second, text, expected;

    take_secret(&rest, &first);
    take_secret(&rest, &second);
    lengths = take_line(&rest);
    make_forms(&first_forms, (struct view){buf_text(&first), first.len});
    make_forms(&second_forms, (struct view){buf_text(&second), second.len});
    buf_init(&text, CEILING);
    buf_init(&expected, CEILING);
    expand(rest, &first_forms, &second_forms, &text);
    view = (struct view){buf_text(&text), text.len};
    reference(&first_forms, &second_forms, view, &expected);
    check_both(&first, &second, view, lengths, &expected);
    check_late(&first, &second, view, lengths);
    drop_forms(&first_forms);
    drop_forms(&second_forms);
    buf_dispose(&first);
    buf_dispose(&second);
    buf_dispose(&text);
    buf_dispose(&expected);
    return 0;
}
