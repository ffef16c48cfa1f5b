/* A stranger's Dockerfile: what is parsed keeps its promises, and comes through a worker's answer unchanged. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "core/json.h"
#include "core/utf8.h"
#include "engine/dockerfile.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(const struct dockerfile *dockerfile)
{
    int line = 0;
    size_t i;

    if (!dockerfile->stages_len)
        abort();
    for (i = 0; i < dockerfile->instructions_len; i++) {
        const struct dockerfile_instruction *instruction = &dockerfile->instructions[i];

        if (instruction->line <= line || strlen(instruction->text) > DOCKERFILE_TEXT_MAX ||
            !utf8_is_valid(view_of(instruction->text)) || instruction->stage >= (int)dockerfile->stages_len)
            abort();
        line = instruction->line;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct dockerfile dockerfile, again;
    struct error err;
    json_t *json;

    if (dockerfile_parse((struct view){(const char *)data, size}, &dockerfile, &err))
        return 0;
    check(&dockerfile);
    json = dockerfile_to_json(&dockerfile);
    if (dockerfile_from_json(&again, json, &err))
        abort();
    if (again.instructions_len != dockerfile.instructions_len || again.stages_len != dockerfile.stages_len)
        abort();
    json_decref(json);
    dockerfile_dispose(&again);
    dockerfile_dispose(&dockerfile);
    return 0;
}
