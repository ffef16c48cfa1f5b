#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "core/clock.h"
#include "core/mem.h"
#include "net/http_internal.h"

#define LONGEST_RETRY_AFTER_MS 600000

void http_request_init(struct http_request *request, const char *method, const char *url)
{
    *request = (struct http_request){.method = method, .url = url, .body_fd = -1};
}

void http_request_header(struct http_request *request, const char *name, const char *value)
{
    strings_addf(&request->headers, "%s: %s", name, value);
}

void http_request_dispose(struct http_request *request)
{
    strings_wipe(&request->headers);
}

void http_response_init(struct http_response *response)
{
    *response = (struct http_response){0};
    buf_init(&response->body, 0);
}

void http_response_dispose(struct http_response *response)
{
    strings_dispose(&response->headers);
    buf_dispose(&response->body);
    http_response_init(response);
}

void http_response_reset(struct http_response *response, size_t max_body)
{
    strings_dispose(&response->headers);
    buf_reset(&response->body);
    response->body.max = max_body;
    response->status = 0;
    response->date_ms = 0;
    response->duration_ms = 0;
    response->peer[0] = '\0';
}

static bool is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

void http_response_add_header(struct http_response *response, struct view line)
{
    const char *colon = memchr(line.data, ':', line.len);
    const char *value, *end = line.data + line.len;
    size_t i, name_len;
    char *text;

    if (!colon || colon == line.data || memchr(line.data, '\0', line.len))
        return;
    name_len = (size_t)(colon - line.data);
    value = colon + 1;
    while (value < end && is_blank(*value))
        value++;
    while (end > value && is_blank(end[-1]))
        end--;
    text = xasprintf("%.*s: %.*s", (int)name_len, line.data, (int)(end - value), value);
    for (i = 0; i < name_len; i++)
        text[i] = (char)tolower((unsigned char)text[i]);
    strings_take(&response->headers, text);
    if (strncmp(text, "date: ", 6) == 0 && clock_parse_http(text + 6, &response->date_ms))
        response->date_ms = 0;
}

const char *http_response_header(const struct http_response *response, const char *name)
{
    size_t len = strlen(name);
    size_t i;

    for (i = 0; i < response->headers.len; i++)
        if (strncmp(response->headers.items[i], name, len) == 0 && response->headers.items[i][len] == ':')
            return response->headers.items[i] + len + 2;
    return NULL;
}

/* Seconds in digits alone, in ms; a number that no clock knows is the longest wait. */
static int64_t parse_seconds(const char *text)
{
    int64_t seconds = 0;

    for (; isdigit((unsigned char)*text); text++)
        if (seconds <= LONGEST_RETRY_AFTER_MS / 1000)
            seconds = 10 * seconds + (*text - '0');
    return *text ? 0 : seconds * 1000;
}

long http_response_retry_after(const struct http_response *response)
{
    const char *value = http_response_header(response, "retry-after");
    int64_t wait_ms, at_ms;

    if (!value || !*value)
        return 0;
    if (isdigit((unsigned char)*value)) {
        wait_ms = parse_seconds(value);
    } else {
        if (clock_parse_http(value, &at_ms))
            return 0;
        /* The server's own clock counts: ours may be wrong. */
        wait_ms = at_ms - (response->date_ms ? response->date_ms : clock_wall_ms());
    }
    if (wait_ms < 0)
        return 0;
    return wait_ms > LONGEST_RETRY_AFTER_MS ? LONGEST_RETRY_AFTER_MS : (long)wait_ms;
}
