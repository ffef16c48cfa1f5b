/* What a worker says to its parent, in pieces of a size that the first byte names. */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "proc/worker_reader.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void on_log(void *context, enum worker_level level, const char *text)
{
    *(size_t *)context += strlen(text) + (size_t)level;
}

static void on_text(void *context, const char *text)
{
    *(size_t *)context += strlen(text);
}

static void on_mark(void *context, const json_t *message)
{
    *(size_t *)context += json_object_size(message);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    size_t seen = 0, at, piece = size ? (size_t)data[0] + 1 : 1;
    const struct worker_sink sink = {on_log, on_text, on_mark, &seen};
    struct worker_reader reader;
    int failed = 0;

    worker_reader_init(&reader, "fuzz", &sink);
    for (at = 1; at < size; at += piece) {
        size_t len = size - at < piece ? size - at : piece;
        int result = worker_reader_feed(&reader, (const char *)data + at, len);

        /* Nonsense is for ever. */
        if (failed && result == 0)
            abort();
        failed = result != 0;
    }
    if (worker_reader_finish(&reader)) {
        if (failed || (reader.value != NULL) == reader.has_error)
            abort();
        if (reader.has_error && (reader.error.class == CLASS_SUCCEEDED || !reader.error.reason[0]))
            abort();
    }
    worker_reader_dispose(&reader);
    return 0;
}
