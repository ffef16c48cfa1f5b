#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "aws/sign.h"
#include "cache/cache.h"
#include "core/buf.h"
#include "core/mem.h"

#define COMPONENT_MAX 200
#define COMPONENT_KEPT 100

static bool stays(const char *text, size_t at)
{
    unsigned char c = (unsigned char)text[at];

    return c < 0x80 && (isalnum(c) || c == '_' || c == '-' || (c == '.' && at > 0));
}

char *cache_component(const char *text)
{
    struct buf out;
    char hex[SHA256_HEX_SIZE];
    size_t i, len = strlen(text);

    buf_init(&out, 3 * len + COMPONENT_MAX);
    for (i = 0; i < len; i++)
        if (stays(text, i))
            buf_addc(&out, text[i]);
        else
            buf_addf(&out, "~%02x", (unsigned)(unsigned char)text[i]);
    if (out.len <= COMPONENT_MAX && out.len > 0)
        return buf_take(&out);
    /* Two "~" in a row come from nothing else. */
    sha256_hex(text, len, hex);
    if (out.len) {
        out.len = COMPONENT_KEPT;
        out.data[COMPONENT_KEPT] = '\0';
    }
    buf_addf(&out, "~~%s", hex);
    return buf_take(&out);
}

void cache_result_dispose(struct cache_result *result)
{
    strings_dispose(&result->broken);
}
