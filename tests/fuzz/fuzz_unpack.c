/*
 * The first byte chooses the format, the second the size of the pieces; the rest is the file. Whatever it holds, no more
 * may come out than the budget allows, and in pieces it unpacks as it does whole, as far as it is right.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "core/mem.h"
#include "publish/unpack.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define BUDGET ((int64_t)1 << 20)

struct sum {
    unsigned char room[UNPACK_ROOM];
    uint64_t hash;
    int64_t bytes;
};

static unsigned char *place(void *context)
{
    struct sum *sum = context;

    return sum->room;
}

static bool take(void *context, size_t len)
{
    struct sum *sum = context;
    size_t i;

    if (len > sizeof sum->room)
        abort();
    for (i = 0; i < len; i++)
        sum->hash = (sum->hash ^ sum->room[i]) * UINT64_C(1099511628211);
    sum->bytes += (int64_t)len;
    return false;
}

static enum unpack_status run(struct sum *sum, enum unpack_format format, struct view file, size_t piece)
{
    const struct unpack_consumer consumer = {place, take, sum};
    enum unpack_status status = UNPACK_MORE;
    int64_t budget = BUDGET;
    struct unpack *unpack = unpack_new(format, &consumer, &budget);

    sum->hash = 0;
    sum->bytes = 0;
    while (file.len && (status == UNPACK_MORE || status == UNPACK_ENDED)) {
        size_t len = file.len < piece ? file.len : piece;

        status = unpack_feed(unpack, (struct view){file.data, len});
        file.data += len;
        file.len -= len;
    }
    unpack_free(unpack);
    if (sum->bytes > BUDGET)
        abort();
    return status;
}

static bool is_right(enum unpack_status status)
{
    return status == UNPACK_MORE || status == UNPACK_ENDED;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct sum whole, pieces;
    struct view file;
    enum unpack_format format;
    enum unpack_status status, in_pieces;

    if (size < 2)
        return 0;
    format = (enum unpack_format)(UNPACK_GZIP + data[0] % 3);
    file = (struct view){(const char *)data + 2, size - 2};
    status = run(&whole, format, file, SIZE_MAX);
    in_pieces = run(&pieces, format, file, 1U + data[1]);
    /* What is wrong in two ways may show either: in pieces more comes out before the damage is met. */
    if (is_right(in_pieces) != is_right(status))
        abort();
    if (is_right(status) && (status != in_pieces || whole.hash != pieces.hash || whole.bytes != pieces.bytes))
        abort();
    unpack_format_of("x.js", file);
    return 0;
}
