/* What EventBridge and CloudWatch Logs answer to several messages at once: how many of them are there. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "report/sink_aws.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(size_t (*read)(size_t len, struct view answer, struct error *err), size_t len, struct view answer)
{
    struct error err = {0};
    const char *at;
    size_t taken = read(len, answer, &err);

    if (taken > len || (taken < len) != (err.reason[0] != '\0') || strlen(err.message) >= sizeof err.message)
        abort();
    for (at = err.message; *at; at++)
        if (((unsigned char)*at < 0x20 && *at != '\t') || *at == 0x7f)
            abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    /* the first byte chooses how many were sent */
    size_t len = size ? 1 + data[0] % 32 : 1;
    struct view answer = {size ? (const char *)data + 1 : "", size ? size - 1 : 0};

    check(put_events_read, len, answer);
    check(put_log_events_read, len, answer);
    return 0;
}
