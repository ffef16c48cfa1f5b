/* Header rules: pattern, value and path, each up to a NUL. Whatever passes makes one line of a header, and no more. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "core/mem.h"
#include "publish/header_rules.h"

static char *take_text(const uint8_t **data, size_t *size)
{
    const uint8_t *end = memchr(*data, '\0', *size);
    size_t len = end ? (size_t)(end - *data) : *size;
    char *line = xstrndup((const char *)*data, len);

    *data += len + (end != NULL);
    *size -= len + (end != NULL);
    return line;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    CLEANUP_FREE char *match = take_text(&data, &size), *value = take_text(&data, &size);
    CLEANUP_FREE char *path = take_text(&data, &size);
    struct publish_header_rule rule = {
        .match = match, .cache_control = value, .content_type = value, .content_disposition = value};
    struct header_rules *rules;
    struct strings headers = {0};
    struct error err;
    char meta[META_SIZE];
    bool page;
    size_t i;

    if (strlen(path) > 1024 || header_rules_new(&rules, &rule, 1, &err))
        return 0;
    header_rules_apply(rules, path, NULL, &headers);
    header_rules_summary(&headers, meta, &page);
    for (i = 0; i < headers.len; i++)
        if (strpbrk(headers.items[i], "\r\n") || !strstr(headers.items[i], ": "))
            abort();
    strings_dispose(&headers);
    header_rules_free(rules);
    return 0;
}
