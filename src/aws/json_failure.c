/* The error documents of AWS JSON and of AWS query. */
#include <stdio.h>
#include <string.h>

#include "aws/json_call.h"
#include "aws/xml.h"
#include "core/json.h"

/* What another side says is shown to people: printable characters only, cut at a character's beginning. */
static void take(char *out, size_t size, const char *text)
{
    size_t len = 0;

    for (; text && *text && len + 1 < size; text++)
        out[len++] = (unsigned char)*text < 0x20 || *text == 0x7f ? ' ' : *text;
    while (text && *text && len && ((unsigned char)out[len - 1] & 0x80))
        len--;
    out[len] = '\0';
}

/* "com.amazonaws.ssm#ParameterNotFound", "ParameterNotFound:http://internal.amazon.com/…" */
static void take_code(struct json_failure *failure, const char *text)
{
    static const char allowed[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_.";
    const char *hash = text ? strchr(text, '#') : NULL;
    const char *colon = text ? strchr(text, ':') : NULL;
    size_t len;

    if (!text)
        return;
    if (hash && (!colon || hash < colon))
        text = hash + 1;
    len = strspn(text, allowed);
    if (text[len] == '\0' || text[len] == ':')
        snprintf(failure->code, sizeof failure->code, "%.*s", (int)len, text);
}

void json_failure_parse(const struct http_response *response, struct json_failure *failure)
{
    CLEANUP_JSON json_t *document = NULL;
    const char *text = buf_text(&response->body);

    *failure = (struct json_failure){0};
    take(failure->request_id, sizeof failure->request_id, http_response_header(response, "x-amzn-requestid"));
    document = json_parse(text, response->body.len, CLASS_PLATFORM, "", NULL);
    take_code(failure, http_response_header(response, "x-amzn-errortype"));
    if (!*failure->code)
        take_code(failure, json_text(document, "__type", json_text(document, "code", NULL)));
    take(failure->message, sizeof failure->message,
         json_text(document, "message", json_text(document, "Message", NULL)));
}

/* <ErrorResponse><Error><Code>…</Code><Message>…</Message></Error><RequestId>…</RequestId></ErrorResponse> */
void query_failure_parse(struct view body, struct json_failure *failure)
{
    char code[sizeof failure->code];

    *failure = (struct json_failure){0};
    xml_words(body, "Code", code, sizeof code);
    take_code(failure, code);
    xml_words(body, "Message", failure->message, sizeof failure->message);
    xml_words(body, "RequestId", failure->request_id, sizeof failure->request_id);
}
