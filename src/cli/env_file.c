#include "cli/env_file.h"

#include <stdbool.h>
#include <string.h>

#include "core/buf.h"
#include "core/fs.h"
#include "core/json.h"

#define ENVIRONMENT_MAX (1024 * 1024)

static int hint_at_shape(struct error *err)
{
    return error_hint(err, "write [{\"name\": \"PROJECT_ID\", \"value\": \"shop\"}, …] as in a container's override, "
                           "or NAME=value lines");
}

static int invalid(struct error *err, const char *path, const char *what)
{
    error_set(err, CLASS_USAGE, "env-file-invalid", "%s: %s", path, what);
    return hint_at_shape(err);
}

static int add(struct strings *env, const char *path, const char *name, const json_t *value, struct error *err)
{
    if (!name || !*name || strchr(name, '='))
        return invalid(err, path, "an entry has no name, or one with \"=\" in it");
    if (!json_is_string(value)) {
        error_set(err, CLASS_USAGE, "env-file-invalid", "%s: the value of %.80s is no text", path, name);
        return error_hint(err, "environments hold texts: write 3000 as \"3000\"");
    }
    strings_addf(env, "%s=%s", name, json_string_value(value));
    return 0;
}

static int add_json(const struct buf *text, const char *path, struct strings *env, struct error *err)
{
    CLEANUP_JSON json_t *json = json_parse(text->data, text->len, CLASS_USAGE, path, err);
    const char *name;
    json_t *entry;
    size_t i;

    if (!json)
        return hint_at_shape(err);
    if (json_is_array(json)) {
        json_array_foreach(json, i, entry)
        {
            if (add(env, path, json_text(entry, "name", NULL), json_object_get(entry, "value"), err))
                return -1;
        }
    } else {
        json_object_foreach(json, name, entry)
        {
            if (add(env, path, name, entry, err))
                return -1;
        }
    }
    return 0;
}

static void add_lines(struct buf *text, struct strings *env)
{
    char *rest = NULL;
    char *line;

    for (line = text->len ? strtok_r(text->data, "\n", &rest) : NULL; line; line = strtok_r(NULL, "\n", &rest))
        if (strchr(line, '=') && *line != '#')
            strings_add(env, line);
}

static bool is_json(const struct buf *text)
{
    const char *start = buf_text(text) + strspn(buf_text(text), " \t\r\n");

    return *start == '[' || *start == '{';
}

int env_file_load(const char *path, struct strings *env, struct error *err)
{
    struct buf text;
    int status = 0;
    int code;

    buf_init(&text, ENVIRONMENT_MAX);
    code = fs_read_file(path, ENVIRONMENT_MAX, &text);
    if (code)
        status =
            error_set_errno(err, CLASS_USAGE, "env-file-unreadable", -code, "reading the environment from %s", path);
    else if (is_json(&text))
        status = add_json(&text, path, env, err);
    else
        add_lines(&text, env);
    buf_wipe(&text);
    if (status == 0 && env->len == 0)
        status = invalid(err, path, "no variable is in it");
    return status;
}
