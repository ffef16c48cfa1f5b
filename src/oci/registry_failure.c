/* What a registry says when it refuses, and what that means. */
#include <ctype.h>
#include <string.h>

#include "core/clock.h"
#include "core/json.h"
#include "core/utf8.h"
#include "oci/registry_internal.h"

#define LINE_MAX_BYTES ((size_t)4096)

/* What another side says is shown to people: printable characters only, cut at a character's beginning. */
static void take(char *out, size_t size, const char *text)
{
    size_t len = 0;

    for (; *text && len + 1 < size; text++)
        out[len++] = (unsigned char)*text < 0x20 || *text == 0x7f ? ' ' : *text;
    if (*text)
        while (len && ((unsigned char)out[len - 1] & 0x80))
            len--;
    out[len] = '\0';
}

static void take_code(char *out, size_t size, const char *text)
{
    size_t len = strspn(text, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-.");

    if (text[len] == '\0' && len < size)
        memcpy(out, text, len + 1);
}

/* A line of text, as ECR's of a password that has run out; pages are for browsers. */
static void take_line(struct registry_failure *failure, struct view body)
{
    struct buf text;

    buf_init(&text, LINE_MAX_BYTES);
    if (body.len > LINE_MAX_BYTES / 3)
        body.len = LINE_MAX_BYTES / 3; /* a broken byte becomes three */
    utf8_repair(body, &text);
    if (text.data)
        text.data[strcspn(text.data, "\r\n")] = '\0';
    take(failure->message, sizeof failure->message, buf_text(&text));
    buf_dispose(&text);
}

void registry_failure_parse(struct view body, struct registry_failure *failure)
{
    CLEANUP_JSON json_t *document = json_parse(body.data, body.len, CLASS_PUSH_FAILED, "", NULL);
    const json_t *first = json_array_get(json_object_get(document, "errors"), 0);
    const char *message;

    *failure = (struct registry_failure){0};
    if (!document && body.len && isalpha((unsigned char)*body.data)) {
        take_line(failure, body);
        return;
    }
    if (!json_is_object(first))
        first = document; /* token servers and gateways have forms of their own */
    take_code(failure->code, sizeof failure->code, json_text(first, "code", json_text(first, "error", "")));
    message = json_text(first, "message", json_text(first, "error_description", json_text(first, "details", "")));
    if (!*message)
        message = json_text(first, "detail", "");
    take(failure->message, sizeof failure->message, message);
}

struct meaning {
    const char *reason;
    const char *hint; /* NULL: none */
    bool retryable;
};

static struct meaning meaning_of(const struct registry_call *call)
{
    long status = call->response.status;
    const char *code = call->failure.code;

    if (status == 401)
        return (struct meaning){"registry-unauthorized",
                                "check user and password (image.auth of the spec, --username and --password-file)",
                                false};
    if (status == 403)
        return (struct meaning){"registry-denied", "let the user or the role push to this repository", false};
    if (status == 413 || strcmp(code, "SIZE_INVALID") == 0)
        return (struct meaning){"too-large", NULL, false};
    if (status == 429)
        return (struct meaning){"rate-limited", NULL, true};
    if (strcmp(code, "NAME_UNKNOWN") == 0 || (status == 404 && strcmp(call->method, "POST") == 0))
        return (struct meaning){"repository-missing", "create the repository first; at ECR `image.create` does it",
                                false};
    if (strcmp(code, "DIGEST_INVALID") == 0)
        return (struct meaning){"digest-refused", NULL, false};
    if (strncmp(code, "MANIFEST", 8) == 0)
        return (struct meaning){"manifest-refused", NULL, false};
    /* An upload that it has forgotten is begun anew. */
    if (strcmp(code, "BLOB_UPLOAD_UNKNOWN") == 0 || strcmp(code, "BLOB_UPLOAD_INVALID") == 0 || status == 416)
        return (struct meaning){"registry-error", NULL, true};
    return (struct meaning){"registry-error", NULL, status == 408 || (status >= 500 && status != 501)};
}

int registry_refusal(const struct registry *registry, const struct registry_call *call, struct error *err)
{
    const struct registry_failure *failure = &call->failure;
    struct meaning meaning = meaning_of(call);

    error_set(err, CLASS_PUSH_FAILED, meaning.reason, "%s of %s: the registry answers %ld%s%s%s%s", call->what,
              registry->shown, call->response.status, *failure->code ? " " : "", failure->code,
              *failure->message ? ": " : "", failure->message);
    if (meaning.hint)
        error_hint(err, "%s", meaning.hint);
    if (meaning.retryable)
        error_retryable(err, http_response_retry_after(&call->response));
    return -1;
}
