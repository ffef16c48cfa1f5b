/* What the services that keep secrets answer: values, keys of values, error documents, names. */
#include <stdlib.h>
#include <string.h>

#include "aws/secrets_manager.h"
#include "aws/ssm.h"
#include "core/mem.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_text(const char *text, size_t max)
{
    if (strlen(text) >= max)
        abort();
    for (; *text; text++)
        if ((unsigned char)*text < 0x20 || *text == 0x7f)
            abort();
}

static void parse_value(int (*parse)(struct view, char **, struct error *), struct view answer)
{
    char *value = NULL, *picked = NULL;
    struct error err;

    if (parse(answer, &value, &err)) {
        if (value || err.class != CLASS_SECRET_UNAVAILABLE || err.retryable)
            abort();
        return;
    }
    if (secret_pick(value, "key", &picked, &err) == 0)
        wipe_free(picked);
    else if (picked)
        abort();
    wipe_free(value);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct view answer = {(const char *)data, size};
    struct secret_reference reference;
    struct http_response response;
    struct json_failure failure;
    struct error err;
    char *text;

    parse_value(ssm_answer_parse, answer);
    parse_value(secret_answer_parse, answer);
    text = xstrndup(answer.data ? answer.data : "", size);
    if (secret_reference_parse(text, &reference, &err) == 0 && (!reference.id || !*reference.id))
        abort();
    secret_reference_dispose(&reference);
    http_response_init(&response);
    buf_init(&response.body, size + 1);
    buf_add(&response.body, data, size);
    strings_addf(&response.headers, "x-amzn-errortype: %.*s", (int)strcspn(text, "\r\n"), text);
    json_failure_parse(&response, &failure);
    check_text(failure.code, sizeof failure.code);
    check_text(failure.message, sizeof failure.message);
    check_text(failure.request_id, sizeof failure.request_id);
    http_response_dispose(&response);
    free(text);
    return 0;
}
