/* Error documents of registries: what of them stands in messages. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "core/utf8.h"
#include "oci/registry_internal.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct registry_failure failure;
    const char *at;

    registry_failure_parse((struct view){(const char *)data, size}, &failure);
    if (strnlen(failure.code, sizeof failure.code) == sizeof failure.code ||
        strnlen(failure.message, sizeof failure.message) == sizeof failure.message)
        abort();
    for (at = failure.message; *at; at++)
        if ((unsigned char)*at < 0x20 || *at == 0x7f)
            abort();
    if (!utf8_is_valid(view_of(failure.message)) || !utf8_is_valid(view_of(failure.code)))
        abort();
    return 0;
}
