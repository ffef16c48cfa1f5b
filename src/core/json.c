#include "core/json.h"

#include <malloc.h>
#include <stdlib.h>
#include <string.h>

#include "core/mem.h"
#include "core/utf8.h"

/* Replacing broken bytes may make the text three times as long, and no caller keeps texts anywhere near this. */
#define TEXT_MAX ((size_t)64 << 20)

json_t *json_parse(const char *text, size_t len, enum error_class class, const char *what, struct error *err)
{
    json_error_t where;
    json_t *json = json_loadb(text ? text : "", len, JSON_REJECT_DUPLICATES, &where);
    char *quote;

    if (json)
        return json;
    /* jansson quotes the text where it stopped; documents with credentials come through here. */
    quote = strstr(where.text, " near ");
    if (quote)
        *quote = '\0';
    error_set(err, class, "bad-json", "%s: not valid JSON: line %d, column %d: %s", what, where.line, where.column,
              where.text);
    return NULL;
}

const char *json_text(const json_t *object, const char *key, const char *missing)
{
    const char *text = json_string_value(json_object_get(object, key));

    return text ? text : missing;
}

int64_t json_int(const json_t *object, const char *key, int64_t missing)
{
    const json_t *value = json_object_get(object, key);

    return json_is_integer(value) ? (int64_t)json_integer_value(value) : missing;
}

bool json_flag(const json_t *object, const char *key, bool missing)
{
    const json_t *value = json_object_get(object, key);

    return json_is_boolean(value) ? json_is_true(value) : missing;
}

json_t *json_of_strings(const struct strings *list)
{
    json_t *array = json_array();
    size_t i;

    for (i = 0; i < list->len; i++)
        json_array_append_new(array, json_string(list->items[i]));
    return array;
}

void json_put_text(json_t *object, const char *key, const char *text)
{
    struct buf repaired;

    if (!text)
        return;
    if (utf8_is_valid(view_of(text))) {
        json_object_set_new(object, key, json_string(text));
        return;
    }
    buf_init(&repaired, TEXT_MAX);
    utf8_repair(view_of(text), &repaired);
    json_object_set_new(object, key, json_string(buf_text(&repaired)));
    buf_dispose(&repaired);
}

static void add_escape(struct buf *out, unsigned char c)
{
    static const char letters[] = "\b\f\n\r\t\"\\", names[] = "bfnrt\"\\";
    const char *letter = c ? strchr(letters, c) : NULL;

    if (letter) {
        buf_addc(out, '\\');
        buf_addc(out, names[letter - letters]);
    } else {
        buf_addf(out, "\\u%04X", c);
    }
}

void json_add_string(struct buf *out, struct view text)
{
    size_t start = 0, i;

    buf_addc(out, '"');
    for (i = 0; i < text.len; i++) {
        unsigned char c = (unsigned char)text.data[i];

        if (c >= ' ' && c != '"' && c != '\\')
            continue;
        buf_add(out, text.data + start, i - start);
        add_escape(out, c);
        start = i + 1;
    }
    buf_add(out, text.data + start, i - start);
    buf_addc(out, '"');
}

static void wiping_free(void *memory)
{
    if (memory)
        wipe(memory, malloc_usable_size(memory));
    free(memory);
}

void json_wipe_memory(void)
{
    json_set_alloc_funcs(malloc, wiping_free);
}

void cleanup_json(json_t **json)
{
    json_decref(*json);
}
