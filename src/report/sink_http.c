/*
 * A request a message. Signed by Standard Webhooks where there is a secret
 * (https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md): webhook-id is the
 * message's, so that a receiver knows what it has had already; symmetric signatures ("v1") over id, time and body.
 * Attributes of CloudEvents in binary mode become headers by its HTTP binding: what is not printable ASCII, and space,
 * quote and percent sign, is percent-encoded.
 */
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <stdlib.h>
#include <string.h>

#include "core/clock.h"
#include "core/mem.h"
#include "report/sink.h"

#define TIMEOUT_MS (15 * 1000)
#define CLOCK_NEAR_MS (60 * 1000) /* receivers are to take what is some minutes off */
#define KEY_MAX 512
#define KEY_PREFIX "whsec_"

struct sink {
    struct http_client *client, *own_client; /* own: with another bundle of CAs; NULL: none */
    char *url;
    struct strings headers; /* the same for all; hold tokens */
    unsigned char key[KEY_MAX];
    size_t key_len; /* 0: not signed */
    bool private_http;
    int64_t skew_ms; /* to be added to our clock */
    bool clock_tried;

    struct http_transfer *transfer;
    struct http_response response;
    sink_done *done;
    void *context;
};

/* "whsec_" and base64, or any text. */
static int read_key(struct sink *sink, const char *secret, struct error *err)
{
    const char *encoded = strncmp(secret, KEY_PREFIX, strlen(KEY_PREFIX)) == 0 ? secret + strlen(KEY_PREFIX) : NULL;
    size_t len = strlen(encoded ? encoded : secret);
    int decoded;

    while (encoded && len && strchr(" \t\r\n", encoded[len - 1])) /* as files end */
        len--;
    if (len == 0 || len > KEY_MAX) {
        error_set(err, CLASS_SPEC_INVALID, "bad-secret", "the secret that signs has %zu bytes", len);
        return error_hint(err, "use 24 to 64 random bytes as " KEY_PREFIX " and base64");
    }
    if (!encoded) {
        memcpy(sink->key, secret, len);
        sink->key_len = len;
        return 0;
    }
    decoded = EVP_DecodeBlock(sink->key, (const unsigned char *)encoded, (int)len);
    if (decoded < 3) {
        error_set(err, CLASS_SPEC_INVALID, "bad-secret", "what follows " KEY_PREFIX " in the secret is not base64");
        return error_hint(err, "write the key with its padding (=), as `openssl rand -base64 32` does");
    }
    sink->key_len = (size_t)decoded - (encoded[len - 1] == '=') - (encoded[len - 2] == '=');
    return 0;
}

static void http_close_sink(struct sink *sink);

static int http_open(struct sink **out, const struct sink_context *context, const struct sink_settings *settings,
                     struct error *err)
{
    struct sink *sink = xcalloc(1, sizeof *sink);

    sink->client = context->client;
    sink->url = xstrdup(settings->target);
    sink->private_http = settings->private_http;
    if (settings->headers)
        strings_copy(&sink->headers, settings->headers);
    if (settings->token)
        strings_addf(&sink->headers, "Authorization: Bearer %s", settings->token);
    if (settings->api_key)
        strings_addf(&sink->headers, "x-api-key: %s", settings->api_key);
    if (settings->ca_bundle)
        sink->client = sink->own_client = http_client_like(context->client, settings->ca_bundle, 1);
    if (settings->secret && read_key(sink, settings->secret, err)) {
        http_close_sink(sink);
        return -1;
    }
    *out = sink;
    return 0;
}

static void add_encoded(struct http_request *request, const char *line)
{
    const char *at;
    size_t len = message_header(line, &at);
    struct buf out;

    buf_init(&out, 16384);
    buf_add(&out, line, len);
    buf_adds(&out, ": ");
    for (; *at; at++)
        if (*at <= ' ' || *at > '~' || *at == '"' || *at == '%')
            buf_addf(&out, "%%%02X", (unsigned char)*at);
        else
            buf_addc(&out, *at);
    strings_add(&request->headers, buf_text(&out));
    buf_dispose(&out);
}

static void sign(const struct sink *sink, const struct message *message, struct http_request *request)
{
    unsigned char mac[EVP_MAX_MD_SIZE];
    char encoded[EVP_MAX_MD_SIZE * 2];
    CLEANUP_FREE char *head = xasprintf("%s.%lld.", message->id, (long long)((clock_wall_ms() + sink->skew_ms) / 1000));
    size_t head_len = strlen(head);
    char *text = xmalloc(head_len + message->body_len + 1);
    unsigned int len = 0;

    memcpy(text, head, head_len);
    memcpy(text + head_len, message->body, message->body_len);
    HMAC(EVP_sha256(), sink->key, (int)sink->key_len, (unsigned char *)text, head_len + message->body_len, mac, &len);
    free(text);
    EVP_EncodeBlock((unsigned char *)encoded, mac, (int)len);
    head[head_len - 1] = '\0';
    http_request_header(request, "webhook-id", message->id);
    http_request_header(request, "webhook-timestamp", strrchr(head, '.') + 1);
    strings_addf(&request->headers, "webhook-signature: v1,%s", encoded);
}

/* What an answer means for the message: NULL, it was taken. */
static int judge(const struct http_response *response, struct error *err)
{
    long status = response->status;

    if (status >= 200 && status < 300)
        return 0;
    if (status == 401 || status == 403) {
        error_set(err, CLASS_CREDENTIALS, "callback-denied", "it answered %ld", status);
        return error_hint(err, "check its `token`, `api_key` or `secret`");
    }
    error_set(err, CLASS_PLATFORM, status == 413 ? "message-too-large" : "callback-refused", "it answered %ld", status);
    if (status >= 300 && status < 400)
        return error_hint(err, "redirects are not followed: name the address that it redirects to");
    if (status == 408 || status == 425 || status == 429 || status >= 500)
        return error_retryable(err, http_response_retry_after(response));
    return error_hint(err, "the receiver does not take this message: see its own log");
}

/*
 * Who is to refuse what was signed long ago refuses us too when our clock is wrong; none says why. It is then tried once
 * more with the receiver's own time.
 */
static bool correct_clock(struct sink *sink, struct error *err)
{
    const struct http_response *response = &sink->response;
    int64_t off_ms = response->date_ms ? response->date_ms - (clock_wall_ms() + sink->skew_ms) : 0;
    bool refused = response->status == 400 || response->status == 401 || response->status == 403;

    if (!refused || !sink->key_len || sink->clock_tried || (off_ms > -CLOCK_NEAR_MS && off_ms < CLOCK_NEAR_MS))
        return false;
    sink->clock_tried = true;
    sink->skew_ms += off_ms;
    error_set(err, CLASS_PLATFORM, "callback-clock", "it answered %ld, and its clock is %lld s from ours",
              response->status, (long long)(off_ms / 1000));
    error_retryable(err, 0);
    return true;
}

static void on_done(void *context, const struct error *error)
{
    struct sink *sink = context;
    bool too_long = error && strcmp(error->reason, "response-too-large") == 0;
    struct error err;
    int status = 0;

    sink->transfer = NULL;
    /* Of a long answer the status has come, and nobody reads the rest. */
    if (error && !(too_long && sink->response.status)) {
        err = *error;
        status = -1;
        /* Other than a message, what stands between us and the receiver may get better. */
        if (strcmp(err.reason, "private-address") != 0 && !too_long)
            error_retryable(&err, err.retry_after_ms);
    } else {
        status = correct_clock(sink, &err) ? -1 : judge(&sink->response, &err);
        sink->clock_tried = sink->clock_tried && status;
    }
    http_response_dispose(&sink->response);
    sink->done(sink->context, status ? 0 : 1, status ? &err : NULL);
}

static void http_send(struct sink *sink, const struct message *messages, size_t len, sink_done *done, void *context)
{
    const struct message *message = messages;
    struct http_request request;
    size_t i;

    (void)len; /* 1 */
    sink->done = done;
    sink->context = context;
    http_request_init(&request, message->method ? message->method : "POST", sink->url);
    if (message->content_type)
        http_request_header(&request, "Content-Type", message->content_type);
    for (i = 0; i < message->headers.len; i++)
        add_encoded(&request, message->headers.items[i]);
    for (i = 0; i < sink->headers.len; i++)
        strings_add(&request.headers, sink->headers.items[i]);
    if (sink->key_len)
        sign(sink, message, &request);
    request.body = (struct view){message->body, message->body_len};
    request.timeout_ms = TIMEOUT_MS;
    request.refuse_private = !sink->private_http;
    http_response_init(&sink->response);
    sink->transfer = http_start(sink->client, &request, &sink->response, on_done, sink);
    http_request_dispose(&request);
}

static void http_cancel_send(struct sink *sink)
{
    if (!sink->transfer)
        return;
    http_cancel(sink->transfer);
    sink->transfer = NULL;
    http_response_dispose(&sink->response);
}

static void http_close_sink(struct sink *sink)
{
    http_cancel_send(sink);
    if (sink->own_client)
        http_client_free(sink->own_client);
    strings_wipe(&sink->headers);
    wipe(sink->key, sizeof sink->key);
    free(sink->url);
    free(sink);
}

const struct sink_type sink_http = {
    .name = "http",
    .max_body = (size_t)1 << 20,
    .max_messages = 1,
    .open = http_open,
    .send = http_send,
    .cancel = http_cancel_send,
    .close = http_close_sink,
};
