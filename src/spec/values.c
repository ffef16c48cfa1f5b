#include "spec/values.h"

#include "core/clock.h"
#include "core/mem.h"
#include "spec/table.h"

char *value_text(const json_t *object, const char *key)
{
    return xstrdup(json_string_value(json_object_get(object, key)));
}

int64_t value_duration_ms(const json_t *object, const char *key)
{
    const char *text = json_string_value(json_object_get(object, key));
    int64_t ms = 0;

    return text && duration_parse(text, &ms) == 0 ? ms : 0;
}

int64_t value_bytes(const json_t *object, const char *key)
{
    const char *text = json_string_value(json_object_get(object, key));
    int64_t bytes = 0;

    return text && size_parse(text, &bytes) == 0 ? bytes : 0;
}

struct limit value_limit(const json_t *object, const char *key)
{
    const char *text = json_string_value(json_object_get(object, key));
    struct limit limit = {0};

    if (text && limit_parse(text, &limit.bytes, &limit.percent))
        limit = (struct limit){0};
    return limit;
}

void value_list(struct strings *list, const json_t *array)
{
    size_t i;

    for (i = 0; i < json_array_size(array); i++)
        strings_add(list, json_string_value(json_array_get(array, i)));
}

void value_pairs(struct spec_pairs *pairs, const json_t *object)
{
    const char *name;
    json_t *value;

    pairs->items = xcalloc(json_object_size(object) + 1, sizeof *pairs->items);
    json_object_foreach((json_t *)object, name, value) pairs->items[pairs->len++] =
        (struct spec_pair){xstrdup(name), xstrdup(json_string_value(value))};
}

struct value_source value_source_of(const json_t *value, struct position at)
{
    const struct value_kind *kind;

    if (json_is_string(value))
        return (struct value_source){VALUE_TEXT, xstrdup(json_string_value(value)), at};
    for (kind = value_kinds; kind->name; kind++)
        if (json_object_get(value, kind->name))
            return (struct value_source){kind->kind, value_text(value, kind->name), at};
    return (struct value_source){VALUE_NONE, NULL, at};
}
