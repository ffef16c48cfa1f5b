#include "engine/dockerfile.h"

#include <string.h>

#include "core/json.h"
#include "core/mem.h"

json_t *dockerfile_to_json(const struct dockerfile *dockerfile)
{
    json_t *instructions = json_array(), *stages = json_array();
    size_t i;

    for (i = 0; i < dockerfile->instructions_len; i++) {
        const struct dockerfile_instruction *from = &dockerfile->instructions[i];
        json_t *json = json_object();

        json_put_text(json, "keyword", from->keyword);
        json_put_text(json, "text", from->text);
        json_object_set_new(json, "line", json_integer(from->line));
        json_object_set_new(json, "stage", json_integer(from->stage));
        json_array_append_new(instructions, json);
    }
    for (i = 0; i < dockerfile->stages_len; i++) {
        const struct dockerfile_stage *from = &dockerfile->stages[i];
        json_t *json = json_object();

        json_put_text(json, "name", from->name);
        json_put_text(json, "base", from->base);
        json_object_set_new(json, "line", json_integer(from->line));
        json_array_append_new(stages, json);
    }
    return json_pack("{s:o, s:o}", "instructions", instructions, "stages", stages);
}

static bool read_line(const json_t *json, int *line)
{
    int64_t value = json_int(json, "line", 0);

    *line = (int)value;
    return value >= 1 && value <= (int64_t)DOCKERFILE_MAX;
}

static bool read_stage(const json_t *json, struct dockerfile_stage *stage)
{
    const char *base = json_text(json, "base", "");

    *stage = (struct dockerfile_stage){.name = xstrdup(json_text(json, "name", NULL)), .base = xstrdup(base)};
    return read_line(json, &stage->line) && *base;
}

static bool read_instruction(const json_t *json, size_t stages, struct dockerfile_instruction *instruction)
{
    const char *keyword = json_text(json, "keyword", "");
    const char *text = json_text(json, "text", "");
    int64_t stage = json_int(json, "stage", -2);
    size_t len = strlen(keyword);

    *instruction = (struct dockerfile_instruction){.text = xstrdup(text), .stage = (int)stage};
    if (!len || len > DOCKERFILE_KEYWORD_MAX || strspn(keyword, "ABCDEFGHIJKLMNOPQRSTUVWXYZ") != len)
        return false;
    memcpy(instruction->keyword, keyword, len + 1);
    return read_line(json, &instruction->line) && strlen(text) <= DOCKERFILE_TEXT_MAX &&
           strncmp(text, keyword, len) == 0 && stage >= -1 && stage < (int64_t)stages;
}

int dockerfile_from_json(struct dockerfile *dockerfile, const json_t *json, struct error *err)
{
    const json_t *instructions = json_object_get(json, "instructions"), *stages = json_object_get(json, "stages");
    size_t i, stages_len = json_array_size(stages), instructions_len = json_array_size(instructions);
    bool good = stages_len > 0;

    *dockerfile = (struct dockerfile){.stages = NULL};
    dockerfile->stages = xcalloc(stages_len + 1, sizeof *dockerfile->stages);
    dockerfile->instructions = xcalloc(instructions_len + 1, sizeof *dockerfile->instructions);
    for (i = 0; good && i < stages_len; i++)
        good = read_stage(json_array_get(stages, i), &dockerfile->stages[dockerfile->stages_len++]);
    for (i = 0; good && i < instructions_len; i++)
        good = read_instruction(json_array_get(instructions, i), stages_len,
                                &dockerfile->instructions[dockerfile->instructions_len++]);
    if (good)
        return 0;
    dockerfile_dispose(dockerfile);
    return error_set(err, CLASS_INTERNAL, "bad-answer", "the answer describes no Dockerfile");
}
