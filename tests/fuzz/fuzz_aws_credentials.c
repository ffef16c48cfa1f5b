/* The container credential endpoint's answer. */
#include <stdint.h>
#include <stdlib.h>

#include "aws/credentials_parse.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct credentials credentials = {0};
    struct error err;

    if (credentials_parse_document((struct view){(const char *)data, size}, &credentials, &err) == 0) {
        if (!credentials_is_value(credentials.access_key, 256) || !credentials_is_value(credentials.secret_key, 256) ||
            (credentials.session_token && !credentials_is_value(credentials.session_token, 16384)))
            abort();
        credentials_dispose(&credentials);
    } else if (err.class != CLASS_CREDENTIALS) {
        abort();
    }
    return 0;
}
