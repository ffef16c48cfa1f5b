#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "core/json.h"
#include "core/mem.h"
#include "detect/detect.h"

static const struct {
    const char *name;
    size_t offset;
} fields[] = {
    {"package_manager", offsetof(struct detection, package_manager)},
    {"package_manager_version", offsetof(struct detection, package_manager_version)},
    {"node", offsetof(struct detection, node)},
    {"node_major", offsetof(struct detection, node_major)},
    {"framework", offsetof(struct detection, framework)},
    {"install", offsetof(struct detection, install)},
    {"build", offsetof(struct detection, build)},
    {"output", offsetof(struct detection, output)},
};

static struct conclusion *field_of(struct detection *detection, size_t index)
{
    return (struct conclusion *)(void *)((char *)detection + fields[index].offset);
}

static const struct conclusion *const_field_of(const struct detection *detection, size_t index)
{
    return (const struct conclusion *)(const void *)((const char *)detection + fields[index].offset);
}

void detection_dispose(struct detection *detection)
{
    size_t i;

    for (i = 0; i < ARRAY_LEN(fields); i++) {
        free(field_of(detection, i)->value);
        free(field_of(detection, i)->from);
    }
    strings_dispose(&detection->warnings);
    *detection = (struct detection){.warnings = {0}};
}

json_t *detection_to_json(const struct detection *detection)
{
    json_t *json = json_object();
    json_t *warnings = json_array();
    const struct conclusion *conclusion;
    json_t *item;
    size_t i;

    for (i = 0; i < ARRAY_LEN(fields); i++) {
        conclusion = const_field_of(detection, i);
        if (!conclusion->value && !conclusion->from)
            continue;
        item = json_object();
        if (conclusion->value)
            json_put_text(item, "value", conclusion->value);
        else
            json_object_set_new(item, "value", json_null());
        json_put_text(item, "from", conclusion->from);
        json_object_set_new(json, fields[i].name, item);
    }
    for (i = 0; i < detection->warnings.len; i++) {
        item = json_object();
        json_put_text(item, "text", detection->warnings.items[i]);
        json_array_append(warnings, json_object_get(item, "text"));
        json_decref(item);
    }
    json_object_set_new(json, "warnings", warnings);
    return json;
}

int detection_from_json(struct detection *detection, const json_t *json, struct error *err)
{
    const json_t *warnings = json_object_get(json, "warnings");
    const json_t *item;
    size_t i;

    *detection = (struct detection){.warnings = {0}};
    if (!json_is_object(json) || (warnings && !json_is_array(warnings)))
        return error_set(err, CLASS_INTERNAL, "bad-detection", "the detection's answer is not one");
    for (i = 0; i < ARRAY_LEN(fields); i++) {
        item = json_object_get(json, fields[i].name);
        field_of(detection, i)->value = xstrdup(json_text(item, "value", NULL));
        field_of(detection, i)->from = xstrdup(json_text(item, "from", NULL));
    }
    for (i = 0; i < json_array_size(warnings); i++)
        if (json_is_string(json_array_get(warnings, i)))
            strings_add(&detection->warnings, json_string_value(json_array_get(warnings, i)));
    return 0;
}
