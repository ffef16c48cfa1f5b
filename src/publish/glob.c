#include "publish/glob.h"

#include <stdlib.h>
#include <string.h>

#include "core/buf.h"
#include "core/mem.h"
#include "core/utf8.h"

/* The end of a "[…]" (the "]"), or NULL when it has none. A "]" that comes first is a member. */
static const char *class_end(const char *at)
{
    const char *p = at + 1;

    if (*p == '!' || *p == '^')
        p++;
    if (*p == ']')
        p++;
    while (*p && *p != ']')
        p += *p == '\\' && p[1] ? 2 : 1;
    return *p ? p : NULL;
}

/* One character of a class or of the path as a code point; moves on. Broken UTF-8 counts byte by byte. */
static unsigned next_character(const char **at)
{
    const unsigned char *p = (const unsigned char *)*at;
    int len = utf8_step(*at, strlen(*at)), i;
    unsigned c;

    if (len <= 1) {
        *at += 1;
        return p[0];
    }
    c = p[0] & (0xFFU >> (len + 1));
    for (i = 1; i < len; i++)
        c = c << 6 | (p[i] & 0x3FU);
    *at += len;
    return c;
}

static bool class_has(const char *at, const char *end, unsigned c)
{
    bool negated = at[1] == '!' || at[1] == '^', found = false;
    const char *p = at + (negated ? 2 : 1);
    unsigned from, to;

    while (p < end) {
        if (*p == '\\' && p + 1 < end)
            p++;
        from = to = next_character(&p);
        if (*p == '-' && p + 1 < end) {
            p++;
            if (*p == '\\' && p + 1 < end)
                p++;
            to = next_character(&p);
        }
        found = found || (c >= from && c <= to);
    }
    return found != negated;
}

/* Matches one character of the text against what the pattern has at *p (no star). Moves both on. */
static bool match_one(const char **p, const char **text)
{
    const char *at = *p, *end;
    unsigned c;

    if (**text == '\0' || *at == '\0')
        return false;
    if (*at == '?' || *at == '[') {
        if (**text == '/')
            return false;
        end = *at == '[' ? class_end(at) : at;
        c = next_character(text);
        *p = end + 1;
        return *at == '?' || class_has(at, end, c);
    }
    if (*at == '\\' && at[1])
        at++;
    if (*at != **text)
        return false;
    *p = at + 1;
    *text += 1;
    return true;
}

/* Whether a component "**" begins here; *rest is what follows its slash (or the end). */
static bool is_globstar(const char *start, const char *p, const char **rest)
{
    if (p[0] != '*' || p[1] != '*' || (p > start && p[-1] != '/') || (p[2] != '\0' && p[2] != '/'))
        return false;
    *rest = p[2] == '/' ? p + 3 : p + 2;
    return true;
}

/*
 * Two places to come back to are enough: the last star of this component (an earlier one would only take what the
 * later may take as well), and the last "**", which starts again at the next component.
 */
static bool match(const char *pattern, const char *text)
{
    const char *p = pattern, *star = NULL, *star_text = NULL, *deep = NULL, *deep_text = NULL, *rest;

    for (;;) {
        if (is_globstar(pattern, p, &rest)) {
            if (*rest == '\0')
                return *text != '\0';
            deep = p = rest;
            deep_text = text;
            star = NULL;
            continue;
        }
        if (*p == '*') {
            while (*p == '*')
                p++;
            star = p;
            star_text = text;
            continue;
        }
        if (*p == '\0' && *text == '\0')
            return true;
        if (match_one(&p, &text))
            continue;
        if (star && *star_text && *star_text != '/') {
            text = ++star_text;
            p = star;
            continue;
        }
        if (!deep || !(deep_text = strchr(deep_text, '/')))
            return false;
        text = ++deep_text;
        p = deep;
        star = NULL;
    }
}

/* The brace that closes the one at `open`, noting the commas of its own level; NULL when there is none. */
static const char *brace_end(const char *open)
{
    const char *p, *end;
    int depth = 0;

    for (p = open; *p; p++) {
        if (*p == '\\' && p[1])
            p++;
        else if (*p == '[' && (end = class_end(p)))
            p = end;
        else if (*p == '{')
            depth++;
        else if (*p == '}' && --depth == 0)
            return p;
    }
    return NULL;
}

static const char *find_brace(const char *p)
{
    const char *end;

    for (; *p && *p != '{'; p++) {
        if (*p == '\\' && p[1])
            p++;
        else if (*p == '[' && (end = class_end(p)))
            p = end;
    }
    return *p ? p : NULL;
}

/* Where the alternative that begins at p ends: at a comma of this level or at the closing brace. */
static const char *alternative_end(const char *p, const char *close)
{
    const char *end;

    for (; p < close && *p != ','; p++) {
        if (*p == '\\' && p[1])
            p++;
        else if (*p == '[' && (end = class_end(p)))
            p = end;
        else if (*p == '{' && (end = brace_end(p)))
            p = end;
    }
    return p;
}

/* Replaces the first brace group of each pattern by its alternatives until none has one; a work list, so that nesting
 * costs no stack. */
static int expand(struct strings *done, const char *pattern, struct error *err)
{
    struct strings work = {0};
    const char *open, *close, *from, *to;
    size_t i;
    int result = 0;

    strings_add(&work, pattern);
    for (i = 0; i < work.len && !result; i++) {
        open = find_brace(work.items[i]);
        if (!open) {
            strings_add(done, work.items[i]);
            continue;
        }
        close = brace_end(open);
        if (!close || work.len > 4 * GLOB_MAX_ALTERNATIVES || done->len > GLOB_MAX_ALTERNATIVES) {
            result = error_set(err, CLASS_SPEC_INVALID, "bad-glob", "the pattern \"%s\" %s", pattern,
                               close ? "has too many alternatives" : "has a { without its }");
            break;
        }
        for (from = open + 1;; from = to + 1) {
            to = alternative_end(from, close);
            strings_addf(&work, "%.*s%.*s%s", (int)(open - work.items[i]), work.items[i], (int)(to - from), from,
                         close + 1);
            if (to >= close)
                break;
        }
    }
    strings_dispose(&work);
    if (!result && done->len > GLOB_MAX_ALTERNATIVES)
        result = error_set(err, CLASS_SPEC_INVALID, "bad-glob", "the pattern \"%s\" has more than %d alternatives",
                           pattern, GLOB_MAX_ALTERNATIVES);
    return result;
}

static const char *problem_of(const char *pattern)
{
    const char *p, *end;

    if (pattern[0] == '\0')
        return "is empty";
    if (strlen(pattern) > GLOB_MAX_LENGTH)
        return "is longer than 1,024 bytes";
    if (!utf8_is_valid(view_of(pattern)))
        return "is not valid UTF-8";
    for (p = pattern; *p; p++) {
        if (*p == '\\' && p[1])
            p++;
        else if (*p == '[' && !(end = class_end(p)))
            return "has a [ without its ]";
        else if (*p == '[')
            p = end;
    }
    return NULL;
}

int glob_init(struct glob *glob, const char *pattern, struct error *err)
{
    const char *problem = problem_of(pattern);
    CLEANUP_FREE char *whole = NULL;
    size_t len;

    memset(glob, 0, sizeof *glob);
    if (problem)
        return error_set(err, CLASS_SPEC_INVALID, "bad-glob", "the pattern \"%.200s\" %s", pattern, problem);
    if (strncmp(pattern, "./", 2) == 0)
        pattern += 2;
    else if (pattern[0] == '/')
        pattern++;
    len = strlen(pattern);
    whole = xasprintf("%s%s", pattern, len == 0 || pattern[len - 1] == '/' ? "**" : "");
    if (expand(&glob->alternatives, whole, err)) {
        glob_dispose(glob);
        return -1;
    }
    return 0;
}

void glob_dispose(struct glob *glob)
{
    strings_dispose(&glob->alternatives);
    memset(glob, 0, sizeof *glob);
}

bool glob_matches(const struct glob *glob, const char *path)
{
    size_t i;

    for (i = 0; i < glob->alternatives.len; i++)
        if (match(glob->alternatives.items[i], path))
            return true;
    return false;
}

int glob_list_init(struct glob_list *list, const struct strings *patterns, struct error *err)
{
    size_t i;

    memset(list, 0, sizeof *list);
    list->items = xcalloc(patterns->len + 1, sizeof *list->items);
    for (i = 0; i < patterns->len; i++) {
        if (glob_init(&list->items[i], patterns->items[i], err)) {
            glob_list_dispose(list);
            return -1;
        }
        list->len++;
    }
    return 0;
}

void glob_list_dispose(struct glob_list *list)
{
    size_t i;

    for (i = 0; i < list->len; i++)
        glob_dispose(&list->items[i]);
    free(list->items);
    memset(list, 0, sizeof *list);
}

bool glob_list_matches(const struct glob_list *list, const char *path)
{
    size_t i;

    for (i = 0; i < list->len; i++)
        if (glob_matches(&list->items[i], path))
            return true;
    return false;
}
