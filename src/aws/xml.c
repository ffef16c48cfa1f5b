#include "aws/xml.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/utf8.h"

/* Just after "<element>", or NULL. Attributes are allowed, an empty element ("<a/>") counts as absent. */
static const char *find_open(struct view body, const char *element)
{
    const char *end = body.data + body.len;
    size_t len = strlen(element);
    const char *at = body.data;

    while (at < end && (at = memchr(at, '<', (size_t)(end - at)))) {
        const char *after = ++at + len;
        const char *close;

        if ((size_t)(end - at) <= len || memcmp(at, element, len) != 0 || !strchr("> \t\r\n", *after) || !*after)
            continue;
        close = memchr(after, '>', (size_t)(end - after));
        return close && close[-1] != '/' ? close + 1 : NULL;
    }
    return NULL;
}

/* A character reference of the printable ASCII range, as Go's encoder writes quotes; 0 when it is another. */
static char numeric_reference(const char *text, size_t len)
{
    char digits[8] = {0};
    long value;

    if (len < 2 || len >= sizeof digits || text[0] != '#')
        return 0;
    memcpy(digits, text + 1, len - 1);
    value = digits[0] == 'x' ? strtol(digits + 1, NULL, 16) : strtol(digits, NULL, 10);
    return value >= ' ' && value <= '~' ? (char)value : 0;
}

/* The character for the text between & and ;, 0 when it is none that we know. */
static char reference(const char *text, size_t len)
{
    static const struct {
        const char *name;
        char value;
    } known[] = {{"lt", '<'}, {"gt", '>'}, {"amp", '&'}, {"quot", '"'}, {"apos", '\''}};
    size_t i;

    for (i = 0; i < sizeof known / sizeof *known; i++)
        if (view_is((struct view){text, len}, known[i].name))
            return known[i].value;
    return numeric_reference(text, len);
}

static void unescape(const char *at, const char *end, struct buf *out)
{
    while (at < end && !out->overflow) {
        size_t room = (size_t)(end - at) < 10 ? (size_t)(end - at) : 10;
        const char *semicolon = *at == '&' ? memchr(at, ';', room) : NULL;
        char c = semicolon ? reference(at + 1, (size_t)(semicolon - at) - 1) : 0;

        buf_addc(out, c ? c : *at);
        at = c ? semicolon + 1 : at + 1;
    }
}

bool xml_find(struct view body, const char *element, struct buf *out)
{
    const char *start = body.data ? find_open(body, element) : NULL;
    const char *end = start ? memchr(start, '<', (size_t)(body.data + body.len - start)) : NULL;

    if (!end)
        return false;
    unescape(start, end, out);
    return true;
}

bool xml_root_is(struct view body, const char *element)
{
    size_t len = strlen(element);
    const char *at = body.data;
    const char *end = at ? at + body.len : NULL;

    while (at && at < end && (at = memchr(at, '<', (size_t)(end - at)))) {
        at++;
        if (at < end && *at != '?' && *at != '!')
            return (size_t)(end - at) > len && memcmp(at, element, len) == 0 && at[len] && strchr("> \t\r\n/", at[len]);
    }
    return false;
}

bool xml_text(struct view body, const char *element, char *text, size_t size)
{
    struct buf found;
    bool fits;

    buf_init(&found, size - 1);
    fits = xml_find(body, element, &found) && !found.overflow && !memchr(buf_text(&found), '\0', found.len);
    snprintf(text, size, "%s", fits ? buf_text(&found) : "");
    buf_dispose(&found);
    return fits;
}

void xml_words(struct view body, const char *element, char *text, size_t size)
{
    struct buf found, clean;
    size_t i;

    buf_init(&found, size - 1);
    buf_init(&clean, 3 * size);
    xml_find(body, element, &found);
    utf8_repair((struct view){buf_text(&found), found.len}, &clean);
    for (i = 0; i < clean.len; i++)
        if ((unsigned char)clean.data[i] < ' ' || clean.data[i] == 0x7f)
            clean.data[i] = ' ';
    i = utf8_cut((struct view){buf_text(&clean), clean.len}, size - 1);
    memcpy(text, buf_text(&clean), i);
    text[i] = '\0';
    buf_dispose(&found);
    buf_dispose(&clean);
}
