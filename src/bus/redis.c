#include "bus/redis.h"

#include <hiredis/hiredis.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bus/redis_internal.h"
#include "core/mem.h"
#include "net/ca_bundle.h"

#define ANSWER_TIMEOUT_MS 15000
/* A subscription is silent by nature: it is asked for a sign of life. */
#define PING_MS 30000
/* One answer, or a message of a subscription. */
#define MAX_ANSWER ((size_t)256 * 1024)
/* Of an array: what we ask for has three. */
#define MAX_ELEMENTS 16
#define MAX_REQUEST ((size_t)16 * 1024 * 1024)

enum state { CLOSED, CONNECTING, AUTHENTICATING, SELECTING, READY };

struct redis {
    struct loop *loop; /* borrowed */
    struct redis_options options;
    char *host, *username, *password, *ca_bundle;
    enum state state;
    struct stream *stream;
    redisReader *reader;
    size_t partial;                    /* bytes of an answer that is not whole yet */
    struct requests requests, refused; /* refused: too large to be sent at all */
    struct loop_timer *patience, *refusal;
    uint64_t written; /* when patience began */
    bool subscribed;
    struct redis_subscription subscription;
};

/* ---- life cycle ---- */

struct redis *redis_new(struct loop *loop, const struct redis_options *options)
{
    struct redis *redis = xcalloc(1, sizeof *redis);

    redis->loop = loop;
    redis->options = *options;
    redis->options.host = redis->host = xstrdup(options->host);
    redis->options.username = redis->username = xstrdup(options->username);
    redis->options.password = redis->password = secret_dup(options->password);
    redis->options.ca_bundle = redis->ca_bundle = xstrdup(ca_bundle_hold(loop, options->ca_bundle));
    if (!redis->options.port)
        redis->options.port = 6379;
    if (redis->options.answer_timeout_ms <= 0)
        redis->options.answer_timeout_ms = ANSWER_TIMEOUT_MS;
    return redis;
}

static void disconnect(struct redis *redis)
{
    stream_close(redis->stream);
    redis->stream = NULL;
    redisReaderFree(redis->reader);
    redis->reader = NULL;
    loop_timer_stop(redis->patience);
    redis->patience = NULL;
    redis->state = CLOSED;
}

void redis_abandon(struct redis *redis)
{
    disconnect(redis);
    loop_timer_stop(redis->refusal);
    redis->refusal = NULL;
    requests_dispose(&redis->requests);
    requests_dispose(&redis->refused);
}

void redis_free(struct redis *redis)
{
    if (!redis)
        return;
    redis_abandon(redis);
    free(redis->host);
    free(redis->username);
    secret_free(redis->password);
    free(redis->ca_bundle);
    free(redis);
}

/* The connection is of no more use: all that wait are told. The last thing that is done with it. */
static void fail(struct redis *redis, const struct error *error)
{
    disconnect(redis);
    if (!requests_fail(&redis->requests, error) || !redis->subscribed)
        return;
    redis->subscribed = false;
    redis->subscription.ended(redis->subscription.context, error);
}

static void fail_bad_response(struct redis *redis, const char *what)
{
    struct error error;

    error_set(&error, CLASS_PLATFORM, "bad-response", "redis %s:%d: %s", redis->host, redis->options.port, what);
    error_hint(&error, "check that this is the port of a Redis server, and whether it wants TLS");
    fail(redis, &error);
}

static void wait_on(struct redis *redis);

static void on_patience_over(void *context)
{
    struct redis *redis = context;
    struct error error;

    redis->patience = NULL;
    if (stream_written(redis->stream) - redis->written > BUS_TRIFLE) { /* it reads: much takes its time */
        wait_on(redis);
        return;
    }
    error_set(&error, CLASS_PLATFORM, "timed-out", "redis %s:%d: no answer for %d ms", redis->host, redis->options.port,
              redis->options.answer_timeout_ms);
    error_retryable(&error, 0);
    fail(redis, &error);
}

static void on_ping_due(void *context);

/* Called whenever something was heard or asked: who answers may take his time for the next one. */
static void wait_on(struct redis *redis)
{
    bool waits = redis->requests.first || redis->state != READY;

    loop_timer_stop(redis->patience);
    redis->patience = NULL;
    redis->written = redis->stream ? stream_written(redis->stream) : 0;
    if (waits)
        redis->patience = loop_timer_start(redis->loop, redis->options.answer_timeout_ms, on_patience_over, redis);
    else if (redis->subscribed)
        redis->patience = loop_timer_start(redis->loop, PING_MS, on_ping_due, redis);
}

/* ---- what we say ---- */

/* NULL: too large. Caller frees with free, or requests_add takes it. */
static char *format(int count, const char **words, const size_t *sizes, size_t *len)
{
    char *formatted = NULL, *copy;
    long long size = redisFormatCommandArgv(&formatted, count, words, sizes);

    if (size < 0)
        abort(); /* memory */
    *len = (size_t)size;
    copy = *len <= MAX_REQUEST ? xmalloc(*len) : NULL;
    if (copy)
        memcpy(copy, formatted, *len);
    wipe(formatted, *len);
    redisFreeCommand(formatted);
    return copy;
}

/* Of the handshake: alone on the way. */
static void say(struct redis *redis, int count, const char **words)
{
    size_t len = 0;
    char *data = format(count, words, NULL, &len);

    if (!data || stream_send(redis->stream, data, len))
        abort(); /* a handful of bytes on a new connection */
    wipe(data, len);
    free(data);
    wait_on(redis);
}

/* What does not fit now goes with the next answer. */
static void send_requests(struct redis *redis)
{
    struct request *request;
    bool any = false;

    if (redis->state != READY)
        return;
    for (request = requests_unsent(&redis->requests); request; request = request->next) {
        if (request->data && stream_send(redis->stream, request->data, request->len))
            break;
        request_sent(request);
        any = true;
    }
    if (any && !redis->patience)
        wait_on(redis);
}

static void on_ping_due(void *context)
{
    struct redis *redis = context;
    const char *words[] = {"PING"};

    redis->patience = loop_timer_start(redis->loop, redis->options.answer_timeout_ms, on_patience_over, redis);
    redis->written = stream_written(redis->stream);
    if (stream_unsent(redis->stream) == 0) {
        size_t len = 0;
        char *data = format(1, words, NULL, &len);

        stream_send(redis->stream, data, len);
        free(data);
    }
}

/* ---- the handshake ---- */

static void connect_now(struct redis *redis)
{
    const struct redis_options *options = &redis->options;
    struct stream_options to = {
        .what = "redis",
        .host = options->host,
        .port = options->port,
        .tls = options->tls,
        .ca_bundle = options->ca_bundle,
        .refuse_own = options->refuse_own,
        .connect_timeout_ms = options->connect_timeout_ms,
        .max_unsent = MAX_REQUEST,
    };

    redis->state = CONNECTING;
    redis->partial = 0;
    redis->reader = redisReaderCreate();
    if (!redis->reader)
        abort();
    redis->reader->maxelements = MAX_ELEMENTS;
    redis->stream = stream_open(redis->loop, &to, &redis_stream_events, redis);
}

/* The next step of the handshake; requests only when all of it is done, so that none runs as another user. */
static void proceed(struct redis *redis)
{
    const struct redis_options *options = &redis->options;

    if (redis->state < AUTHENTICATING && options->password) {
        const char *words[] = {"AUTH", options->username ? options->username : options->password, options->password};

        redis->state = AUTHENTICATING;
        say(redis, options->username ? 3 : 2, words);
    } else if (redis->state < SELECTING && options->database) {
        char number[16];
        const char *words[] = {"SELECT", number};

        snprintf(number, sizeof number, "%d", options->database);
        redis->state = SELECTING;
        say(redis, 2, words);
    } else {
        redis->state = READY;
        wait_on(redis);
        send_requests(redis);
    }
}

static void on_connected(void *context)
{
    proceed(context);
}

/* ---- what we hear ---- */

/* An answer to the first request. False: the connection is gone. */
static bool answer(struct redis *redis, const redisReply *reply)
{
    struct error error;

    if (!redis->requests.first || redis->requests.first->data) {
        fail_bad_response(redis, "an answer that nobody asked for");
        return false;
    }
    if (reply->type == REDIS_REPLY_ERROR)
        redis_explain(redis->host, redis->options.port, reply, &error);
    if (!requests_settle(&redis->requests, redis->requests.first, reply->type == REDIS_REPLY_ERROR ? &error : NULL))
        return false;
    if (redis->state != READY) /* `done` ran the loop, and it was lost */
        return false;
    wait_on(redis);
    send_requests(redis);
    return true;
}

static bool is_text(const redisReply *reply, const char *text)
{
    return reply->type == REDIS_REPLY_STRING && strcasecmp(reply->str, text) == 0;
}

/* What a subscribed connection hears: ["subscribe", channel, count], ["message", channel, payload], ["pong", ""]. */
static bool listen_on(struct redis *redis, const redisReply *reply)
{
    struct stream *stream = redis->stream;

    if (reply->type != REDIS_REPLY_ARRAY || reply->elements < 2) {
        fail_bad_response(redis, "something that is no message came over a subscription");
        return false;
    }
    if (reply->elements == 3 && is_text(reply->element[0], "subscribe") && redis->requests.first)
        return answer(redis, reply);
    wait_on(redis);
    if (reply->elements == 3 && is_text(reply->element[0], "message") &&
        reply->element[2]->type == REDIS_REPLY_STRING) {
        struct requests *requests = &redis->requests;
        bool gone = false, *outer = requests->gone;

        requests->gone = &gone;
        redis->subscription.message(redis->subscription.context,
                                    (struct view){reply->element[2]->str, reply->element[2]->len});
        if (gone) {
            if (outer)
                *outer = true;
            return false;
        }
        requests->gone = outer;
    }
    return redis->stream == stream;
}

static bool hear(struct redis *redis, const redisReply *reply)
{
    if (redis->state == AUTHENTICATING || redis->state == SELECTING) {
        struct error error;

        if (reply->type != REDIS_REPLY_ERROR) {
            proceed(redis);
            return true;
        }
        redis_explain(redis->host, redis->options.port, reply, &error);
        error_context(&error, redis->state == AUTHENTICATING ? "signing in" : "choosing the database");
        fail(redis, &error);
        return false;
    }
    if (redis->subscribed && reply->type != REDIS_REPLY_ERROR)
        return listen_on(redis, reply);
    return answer(redis, reply);
}

static void on_received(void *context, struct view bytes)
{
    struct redis *redis = context;

    redis->partial += bytes.len;
    if (redisReaderFeed(redis->reader, bytes.data, bytes.len) != REDIS_OK)
        abort(); /* memory */
    for (;;) {
        redisReply *reply = NULL;
        bool alive;

        if (redisReaderGetReply(redis->reader, (void **)&reply) != REDIS_OK) {
            fail_bad_response(redis, "what it says is not the protocol of Redis");
            return;
        }
        if (!reply)
            break;
        redis->partial = redis->reader->len - redis->reader->pos;
        alive = hear(redis, reply);
        freeReplyObject(reply);
        if (!alive)
            return;
    }
    if (redis->partial > MAX_ANSWER)
        fail_bad_response(redis, "an answer of more than 256 KiB");
}

static void on_ended(void *context, const struct error *error)
{
    fail(context, error);
}

const struct stream_events redis_stream_events = {on_connected, on_received, on_ended};

/* ---- requests ---- */

static void on_refused(void *context)
{
    struct redis *redis = context;
    struct error error;

    redis->refusal = NULL;
    error_set(&error, CLASS_PLATFORM, "message-too-large", "redis %s:%d: a message of more than %zu MiB", redis->host,
              redis->options.port, MAX_REQUEST >> 20);
    requests_fail(&redis->refused, &error);
}

static void ask(struct redis *redis, int count, const char **words, const size_t *sizes, bus_done *done, void *context)
{
    size_t len = 0;
    char *data = format(count, words, sizes, &len);

    if (!data) {
        requests_add(&redis->refused, NULL, 0, done, context);
        if (!redis->refusal)
            redis->refusal = loop_timer_start(redis->loop, 0, on_refused, redis);
        return;
    }
    requests_add(&redis->requests, data, len, done, context);
    if (redis->state == CLOSED)
        connect_now(redis);
    else
        send_requests(redis);
}

void redis_publish(struct redis *redis, const char *channel, struct view payload, bus_done *done, void *context)
{
    const char *words[] = {"PUBLISH", channel, payload.data};
    size_t sizes[] = {7, strlen(channel), payload.len};

    ask(redis, 3, words, sizes, done, context);
}

void redis_xadd(struct redis *redis, const char *stream, const struct redis_field *fields, size_t count,
                long max_entries, bus_done *done, void *context)
{
    const char **words = xcalloc(6 + 2 * count, sizeof *words);
    size_t *sizes = xcalloc(6 + 2 * count, sizeof *sizes), i;
    char number[24];
    int n = 0, w;

    snprintf(number, sizeof number, "%ld", max_entries);
    words[n++] = "XADD";
    words[n++] = stream;
    if (max_entries > 0) {
        words[n++] = "MAXLEN";
        words[n++] = "~";
        words[n++] = number;
    }
    words[n++] = "*";
    for (w = 0; w < n; w++)
        sizes[w] = strlen(words[w]);
    for (i = 0; i < count; i++) {
        words[n] = fields[i].name;
        sizes[n++] = strlen(fields[i].name);
        words[n] = fields[i].value.data;
        sizes[n++] = fields[i].value.len;
    }
    ask(redis, n, words, sizes, done, context);
    free(words);
    free(sizes);
}

/* ---- subscriptions ---- */

static void on_subscribed(void *context, const struct error *error)
{
    struct redis *redis = context;

    if (!redis->subscribed)
        return;
    if (!error) {
        if (redis->subscription.begun)
            redis->subscription.begun(redis->subscription.context);
        return;
    }
    redis->subscribed = false;
    redis->subscription.ended(redis->subscription.context, error);
}

void redis_subscribe(struct redis *redis, const char *channel, const struct redis_subscription *subscription)
{
    const char *words[] = {"SUBSCRIBE", channel};

    redis->subscription = *subscription;
    redis->subscribed = true;
    ask(redis, 2, words, NULL, on_subscribed, redis);
}
