#include "publish/header_rules.h"

#include <stdlib.h>
#include <string.h>

#include "aws/sign.h"
#include "core/buf.h"
#include "core/mem.h"
#include "core/utf8.h"
#include "publish/content_type.h"
#include "publish/glob.h"

#define HEADER_MAX 1024

struct header_rules {
    const struct publish_header_rule *items; /* borrowed */
    struct glob *globs;
    size_t len;
};

static int check_value(const char *name, const char *value, const char *match, struct error *err)
{
    const unsigned char *p;

    if (!value)
        return 0;
    if (value[0] == '\0' || strlen(value) > HEADER_MAX)
        return error_set(err, CLASS_SPEC_INVALID, "bad-header", "the %s of the header rule \"%s\" is %s", name, match,
                         value[0] ? "longer than 1,024 bytes" : "empty");
    for (p = (const unsigned char *)value; *p; p++)
        if (*p < 0x20 || *p >= 0x7F) /* RFC 9110 5.5; obs-text is signed differently by servers */
            return error_set(err, CLASS_SPEC_INVALID, "bad-header",
                             "the %s of the header rule \"%s\" holds a character that no header may hold (0x%02x)",
                             name, match, *p);
    return 0;
}

static int check_rule(const struct publish_header_rule *rule, struct error *err)
{
    if (!rule->match)
        return error_set(err, CLASS_SPEC_INVALID, "bad-header", "a header rule has no match pattern");
    if (check_value("cache_control", rule->cache_control, rule->match, err) ||
        check_value("content_type", rule->content_type, rule->match, err) ||
        check_value("content_disposition", rule->content_disposition, rule->match, err) ||
        check_value("content_language", rule->content_language, rule->match, err))
        return -1;
    return 0;
}

int header_rules_new(struct header_rules **out, const struct publish_header_rule *items, size_t len, struct error *err)
{
    struct header_rules *rules = xcalloc(1, sizeof *rules);
    size_t i;

    rules->items = items;
    rules->globs = xcalloc(len + 1, sizeof *rules->globs);
    for (i = 0; i < len; i++) {
        if (check_rule(&items[i], err) || glob_init(&rules->globs[i], items[i].match, err)) {
            header_rules_free(rules);
            return -1;
        }
        rules->len++;
    }
    *out = rules;
    return 0;
}

void header_rules_free(struct header_rules *rules)
{
    size_t i;

    if (!rules)
        return;
    for (i = 0; i < rules->len; i++)
        glob_dispose(&rules->globs[i]);
    free(rules->globs);
    free(rules);
}

static void add_when_set(struct strings *headers, const char *name, const char *value)
{
    if (value)
        strings_addf(headers, "%s: %s", name, value);
}

void header_rules_apply(const struct header_rules *rules, const char *path, const char *encoding,
                        struct strings *headers)
{
    static const struct publish_header_rule none = {0};
    const struct publish_header_rule *rule = &none;
    CLEANUP_FREE char *base = NULL;
    size_t i, base_len = strlen(path);

    if (encoding)
        content_encoding_of(path, &base_len);
    base = xstrndup(path, base_len);
    for (i = 0; i < rules->len && rule == &none; i++)
        if (glob_matches(&rules->globs[i], path) || (encoding && glob_matches(&rules->globs[i], base)))
            rule = &rules->items[i];
    add_when_set(headers, "Content-Type", rule->content_type ? rule->content_type : content_type_of(base));
    add_when_set(headers, "Content-Encoding", encoding);
    add_when_set(headers, "Cache-Control", rule->cache_control);
    add_when_set(headers, "Content-Disposition", rule->content_disposition);
    add_when_set(headers, "Content-Language", rule->content_language);
}

void header_rules_summary(const struct strings *headers, char meta[META_SIZE], bool *page)
{
    static const char content_type[] = "Content-Type: ";
    char hex[SHA256_HEX_SIZE];
    struct buf text;
    size_t i;

    buf_init(&text, 16 * (HEADER_MAX + 64));
    *page = false;
    for (i = 0; i < headers->len; i++) {
        if (strncmp(headers->items[i], content_type, sizeof content_type - 1) == 0)
            *page = content_type_is_page(headers->items[i] + sizeof content_type - 1);
        buf_addf(&text, "%s\n", headers->items[i]);
    }
    sha256_hex(buf_text(&text), text.len, hex);
    memcpy(meta, hex, META_SIZE - 1);
    meta[META_SIZE - 1] = '\0';
    buf_dispose(&text);
}
