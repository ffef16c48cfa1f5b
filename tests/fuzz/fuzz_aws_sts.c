/* What STS answers: another role's credentials, and error documents. */
#include <stdlib.h>
#include <string.h>

#include "aws/credentials_parse.h"
#include "aws/json_call.h"
#include "aws/sts.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_words(const char *text, size_t max)
{
    if (strlen(text) >= max)
        abort();
    for (; *text; text++)
        if ((unsigned char)*text < 0x20 || *text == 0x7f)
            abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct view body = {(const char *)data, size};
    struct credentials found = {0};
    struct json_failure failure;
    struct error err = {0};

    if (sts_answer_parse(body, &found, &err) == 0) {
        if (!credentials_is_value(found.access_key, 256) || !credentials_is_value(found.secret_key, 256) ||
            !credentials_is_value(found.session_token, 16384))
            abort();
    } else if (found.access_key || found.secret_key || found.session_token || err.class != CLASS_PLATFORM) {
        abort();
    }
    credentials_dispose(&found);
    query_failure_parse(body, &failure);
    check_words(failure.code, sizeof failure.code);
    check_words(failure.message, sizeof failure.message);
    check_words(failure.request_id, sizeof failure.request_id);
    return 0;
}
