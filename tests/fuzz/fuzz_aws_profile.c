/* A shared credentials file. */
#include <stdint.h>
#include <stdlib.h>

#include "aws/credentials_parse.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char *const profiles[] = {"default", "dev", ""};
    struct view text = {(const char *)data, size};
    struct credentials credentials = {0};
    struct error err;
    size_t i;

    for (i = 0; i < 3; i++) {
        if (credentials_parse_profile(text, "file", profiles[i], &credentials, &err))
            continue;
        if (!credentials_is_value(credentials.access_key, 256) || !credentials_is_value(credentials.secret_key, 256))
            abort();
        credentials_dispose(&credentials);
    }
    return 0;
}
