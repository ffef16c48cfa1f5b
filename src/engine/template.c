#include "engine/template.h"

#include <string.h>

#include "core/mem.h"
#include "engine/context.h"

int build_template_find(const char *name, struct view *text)
{
    const struct build_template *template;

    for (template = build_template_table; template->name; template ++) {
        if (strcmp(template->name, name) == 0) {
            *text = (struct view){(const char *)template->text, template->len};
            return 0;
        }
    }
    return -1;
}

void build_templates(struct strings *names)
{
    const struct build_template *template;

    for (template = build_template_table; template->name; template ++)
        strings_add(names, template->name);
}
