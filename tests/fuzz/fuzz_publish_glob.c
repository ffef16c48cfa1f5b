/* A pattern of the spec (first line) over a path of the build (the rest). */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "core/buf.h"
#include "core/mem.h"
#include "publish/content_type.h"
#include "publish/glob.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const uint8_t *line = memchr(data, '\n', size);
    size_t first = line ? (size_t)(line - data) : size, base_len;
    CLEANUP_FREE char *pattern = xstrndup((const char *)data, first);
    CLEANUP_FREE char *path = xstrndup((const char *)data + first + (line != NULL), size - first - (line != NULL));
    struct glob glob;
    struct error err;

    if (strlen(path) <= 1024 && glob_init(&glob, pattern, &err) == 0) {
        glob_matches(&glob, path);
        glob_dispose(&glob);
    }
    if (content_encoding_of(path, &base_len) && base_len >= strlen(path))
        abort();
    return content_type_of(path) ? 0 : -1;
}
