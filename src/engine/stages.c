#include "engine/stages.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "core/mem.h"

/* The stage before `before` of that name or, where numbers are meant too, number; -1: none. */
static int find_stage(const struct dockerfile *dockerfile, struct view name, int before, bool numbers)
{
    int i;

    for (i = before - 1; i >= 0; i--) {
        const char *stage = dockerfile->stages[i].name;

        if (stage && strlen(stage) == name.len && strncasecmp(stage, name.data, name.len) == 0)
            return i;
    }
    if (!numbers || !name.len || name.len > 5)
        return -1;
    for (i = 0; i < (int)name.len; i++)
        if (!isdigit((unsigned char)name.data[i]))
            return -1;
    i = (int)strtol(name.data, NULL, 10);
    return i < before ? i : -1;
}

static int base_of(const struct dockerfile *dockerfile, int stage)
{
    const char *base = dockerfile->stages[stage].base;

    return base ? find_stage(dockerfile, view_of(base), stage, false) : -1;
}

bool stages_is_part(const struct dockerfile *dockerfile, int stage, int of)
{
    while (of > stage && of >= 0 && of < (int)dockerfile->stages_len)
        of = base_of(dockerfile, of);
    return stage >= 0 && of == stage;
}

/* Marks the stages that an instruction names by from=: COPY --from=x, RUN --mount=type=bind,from=x. */
static void mark_sources(const struct dockerfile *dockerfile, const struct dockerfile_instruction *instruction,
                         bool *needed)
{
    const char *at = instruction->text;

    while ((at = strstr(at, "from="))) {
        struct view name = {at + 5, strcspn(at + 5, ", \t\"")};
        bool option = at > instruction->text && strchr("-,", at[-1]);
        int stage = option ? find_stage(dockerfile, name, instruction->stage, true) : -1;

        if (stage >= 0)
            needed[stage] = true;
        at += 5;
    }
}

bool *stages_needed(const struct dockerfile *dockerfile, const char *target)
{
    bool *needed = xcalloc(dockerfile->stages_len + 1, sizeof *needed);
    int stage = target ? dockerfile_find_stage(dockerfile, target) : (int)dockerfile->stages_len - 1;
    size_t i = dockerfile->instructions_len;

    if (stage < 0)
        return needed;
    needed[stage] = true;
    /* Backwards: what a stage needs stands before it. */
    while (i-- > 0) {
        const struct dockerfile_instruction *instruction = &dockerfile->instructions[i];
        int base;

        if (instruction->stage < 0 || !needed[instruction->stage])
            continue;
        base = base_of(dockerfile, instruction->stage);
        if (base >= 0)
            needed[base] = true;
        mark_sources(dockerfile, instruction, needed);
    }
    return needed;
}
