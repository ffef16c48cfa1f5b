/* Any bytes as a request to cancel, from a place of the job's own and from a channel: who and why are one line each, and no longer than a line may be. */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "core/utf8.h"
#include "job/control.h"

static void check(char *text, size_t max)
{
    const unsigned char *c;

    if (text && (*text == '\0' || strlen(text) > max || !utf8_is_valid(view_of(text))))
        abort();
    for (c = (const unsigned char *)text; c && *c; c++)
        if (*c < 0x20 || *c == 0x7f)
            abort();
    free(text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    struct error err = {0};
    char *by, *reason;
    bool ours;

    if (control_read((struct view){(const char *)data, len}, &by, &reason, &err) && (by || reason || !err.message[0]))
        abort();
    check(by, 128);
    check(reason, 512);
    err = (struct error){0};
    if (control_read_message((struct view){(const char *)data, len}, "deploymentId", "d1", &ours, &by, &reason, &err) &&
        (by || reason || !err.message[0]))
        abort();
    if (!ours && (by || reason))
        abort();
    check(by, 128);
    check(reason, 512);
    return 0;
}
