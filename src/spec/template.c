#include "spec/template.h"

#include <stdio.h>
#include <string.h>

#include "core/buf.h"
#include "core/mem.h"
#include "spec/problems.h"
#include "spec/table.h"

#define SHORT_COMMIT_LENGTH 7
#define EXPANDED_MAX ((size_t)64 << 10)

static const char *const variables[] = {"project", "id", "ref", "commit", "short_commit", NULL};

const char *template_variable(unsigned n)
{
    return n < ARRAY_LEN(variables) ? variables[n] : NULL;
}

static unsigned bit_of(const char *name, size_t len)
{
    unsigned i;

    for (i = 0; variables[i]; i++)
        if (strlen(variables[i]) == len && strncmp(variables[i], name, len) == 0)
            return 1U << i;
    return 0;
}

static void list_allowed(unsigned allowed, char *out, size_t size)
{
    size_t at = 0;
    unsigned i;

    *out = '\0';
    for (i = 0; variables[i]; i++)
        if (allowed & (1U << i) && at < size)
            at += (size_t)snprintf(out + at, size - at, "%s${%s}", at ? ", " : "", variables[i]);
}

static int unknown(const char *name, size_t len, unsigned allowed, struct remark *remark)
{
    char list[200];
    char hint[260];
    char shown[QUOTE_SIZE];
    CLEANUP_FREE char *copy = xstrndup(name, len);

    list_allowed(allowed, list, sizeof list);
    snprintf(hint, sizeof hint, "allowed here: %s; $${ is a plain ${", list);
    if (bit_of(name, len))
        return remark_set(remark, hint, "the variable %s is not known early enough for this key", quote(shown, copy));
    return remark_set(remark, hint, "unknown variable %s", quote(shown, copy));
}

/* The next "${" of the text; *escaped when it is one of "$${". */
static const char *next(const char *text, bool *escaped)
{
    const char *at = strstr(text, "${");

    *escaped = at && at > text && at[-1] == '$';
    return at;
}

int template_check(const char *text, unsigned allowed, unsigned *used, struct remark *remark)
{
    const char *at = text;
    bool escaped;

    *used = 0;
    while ((at = next(at, &escaped))) {
        const char *name = at + 2;
        const char *end = strchr(name, '}');

        at = name;
        if (escaped)
            continue;
        if (!end)
            return remark_set(remark, "$${ is a plain ${", "a \"${\" without its \"}\"");
        if (!(bit_of(name, (size_t)(end - name)) & allowed))
            return unknown(name, (size_t)(end - name), allowed, remark);
        *used |= bit_of(name, (size_t)(end - name));
        at = end;
    }
    return 0;
}

static const char *value_of(unsigned bit, const struct template_values *values, char short_commit[])
{
    if (bit == VARIABLE_PROJECT)
        return values->project;
    if (bit == VARIABLE_ID)
        return values->id;
    if (bit == VARIABLE_REF)
        return values->ref;
    if (bit == VARIABLE_COMMIT)
        return values->commit;
    snprintf(short_commit, SHORT_COMMIT_LENGTH + 1, "%s", values->commit ? values->commit : "");
    return short_commit;
}

char *template_expand(const char *text, const struct template_values *values, unsigned which)
{
    struct buf out;
    const char *at = text;
    const char *found;
    bool escaped;

    buf_init(&out, EXPANDED_MAX);
    while ((found = next(at, &escaped))) {
        const char *end = strchr(found, '}');
        unsigned bit = end ? bit_of(found + 2, (size_t)(end - found - 2)) : 0;
        char short_commit[SHORT_COMMIT_LENGTH + 1];
        const char *value;

        if (escaped || !(bit & which)) {
            buf_add(&out, at, (size_t)(found - at) - (escaped && which == VARIABLES_ALL));
            buf_adds(&out, "${");
            at = found + 2;
            continue;
        }
        buf_add(&out, at, (size_t)(found - at));
        value = value_of(bit, values, short_commit);
        buf_adds(&out, value ? value : "");
        at = end + 1;
    }
    buf_adds(&out, at);
    return buf_take(&out);
}

unsigned template_known(const struct template_values *values)
{
    return (values->project ? VARIABLE_PROJECT : 0) | (values->id ? VARIABLE_ID : 0) |
           (values->ref ? VARIABLE_REF : 0) | (values->commit ? VARIABLE_COMMIT | VARIABLE_SHORT_COMMIT : 0);
}
