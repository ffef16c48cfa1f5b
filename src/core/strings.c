#include "core/strings.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/mem.h"

void strings_take(struct strings *list, char *text)
{
    list->items = xrealloc(list->items, list->len + 2, sizeof *list->items);
    list->items[list->len++] = text;
    list->items[list->len] = NULL;
}

void strings_add(struct strings *list, const char *text)
{
    strings_take(list, xstrdup(text));
}

void strings_addf(struct strings *list, const char *format, ...)
{
    va_list args;
    char *text;

    va_start(args, format);
    if (vasprintf(&text, format, args) < 0)
        text = xstrdup("");
    va_end(args);
    strings_take(list, text);
}

void strings_copy(struct strings *to, const struct strings *from)
{
    size_t i;

    for (i = 0; i < from->len; i++)
        strings_add(to, from->items[i]);
}

bool strings_has(const struct strings *list, const char *text)
{
    size_t i;

    for (i = 0; i < list->len; i++)
        if (strcmp(list->items[i], text) == 0)
            return true;
    return false;
}

static int compare(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

void strings_sort(struct strings *list)
{
    if (list->len > 1)
        qsort(list->items, list->len, sizeof *list->items, compare);
}

void strings_dispose(struct strings *list)
{
    size_t i;

    for (i = 0; i < list->len; i++)
        free(list->items[i]);
    free(list->items);
    *list = (struct strings){0};
}

void strings_wipe(struct strings *list)
{
    size_t i;

    for (i = 0; i < list->len; i++)
        wipe(list->items[i], strlen(list->items[i]));
    strings_dispose(list);
}

static size_t env_find(const struct strings *env, const char *name)
{
    size_t len = strlen(name);
    size_t i;

    for (i = 0; i < env->len; i++)
        if (strncmp(env->items[i], name, len) == 0 && env->items[i][len] == '=')
            break;
    return i;
}

void env_set(struct strings *env, const char *name, const char *value)
{
    size_t i = env_find(env, name);
    char *text = xasprintf("%s=%s", name, value);

    if (i == env->len) {
        strings_take(env, text);
        return;
    }
    wipe_free(env->items[i]);
    env->items[i] = text;
}

const char *env_get(const struct strings *env, const char *name)
{
    size_t i = env_find(env, name);

    return i < env->len ? strchr(env->items[i], '=') + 1 : NULL;
}

void env_unset(struct strings *env, const char *name)
{
    size_t i = env_find(env, name);

    if (i == env->len)
        return;
    wipe_free(env->items[i]);
    memmove(env->items + i, env->items + i + 1, (env->len - i) * sizeof *env->items);
    env->len--;
}
