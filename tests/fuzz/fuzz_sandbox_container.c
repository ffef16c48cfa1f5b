/* What the agent says of the sandbox's container: it has stopped only where the document says so in so many words. */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "job/sandbox_container.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct container_end end = {.exit_code = -1};
    struct error err;

    if (sandbox_container_read((struct view){(const char *)data, size}, "sandbox", &end, &err)) {
        if (err.class != CLASS_SANDBOX_LOST || !err.message[0])
            abort();
        return 0;
    }
    if (end.exit_code < -1 || end.exit_code > 255 || !memmem(data, size, "Containers", 10))
        abort();
    return 0;
}
