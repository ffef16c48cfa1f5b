/* The text scan of a stranger's configuration file: it must end, and what it finds must be bytes of the text. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "detect/literal.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char *const keys[] = {"output", "root", "build.outDir", "dir.output"};
    struct view text = {(const char *)data, size};
    struct buf value;
    size_t i;

    for (i = 0; i < sizeof keys / sizeof *keys; i++) {
        buf_init(&value, 1024);
        if (literal_find(text, keys[i], &value) == LITERAL_FOUND && value.len > 0 &&
            !memmem(data, size, buf_text(&value), value.len))
            abort();
        buf_dispose(&value);
    }
    return 0;
}
