#include "spec/problems.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/mem.h"
#include "core/utf8.h"

int problem_add(struct problems *problems, struct position at, const char *path, const char *hint, const char *format,
                ...)
{
    struct problem *problem;
    va_list args;

    if (problems->len >= PROBLEMS_MAX) {
        problems->more = true;
        return -1;
    }
    problems->items = xrealloc(problems->items, problems->len + 1, sizeof *problems->items);
    problem = &problems->items[problems->len++];
    *problem = (struct problem){.at = at, .path = xstrdup(path), .hint = xstrdup(hint)};
    va_start(args, format);
    if (vasprintf(&problem->message, format, args) < 0)
        problem->message = xstrdup("out of memory");
    va_end(args);
    return -1;
}

void problems_dispose(struct problems *problems)
{
    size_t i;

    for (i = 0; i < problems->len; i++) {
        free(problems->items[i].path);
        free(problems->items[i].message);
        free(problems->items[i].hint);
    }
    free(problems->items);
    *problems = (struct problems){0};
}

static int by_position(const void *a, const void *b)
{
    const struct problem *left = a;
    const struct problem *right = b;

    if (left->at.line != right->at.line)
        return left->at.line < right->at.line ? -1 : 1;
    if (left->at.column != right->at.column)
        return left->at.column < right->at.column ? -1 : 1;
    if (strcmp(left->message, right->message) != 0)
        return strcmp(left->message, right->message);
    return strcmp(left->path, right->path); /* libraries sort equals as they like */
}

void problems_sort(struct problems *problems)
{
    if (problems->len > 1)
        qsort(problems->items, problems->len, sizeof *problems->items, by_position);
}

static void print_one(const struct problem *problem, const char *name, struct buf *out)
{
    buf_adds(out, name);
    if (problem->at.line)
        buf_addf(out, ":%d:%d", problem->at.line, problem->at.column);
    buf_adds(out, ": ");
    if (problem->path && *problem->path)
        buf_addf(out, "%s: ", problem->path);
    buf_adds(out, problem->message);
    if (problem->hint)
        buf_addf(out, "; %s", problem->hint);
    buf_addc(out, '\n');
}

void problems_print(const struct problems *problems, const char *name, struct buf *out)
{
    size_t i;

    for (i = 0; i < problems->len; i++)
        print_one(&problems->items[i], name, out);
    if (problems->more)
        buf_addf(out, "%s: there are more mistakes than the %d shown\n", name, PROBLEMS_MAX);
}

json_t *problems_to_json(const struct problems *problems)
{
    json_t *list = json_array();
    size_t i;

    for (i = 0; i < problems->len; i++) {
        const struct problem *problem = &problems->items[i];
        json_t *item = json_object();

        if (problem->at.line) {
            json_object_set_new(item, "line", json_integer(problem->at.line));
            json_object_set_new(item, "column", json_integer(problem->at.column));
        }
        json_object_set_new(item, "path", json_string(problem->path ? problem->path : ""));
        json_object_set_new(item, "message", json_string(problem->message));
        if (problem->hint)
            json_object_set_new(item, "hint", json_string(problem->hint));
        json_array_append_new(list, item);
    }
    return list;
}

const char *quote(char out[QUOTE_SIZE], const char *text)
{
    size_t shown = utf8_cut(view_of(text), 60);
    size_t at = 0;
    size_t i;

    out[at++] = '"';
    for (i = 0; i < shown; i++) {
        unsigned char c = (unsigned char)text[i];

        if (at + 12 >= QUOTE_SIZE)
            break;
        if (c == '\n')
            at += (size_t)snprintf(out + at, QUOTE_SIZE - at, "\\n");
        else if (c < 0x20 || c == 0x7f)
            at += (size_t)snprintf(out + at, QUOTE_SIZE - at, "\\x%02x", c);
        else
            out[at++] = (char)c;
    }
    snprintf(out + at, QUOTE_SIZE - at, "%s\"", text[i] ? "..." : "");
    return out;
}
