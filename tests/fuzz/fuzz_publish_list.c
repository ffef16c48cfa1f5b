/* A list of objects as a server that nobody trusts may answer it. */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "publish/target_s3.h"

static void on_found(void *context, const char *key, const char *etag, int64_t size)
{
    size_t *count = context;

    (void)size;
    if (strlen(key) > 1100 + strlen("p/") || (etag && (strlen(etag) >= 260 || (etag[0] != '"' && strlen(etag) < 257))))
        abort();
    ++*count;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    size_t count = 0;
    struct s3_entries entries = {"p/", on_found, &count};

    s3_entries_read((struct view){(const char *)data, size}, &entries);
    /* An entry takes at least its two tags. */
    if (count > size / strlen("<Contents></Contents>"))
        abort();
    return 0;
}
