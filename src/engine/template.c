#include "engine/template.h"

#include <string.h>

#include "core/mem.h"
#include "engine/context.h"

int build_template_find(const char *name, struct view *text)
{
    const struct build_template *row;

    for (row = build_template_table; row->name; row++) {
        if (strcmp(row->name, name) == 0) {
            *text = (struct view){(const char *)row->text, row->len};
            return 0;
        }
    }
    return -1;
}

void build_templates(struct strings *names)
{
    const struct build_template *row;

    for (row = build_template_table; row->name; row++)
        strings_add(names, row->name);
}
