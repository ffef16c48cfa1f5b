/*
 * Any bytes as a stored log. The first says as what (plain, gzip, zstd; whole or from a part on), the second in what
 * pieces they come. However it is packed, no more text comes than was allowed, and no line longer than a line may be.
 */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "report/log_line.h"
#include "report/log_reader.h"

#define TEXT_MAX (1 << 20)

static bool on_line(void *context, const struct log_line *line)
{
    int64_t *number = context;

    if (line->number != ++*number || !line->step || !line->type || !line->stream || line->clock_s >= 24 * 60 * 60 + 1)
        abort();
    if (line->text.len + line->whole.len > 2 * LOG_LINE_MAX + 4096)
        abort();
    return line->number < 100000;
}

static bool on_text(void *context, struct view line)
{
    if (line.len > LOG_LINE_MAX || memchr(line.data, '\n', line.len))
        abort();
    return log_lines_add(context, line);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    int64_t number = 0;
    struct log_lines lines = {.emit = on_line, .context = &number, .near_ms = 1767960000000};
    struct log_reader reader;
    struct error err;
    size_t piece, at;
    int status = 0;

    if (len < 2)
        return 0;
    piece = data[1] ? data[1] : len;
    log_reader_init(&reader, (enum log_encoding)(data[0] % 3), data[0] & 0x80, TEXT_MAX, on_text, &lines);
    for (at = 2; at < len && status == 0; at += piece)
        status =
            log_reader_feed(&reader, (struct view){(const char *)data + at, len - at < piece ? len - at : piece}, &err);
    if (status == 0)
        (void)log_reader_end(&reader, &err);
    if (status >= 0 && reader.text_bytes > TEXT_MAX)
        abort();
    log_reader_dispose(&reader);
    return 0;
}
