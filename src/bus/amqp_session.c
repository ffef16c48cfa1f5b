/* The conversation: signing in, and what the broker says afterwards (specification, 2.2.4 and 4.6). */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bus/amqp_internal.h"
#include "core/clock.h"
#include "core/mem.h"

#define REPLY_CONTENT_TOO_LARGE 311
#define REPLY_CONNECTION_FORCED 320
#define REPLY_ACCESS_REFUSED 403
#define REPLY_NOT_FOUND 404
#define REPLY_PRECONDITION_FAILED 406
#define REPLY_RESOURCE_ERROR 506
#define REPLY_NOT_ALLOWED 530
#define REPLY_INTERNAL_ERROR 541
#define LEAST_FRAME 4096

/* ---- signing in: each answer brings the next question. -1: a field is too long ---- */

static amqp_table_entry_t flag(const char *name)
{
    return (amqp_table_entry_t){
        .key = amqp_cstring_bytes(name),
        .value = {.kind = AMQP_FIELD_KIND_BOOLEAN, .value.boolean = 1},
    };
}

static int sign_in(struct amqp *amqp)
{
    /* without the first a wrong password is told by silence */
    amqp_table_entry_t can[] = {flag("authentication_failure_close"), flag("publisher_confirms"), flag("basic.nack"),
                                flag("connection.blocked")};
    amqp_table_entry_t about[] = {
        {.key = amqp_cstring_bytes("product"),
         .value = {.kind = AMQP_FIELD_KIND_UTF8, .value.bytes = amqp_cstring_bytes("caisson")}},
        {.key = amqp_cstring_bytes("capabilities"),
         .value = {.kind = AMQP_FIELD_KIND_TABLE, .value.table = {ARRAY_LEN(can), can}}},
    };
    const char *password = amqp->password ? amqp->password : "";
    amqp_connection_start_ok_t fields = {.client_properties = {ARRAY_LEN(about), about},
                                         .mechanism = amqp_cstring_bytes("PLAIN"),
                                         .locale = amqp_cstring_bytes("en_US")};
    struct buf login;
    int result;

    /* RFC 4616 */
    buf_init(&login, AMQP_FRAME_EARLY);
    buf_addc(&login, '\0');
    buf_adds(&login, amqp->username);
    buf_addc(&login, '\0');
    buf_adds(&login, password);
    fields.response = (amqp_bytes_t){login.len, login.data};
    result = login.overflow ? -1 : amqp_say(amqp, 0, AMQP_CONNECTION_START_OK_METHOD, &fields);
    buf_wipe(&login);
    return result;
}

static int tune(struct amqp *amqp, const amqp_connection_tune_t *offer)
{
    amqp_connection_tune_ok_t fields = {.channel_max = 1, .frame_max = AMQP_FRAME_MAX};
    amqp_connection_open_t open = {.virtual_host = amqp_cstring_bytes(amqp->virtual_host)};

    if (offer->frame_max && offer->frame_max < fields.frame_max)
        fields.frame_max = offer->frame_max;
    fields.heartbeat = (uint16_t)amqp->options.heartbeat_s;
    if (offer->heartbeat && offer->heartbeat < fields.heartbeat)
        fields.heartbeat = offer->heartbeat;
    amqp->frame_max = fields.frame_max;
    amqp->heartbeat_s = fields.heartbeat;
    amqp_say(amqp, 0, AMQP_CONNECTION_TUNE_OK_METHOD, &fields);
    return amqp_say(amqp, 0, AMQP_CONNECTION_OPEN_METHOD, &open);
}

static int open_channel(struct amqp *amqp)
{
    amqp_channel_open_t fields = {0};

    return amqp_say(amqp, 1, AMQP_CHANNEL_OPEN_METHOD, &fields);
}

static int want_confirms(struct amqp *amqp)
{
    amqp_confirm_select_t fields = {0};

    return amqp_say(amqp, 1, AMQP_CONFIRM_SELECT_METHOD, &fields);
}

/* ---- time ---- */

static void on_pulse(void *context)
{
    struct amqp *amqp = context;
    int64_t now = clock_monotonic_ms(), beat_ms = (int64_t)amqp->heartbeat_s * 1000;
    struct error error;

    amqp->pulse = NULL;
    if (now - amqp->heard_ms > 2 * beat_ms) {
        error_set(&error, CLASS_PLATFORM, "timed-out", "amqp %s:%d: no sign of life for %d s", amqp->host,
                  amqp->options.port, 2 * amqp->heartbeat_s);
        error_retryable(&error, 0);
        amqp_fail(amqp, &error);
        return;
    }
    if (now - amqp->said_ms >= beat_ms / 2) {
        struct buf out;

        buf_init(&out, 16);
        amqp_frame_add(&out, AMQP_FRAME_HEARTBEAT, 0, (struct view){0});
        stream_send(amqp->stream, out.data, out.len);
        buf_dispose(&out);
        amqp->said_ms = now;
    }
    amqp->pulse = loop_timer_start(amqp->loop, beat_ms / 2, on_pulse, amqp);
}

/* ---- the broker ends it ---- */

static const char *reason_of(int code, const char *text)
{
    switch (code) {
    case REPLY_ACCESS_REFUSED:
    case REPLY_NOT_ALLOWED: return "broker-denied";
    case REPLY_NOT_FOUND: return "no-exchange";
    case REPLY_CONTENT_TOO_LARGE: return "message-too-large";
    case REPLY_PRECONDITION_FAILED: return strstr(text, "message size") ? "message-too-large" : "broker-refused";
    case REPLY_CONNECTION_FORCED:
    case REPLY_RESOURCE_ERROR:
    case REPLY_INTERNAL_ERROR: return "broker-busy";
    default: return "broker-refused";
    }
}

static void explain_close(const struct amqp *amqp, int code, amqp_bytes_t text, struct error *err)
{
    enum error_class class = CLASS_PLATFORM;
    const char *reason;
    char quote[304];

    bus_quote(text.bytes, text.len, quote);
    reason = reason_of(code, quote);
    if (strcmp(reason, "broker-denied") == 0)
        class = CLASS_CREDENTIALS;
    error_set(err, class, reason, "amqp %s:%d: %s (%d)", amqp->host, amqp->options.port, quote, code);
    if (strcmp(reason, "broker-busy") == 0)
        error_retryable(err, 0);
    else if (strcmp(reason, "broker-denied") == 0)
        error_hint(err, "check user, password, virtual host, and the user's rights there");
    else if (strcmp(reason, "no-exchange") == 0)
        error_hint(err, "the exchange must be there before messages are published to it");
}

/* A message that is too large ends the channel for all. The largest is the one that was meant; the others may go again.
 * False: everything is gone. */
static bool fail_largest(struct amqp *amqp, const struct error *error)
{
    struct request *request, *largest = NULL;

    for (request = amqp->requests.first; request; request = request->next)
        if (request->tag && (!largest || request->len > largest->len))
            largest = request;
    return !largest || requests_settle(&amqp->requests, largest, error);
}

static void end(struct amqp *amqp, int code, amqp_bytes_t text)
{
    struct error error;

    explain_close(amqp, code, text, &error);
    if (strcmp(error.reason, "message-too-large") == 0) {
        if (!fail_largest(amqp, &error))
            return;
        error_set(&error, CLASS_PLATFORM, "connection-lost",
                  "amqp %s:%d: a message that was too large ended the channel", amqp->host, amqp->options.port);
        error_retryable(&error, 0);
    }
    amqp_fail(amqp, &error);
}

/* ---- confirmations ---- */

static void explain_unconfirmed(const struct amqp *amqp, bool returned, struct error *err)
{
    const char *host = amqp->host;

    if (returned) {
        error_set(err, CLASS_PLATFORM, "unroutable", "amqp %s:%d: no queue takes the message", host,
                  amqp->options.port);
        error_hint(err, "bind a queue to the exchange with this routing key");
    } else {
        error_set(err, CLASS_PLATFORM, "broker-busy", "amqp %s:%d: the message was not taken (basic.nack)", host,
                  amqp->options.port);
        error_retryable(err, 0);
    }
}

static struct request *find_tagged(const struct amqp *amqp, uint64_t tag, bool multiple)
{
    struct request *request;

    for (request = amqp->requests.first; request; request = request->next)
        if (request->tag == tag || (multiple && request->tag && (request->tag < tag || tag == 0)))
            return request;
    return NULL;
}

/* False: the connection is gone. */
static bool settle(struct amqp *amqp, uint64_t tag, bool multiple, bool taken)
{
    struct stream *stream = amqp->stream;
    struct request *request;
    struct error error;

    if (tag == 0 && !multiple)
        return true;
    while ((request = find_tagged(amqp, tag, multiple))) {
        bool good = taken && !request->returned;

        if (!good)
            explain_unconfirmed(amqp, request->returned, &error);
        if (!requests_settle(&amqp->requests, request, good ? NULL : &error) || amqp->stream != stream)
            return false;
    }
    amqp_wait(amqp);
    amqp_send_requests(amqp);
    return true;
}

/* A returned message is confirmed afterwards, like any other. */
static void note_returned(struct amqp *amqp, struct view payload)
{
    const amqp_basic_properties_t *properties = amqp_properties_read(payload, &amqp->pool);
    struct request *request;

    if (!properties || !(properties->_flags & AMQP_BASIC_MESSAGE_ID_FLAG))
        return;
    for (request = amqp->requests.first; request; request = request->next)
        if (request->tag && strlen(request->name) == properties->message_id.len &&
            memcmp(request->name, properties->message_id.bytes, properties->message_id.len) == 0)
            request->returned = true;
}

/* ---- what the broker says ---- */

static bool offers_plain(amqp_bytes_t mechanisms)
{
    CLEANUP_FREE char *words = xasprintf(" %.*s ", (int)mechanisms.len, (const char *)mechanisms.bytes);

    return strstr(words, " PLAIN ") != NULL;
}

static bool fail(struct amqp *amqp, const char *what)
{
    amqp_fail_bad_response(amqp, what);
    return false;
}

static bool step(struct amqp *amqp, enum amqp_state next, int result)
{
    if (result) {
        struct error error;

        error_set(&error, CLASS_PLATFORM, "broker-refused",
                  "amqp %s:%d: user, password or virtual host is longer than AMQP has room for", amqp->host,
                  amqp->options.port);
        amqp_fail(amqp, &error);
        return false;
    }
    amqp->state = next;
    amqp_wait(amqp);
    if (next == AMQP_READY)
        amqp_send_requests(amqp);
    return true;
}

static bool on_start(struct amqp *amqp, const amqp_connection_start_t *start)
{
    struct error error;

    if (offers_plain(start->mechanisms))
        return step(amqp, AMQP_TUNING, sign_in(amqp));
    error_set(&error, CLASS_PLATFORM, "broker-refused", "amqp %s:%d: it does not let users sign in by password (PLAIN)",
              amqp->host, amqp->options.port);
    amqp_fail(amqp, &error);
    return false;
}

static bool on_tune(struct amqp *amqp, const amqp_connection_tune_t *offer)
{
    if (offer->frame_max && offer->frame_max < LEAST_FRAME)
        return fail(amqp, "its frames are smaller than AMQP allows");
    if (!step(amqp, AMQP_OPENING, tune(amqp, offer)))
        return false;
    if (amqp->heartbeat_s)
        amqp->pulse = loop_timer_start(amqp->loop, (int64_t)amqp->heartbeat_s * 500, on_pulse, amqp);
    return true;
}

/* The answer that the state waits for. */
static bool answer(struct amqp *amqp, amqp_method_number_t method, const void *fields)
{
    switch (amqp->state) {
    case AMQP_STARTING:
        if (method == AMQP_CONNECTION_START_METHOD)
            return on_start(amqp, fields);
        break;
    case AMQP_TUNING:
        if (method == AMQP_CONNECTION_TUNE_METHOD)
            return on_tune(amqp, fields);
        break;
    case AMQP_OPENING:
        if (method == AMQP_CONNECTION_OPEN_OK_METHOD)
            return step(amqp, AMQP_CHANNEL, open_channel(amqp));
        break;
    case AMQP_CHANNEL:
        if (method == AMQP_CHANNEL_OPEN_OK_METHOD)
            return step(amqp, AMQP_CONFIRMING, want_confirms(amqp));
        break;
    case AMQP_CONFIRMING:
        if (method == AMQP_CONFIRM_SELECT_OK_METHOD)
            return step(amqp, AMQP_READY, 0);
        break;
    default: break;
    }
    return fail(amqp, "it said something out of turn");
}

/* False: the connection is gone. */
static bool hear_method(struct amqp *amqp, struct view payload)
{
    amqp_method_number_t method;
    void *fields = NULL;

    if (amqp_method_read(payload, &amqp->pool, &method, &fields))
        return fail(amqp, "what it says is not AMQP 0-9-1");
    switch (method) {
    case AMQP_CONNECTION_CLOSE_METHOD: {
        const amqp_connection_close_t *close = fields;

        end(amqp, close->reply_code, close->reply_text);
        return false;
    }
    case AMQP_CHANNEL_CLOSE_METHOD: {
        const amqp_channel_close_t *close = fields;

        end(amqp, close->reply_code, close->reply_text);
        return false;
    }
    case AMQP_CONNECTION_BLOCKED_METHOD: {
        const amqp_connection_blocked_t *blocked = fields;

        bus_quote(blocked->reason.bytes, blocked->reason.len, amqp->blocked);
        return true;
    }
    case AMQP_CONNECTION_UNBLOCKED_METHOD:
        amqp->blocked[0] = '\0';
        amqp_wait(amqp);
        return true;
    case AMQP_BASIC_RETURN_METHOD: amqp->returning = true; return true;
    case AMQP_BASIC_ACK_METHOD: {
        const amqp_basic_ack_t ack = *(const amqp_basic_ack_t *)fields;

        return settle(amqp, ack.delivery_tag, ack.multiple, true);
    }
    case AMQP_BASIC_NACK_METHOD: {
        const amqp_basic_nack_t nack = *(const amqp_basic_nack_t *)fields;

        return settle(amqp, nack.delivery_tag, nack.multiple, false);
    }
    default: return answer(amqp, method, fields);
    }
}

static bool hear(struct amqp *amqp, const struct amqp_frame *frame)
{
    recycle_amqp_pool(&amqp->pool);
    switch (frame->type) {
    case AMQP_FRAME_METHOD: return hear_method(amqp, frame->payload);
    case AMQP_FRAME_HEADER:
        if (amqp->returning)
            note_returned(amqp, frame->payload);
        amqp->returning = false;
        return true;
    case AMQP_FRAME_BODY: /* of what came back; we have it */
    case AMQP_FRAME_HEARTBEAT: return true;
    default: return fail(amqp, "what it says is not AMQP 0-9-1");
    }
}

/* The frame leaves the input before it is heard: whoever is told of it may run the loop, and more may come in. */
static void on_received(void *context, struct view bytes)
{
    struct amqp *amqp = context;

    amqp->heard_ms = clock_monotonic_ms();
    buf_add(&amqp->input, bytes.data, bytes.len);
    for (;;) {
        struct amqp_frame frame;
        CLEANUP_FREE char *copy = NULL;
        long size = amqp_frame_read((struct view){amqp->input.data, amqp->input.len}, amqp->frame_max, &frame);

        if (size < 0) {
            fail(amqp, "what it says is not AMQP 0-9-1");
            return;
        }
        if (size == 0)
            return;
        copy = xmalloc(frame.payload.len + 1);
        memcpy(copy, frame.payload.data, frame.payload.len);
        frame.payload.data = copy;
        buf_consume(&amqp->input, (size_t)size);
        if (!hear(amqp, &frame))
            return;
    }
}

static void on_connected(void *context)
{
    struct amqp *amqp = context;

    amqp->state = AMQP_STARTING;
    amqp->said_ms = amqp->heard_ms = clock_monotonic_ms();
    stream_send(amqp->stream, "AMQP\0\0\11\1", 8);
    amqp_wait(amqp);
}

static void on_ended(void *context, const struct error *error)
{
    struct amqp *amqp = context;
    struct error told = *error;

    if (amqp->state == AMQP_TUNING)
        error_hint(&told, "some brokers hang up on a wrong user or password");
    amqp_fail(amqp, &told);
}

const struct stream_events amqp_stream_events = {on_connected, on_received, on_ended};
