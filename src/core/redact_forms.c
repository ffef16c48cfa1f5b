#include "core/redact_forms.h"

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "core/redact_encode.h"

struct sink {
    void (*add)(void *context, struct view form);
    void *context;
};

static void give(const struct sink *sink, struct buf *form)
{
    if (form->len)
        sink->add(sink->context, (struct view){form->data, form->len});
    buf_wipe(form);
}

/* ---- base64 ---- */

/* How openssl and PEM break their lines, and how coreutils and MIME do. */
static const size_t base64_lines[] = {64, 76};

static void give_wrapped(const struct sink *sink, struct view form, size_t width, const char *line_end)
{
    struct buf wrapped;
    size_t at, len;

    if (form.len <= width)
        return;
    buf_init(&wrapped, form.len + (form.len / width + 1) * 2);
    for (at = 0; at < form.len; at += len) {
        len = form.len - at < width ? form.len - at : width;
        if (at)
            buf_adds(&wrapped, line_end);
        buf_add(&wrapped, form.data + at, len);
        /* Lines may be indented or prefixed. */
        sink->add(sink->context, (struct view){form.data + at, len});
    }
    give(sink, &wrapped);
}

/* `offset` bytes stand before the value in its group of three; `tail` is what follows it, after which all ends. */
static void give_base64_at(const struct sink *sink, struct view value, const char *digits, size_t offset,
                           const char *tail, bool wrapped)
{
    static const char before[2] = {0};
    struct buf bytes, form;
    struct view certain;
    size_t i;

    buf_init(&bytes, value.len + 4);
    buf_add(&bytes, before, offset);
    buf_add(&bytes, value.data, value.len);
    buf_adds(&bytes, tail);
    buf_init(&form, bytes.len / 3 * 4 + 4);
    encode_base64(&form, (struct view){bytes.data, bytes.len}, digits);
    /* Digits that what stands before has a part in. */
    certain = (struct view){form.data + offset + (offset > 0), form.len - offset - (offset > 0)};
    sink->add(sink->context, certain);
    for (i = 0; wrapped && offset == 0 && i < sizeof base64_lines / sizeof *base64_lines; i++) {
        give_wrapped(sink, certain, base64_lines[i], "\n");
        give_wrapped(sink, certain, base64_lines[i], "\r\n");
    }
    /* What follows decides the last digit, unless a group is full: without it, anything may follow. */
    if (!*tail && bytes.len % 3) {
        certain.len--;
        sink->add(sink->context, certain);
    }
    buf_wipe(&form);
    buf_wipe(&bytes);
}

static void give_base64(const struct sink *sink, struct view value, bool all)
{
    size_t offset;

    for (offset = 0; offset < 3; offset++) {
        give_base64_at(sink, value, base64_standard, offset, "", all);
        give_base64_at(sink, value, base64_url, offset, "", false);
        if (!all)
            continue;
        /* What `echo $TOKEN | base64` prints. */
        give_base64_at(sink, value, base64_standard, offset, "\n", true);
        give_base64_at(sink, value, base64_url, offset, "\n", false);
    }
}

/* ---- the others ---- */

static void give_percent(const struct sink *sink, struct view value, bool all)
{
    /* RFC 3986; what encodeURIComponent, forms, path encoders and encodeURI leave. */
    static const char *const unreserved[] = {"-._~", "-._~!'()*", "-._*", "-._~/", "-._~!'()*;,/?:@&=+$#"};
    struct buf form;
    size_t i;
    int variant;

    for (i = 0; i < (all ? sizeof unreserved / sizeof *unreserved : 1); i++)
        for (variant = 0; variant < (all ? 4 : 1); variant++) {
            buf_init(&form, value.len * 3);
            encode_percent(&form, value, unreserved[i], variant & 1 ? hex_lower : hex_upper, variant & 2);
            give(sink, &form);
        }
}

static void give_hex(const struct sink *sink, struct view value)
{
    struct buf form;
    int upper;

    for (upper = 0; upper < 2; upper++) {
        buf_init(&form, value.len * 2);
        encode_hex(&form, value, upper ? hex_upper : hex_lower);
        give(sink, &form);
    }
}

static void give_json(const struct sink *sink, struct view value, bool all)
{
    struct buf form;
    unsigned flags;

    for (flags = 0; flags <= (all ? JSON_ALL_FLAGS : 0); flags++) {
        buf_init(&form, value.len * 6);
        encode_json(&form, value, flags);
        give(sink, &form);
    }
}

static void give_shell(const struct sink *sink, struct view value)
{
    /* What bash's %q, and what Ruby's and others' quoting put a backslash before. */
    static const char bash[] = "\t !\"$&'()*,;<>?[\\]^`{|}";
    struct buf form;
    int octal;

    buf_init(&form, value.len * 5);
    encode_replaced(&form, value, '\'', "'\\''");
    give(sink, &form);
    buf_init(&form, value.len * 5);
    encode_replaced(&form, value, '\'', "'\"'\"'");
    give(sink, &form);
    buf_init(&form, value.len * 2);
    encode_escaped(&form, value, "\\\"$`");
    give(sink, &form);
    buf_init(&form, value.len * 2);
    encode_escaped(&form, value, bash);
    give(sink, &form);
    buf_init(&form, value.len * 2);
    encode_escaped_but(&form, value, "_-.,:+/@\n");
    give(sink, &form);
    for (octal = 0; octal < 2; octal++) {
        buf_init(&form, value.len * 4);
        encode_dollar_quoted(&form, value, octal);
        give(sink, &form);
    }
}

void redact_forms(struct view value, enum redact_level level, void (*add)(void *context, struct view form),
                  void *context)
{
    const struct sink sink = {add, context};

    add(context, value);
    if (level == REDACT_RAW)
        return;
    give_base64(&sink, value, level == REDACT_ALL);
    give_percent(&sink, value, level == REDACT_ALL);
    give_json(&sink, value, level == REDACT_ALL);
    if (level != REDACT_ALL)
        return;
    give_hex(&sink, value);
    give_shell(&sink, value);
}
