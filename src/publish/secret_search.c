#include "publish/secret_search.h"

#include <stdlib.h>
#include <string.h>

#include "core/mem.h"

void secret_search_init(struct secret_search *search, const struct redactor *secrets, size_t room)
{
    size_t longest = redactor_longest(secrets);

    *search = (struct secret_search){.secrets = secrets, .overlap = longest ? longest - 1 : 0};
    search->window = xmalloc(search->overlap + room);
}

void secret_search_dispose(struct secret_search *search)
{
    free(search->window);
}

void secret_search_restart(struct secret_search *search)
{
    search->kept = 0;
}

unsigned char *secret_search_place(const struct secret_search *search)
{
    return search->window + search->kept;
}

const char *secret_search_look(struct secret_search *search, size_t len)
{
    size_t size = search->kept + len;
    size_t keep = size < search->overlap ? size : search->overlap;
    const char *name;

    if (search->overlap == 0)
        return NULL;
    name = redact_find(search->secrets, (struct view){(const char *)search->window, size});
    memmove(search->window, search->window + size - keep, keep);
    search->kept = keep;
    return name;
}
