#include "bus/amqp.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bus/amqp_internal.h"
#include "core/clock.h"
#include "core/mem.h"
#include "net/ca_bundle.h"

#define ANSWER_TIMEOUT_MS 15000
#define HEARTBEAT_S 30
#define MAX_BODY ((size_t)16 * 1024 * 1024)
/* With its frames. */
#define MAX_REQUEST (MAX_BODY + MAX_BODY / 256 + 65536)
#define PERSISTENT 2
#define MAX_HEADERS 32

/* ---- life cycle ---- */

struct amqp *amqp_new(struct loop *loop, const struct amqp_options *options)
{
    struct amqp *amqp = xcalloc(1, sizeof *amqp);
    struct amqp_options *own = &amqp->options;

    amqp->loop = loop;
    *own = *options;
    own->host = amqp->host = xstrdup(options->host);
    own->virtual_host = amqp->virtual_host = xstrdup(options->virtual_host ? options->virtual_host : "/");
    own->username = amqp->username = xstrdup(options->username ? options->username : "guest");
    own->password = amqp->password = secret_dup(options->username ? options->password : "guest");
    own->ca_bundle = amqp->ca_bundle = xstrdup(ca_bundle_hold(loop, options->ca_bundle));
    if (!own->port)
        own->port = own->tls ? 5671 : 5672;
    if (own->answer_timeout_ms <= 0)
        own->answer_timeout_ms = ANSWER_TIMEOUT_MS;
    if (own->heartbeat_s <= 0)
        own->heartbeat_s = HEARTBEAT_S;
    init_amqp_pool(&amqp->pool, 4096);
    buf_init(&amqp->input, AMQP_FRAME_MAX + 65536);
    return amqp;
}

static void disconnect(struct amqp *amqp)
{
    stream_close(amqp->stream);
    amqp->stream = NULL;
    loop_timer_stop(amqp->patience);
    loop_timer_stop(amqp->pulse);
    amqp->patience = amqp->pulse = NULL;
    buf_reset(&amqp->input);
    amqp->state = AMQP_CLOSED;
}

void amqp_abandon(struct amqp *amqp)
{
    disconnect(amqp);
    loop_timer_stop(amqp->refusal);
    amqp->refusal = NULL;
    requests_dispose(&amqp->requests);
    requests_dispose(&amqp->refused);
}

void amqp_free(struct amqp *amqp)
{
    if (!amqp)
        return;
    amqp_abandon(amqp);
    buf_dispose(&amqp->input);
    empty_amqp_pool(&amqp->pool);
    free(amqp->host);
    free(amqp->virtual_host);
    free(amqp->username);
    secret_free(amqp->password);
    free(amqp->ca_bundle);
    free(amqp);
}

void amqp_fail(struct amqp *amqp, const struct error *error)
{
    disconnect(amqp);
    requests_fail(&amqp->requests, error);
}

void amqp_fail_bad_response(struct amqp *amqp, const char *what)
{
    struct error error;

    error_set(&error, CLASS_PLATFORM, "bad-response", "amqp %s:%d: %s", amqp->host, amqp->options.port, what);
    error_hint(&error, "check that this is the port of an AMQP 0-9-1 server, and whether it wants TLS");
    amqp_fail(amqp, &error);
}

/* ---- time ---- */

static void on_patience_over(void *context)
{
    struct amqp *amqp = context;
    struct error error;

    amqp->patience = NULL;
    if (stream_written(amqp->stream) - amqp->written > BUS_TRIFLE) {
        amqp_wait(amqp);
        return;
    }
    if (amqp->blocked[0])
        error_set(&error, CLASS_PLATFORM, "broker-busy", "amqp %s:%d: it takes no messages: %s", amqp->host,
                  amqp->options.port, amqp->blocked);
    else
        error_set(&error, CLASS_PLATFORM, "timed-out", "amqp %s:%d: no answer for %d ms", amqp->host,
                  amqp->options.port, amqp->options.answer_timeout_ms);
    error_retryable(&error, 0);
    amqp_fail(amqp, &error);
}

void amqp_wait(struct amqp *amqp)
{
    loop_timer_stop(amqp->patience);
    amqp->patience = NULL;
    amqp->written = stream_written(amqp->stream);
    if (amqp->requests.first || amqp->state != AMQP_READY)
        amqp->patience = loop_timer_start(amqp->loop, amqp->options.answer_timeout_ms, on_patience_over, amqp);
}

/* ---- what we say ---- */

int amqp_say(struct amqp *amqp, uint16_t channel, amqp_method_number_t method, void *fields)
{
    struct buf out;
    int result;

    buf_init(&out, AMQP_FRAME_EARLY + 8);
    result = amqp_method_add(&out, channel, method, fields) || out.overflow ? -1 : 0;
    if (!result)
        result = stream_send(amqp->stream, out.data, out.len);
    amqp->said_ms = clock_monotonic_ms();
    buf_wipe(&out);
    return result;
}

/* What does not fit now goes with the next answer. */
void amqp_send_requests(struct amqp *amqp)
{
    struct request *request;
    bool any = false;

    if (amqp->state != AMQP_READY)
        return;
    for (request = requests_unsent(&amqp->requests); request; request = request->next) {
        if (request->data && stream_send(amqp->stream, request->data, request->len))
            break;
        request_sent(request);
        request->tag = ++amqp->sequence;
        any = true;
    }
    if (!any)
        return;
    amqp->said_ms = clock_monotonic_ms();
    if (!amqp->patience)
        amqp_wait(amqp);
}

static void connect_now(struct amqp *amqp)
{
    const struct amqp_options *options = &amqp->options;
    struct stream_options to = {
        .what = "amqp",
        .host = options->host,
        .port = options->port,
        .tls = options->tls,
        .ca_bundle = options->ca_bundle,
        .refuse_own = options->refuse_own,
        .connect_timeout_ms = options->connect_timeout_ms,
        .max_unsent = MAX_REQUEST,
    };

    amqp->state = AMQP_CONNECTING;
    amqp->frame_max = AMQP_FRAME_EARLY;
    amqp->sequence = 0;
    amqp->blocked[0] = '\0';
    amqp->returning = false;
    amqp->stream = stream_open(amqp->loop, &to, &amqp_stream_events, amqp);
}

/* ---- messages ---- */

static void on_refused(void *context)
{
    struct amqp *amqp = context;
    struct error error;

    amqp->refusal = NULL;
    error_set(&error, CLASS_PLATFORM, "message-too-large",
              "amqp %s:%d: a message of more than %zu MiB, or a name in it of more than 255 bytes", amqp->host,
              amqp->options.port, MAX_BODY >> 20);
    requests_fail(&amqp->refused, &error);
}

static void refuse(struct amqp *amqp, bus_done *done, void *context)
{
    requests_add(&amqp->refused, NULL, 0, done, context);
    if (!amqp->refusal)
        amqp->refusal = loop_timer_start(amqp->loop, 0, on_refused, amqp);
}

static void set_headers(amqp_basic_properties_t *properties, const struct amqp_message *message,
                        amqp_table_entry_t entries[MAX_HEADERS])
{
    int count = message->header_count < MAX_HEADERS ? (int)message->header_count : MAX_HEADERS, i;

    for (i = 0; i < count; i++) {
        entries[i].key = amqp_cstring_bytes(message->headers[i].name);
        entries[i].value.kind = AMQP_FIELD_KIND_UTF8;
        entries[i].value.value.bytes = amqp_cstring_bytes(message->headers[i].value);
    }
    properties->headers = (amqp_table_t){count, entries};
    if (count)
        properties->_flags |= AMQP_BASIC_HEADERS_FLAG;
}

static int encode(const struct amqp_message *message, struct buf *out)
{
    amqp_table_entry_t entries[MAX_HEADERS];
    amqp_basic_publish_t publish = {.exchange = amqp_cstring_bytes(message->exchange),
                                    .routing_key = amqp_cstring_bytes(message->routing_key),
                                    .mandatory = 1};
    amqp_basic_properties_t properties = {
        ._flags = AMQP_BASIC_DELIVERY_MODE_FLAG | AMQP_BASIC_MESSAGE_ID_FLAG,
        .delivery_mode = PERSISTENT,
        .message_id = amqp_cstring_bytes(message->message_id),
    };

    if (message->content_type) {
        properties._flags |= AMQP_BASIC_CONTENT_TYPE_FLAG;
        properties.content_type = amqp_cstring_bytes(message->content_type);
    }
    if (message->type) {
        properties._flags |= AMQP_BASIC_TYPE_FLAG;
        properties.type = amqp_cstring_bytes(message->type);
    }
    if (message->wall_ms) {
        properties._flags |= AMQP_BASIC_TIMESTAMP_FLAG;
        properties.timestamp = (uint64_t)message->wall_ms / 1000;
    }
    set_headers(&properties, message, entries);
    if (amqp_method_add(out, 1, AMQP_BASIC_PUBLISH_METHOD, &publish) ||
        amqp_content_add(out, 1, &properties, message->body))
        return -1;
    return out->overflow ? -1 : 0;
}

void amqp_publish(struct amqp *amqp, const struct amqp_message *message, bus_done *done, void *context)
{
    struct request *request;
    struct buf out;
    size_t len;

    buf_init(&out, MAX_REQUEST);
    if (message->body.len > MAX_BODY || encode(message, &out)) {
        buf_dispose(&out);
        refuse(amqp, done, context);
        return;
    }
    len = out.len;
    request = requests_add(&amqp->requests, buf_take(&out), len, done, context);
    request->name = xstrdup(message->message_id);
    if (amqp->state == AMQP_CLOSED)
        connect_now(amqp);
    else
        amqp_send_requests(amqp);
}
