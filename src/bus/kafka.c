#include "bus/kafka.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "bus/kafka_internal.h"
#include "core/address.h"
#include "core/mem.h"
#include "net/ca_bundle.h"

#define DELIVERY_TIMEOUT_MS 30000
#define MAX_MESSAGE ((size_t)16 * 1024 * 1024)
/* Messages of one request to a broker. It is refused as a whole: see on_delivered. */
#define BATCH_BYTES 65536
/* Answers of one turn: others want theirs too. */
#define EVENTS_A_TURN 256
#define FAREWELL_MS 500

struct kafka {
    struct loop *loop; /* borrowed */
    struct kafka_options options;
    char *brokers, *mechanism, *username, *password, *ca_bundle;
    rd_kafka_t *handle; /* NULL: none yet, or of no more use */
    rd_kafka_queue_t *queue;
    struct farewell *farewell; /* of the handle; NULL: there is none */
    struct loop_watch *watch;
    struct loop_timer *again, *refusal;
    struct requests requests, refused;
    struct kafka_trouble trouble;
    bool one_by_one; /* a message a request */
};

/* ---- the end ---- */

/* What is said after it is heard by nobody. */
static void end_handle(struct kafka *kafka, int wait_ms)
{
    loop_unwatch(kafka->watch);
    loop_timer_stop(kafka->again);
    kafka->watch = NULL;
    kafka->again = NULL;
    if (!kafka->handle)
        return;
    rd_kafka_queue_io_event_enable(kafka->queue, -1, NULL, 0);
    farewell_say(kafka->farewell, kafka->handle, kafka->queue, wait_ms);
    kafka->farewell = NULL;
    kafka->handle = NULL;
    kafka->queue = NULL;
    kafka->trouble = (struct kafka_trouble){0};
}

/* ---- life cycle ---- */

struct kafka *kafka_new(struct loop *loop, const struct kafka_options *options)
{
    struct kafka *kafka = xcalloc(1, sizeof *kafka);
    struct kafka_options *own = &kafka->options;

    kafka->loop = loop;
    *own = *options;
    own->brokers = kafka->brokers = xstrdup(options->brokers);
    own->mechanism = kafka->mechanism = xstrdup(options->mechanism);
    own->username = kafka->username = xstrdup(options->username);
    own->password = kafka->password = secret_dup(options->password);
    own->ca_bundle = kafka->ca_bundle = xstrdup(ca_bundle_hold(loop, options->ca_bundle));
    if (own->delivery_timeout_ms <= 0)
        own->delivery_timeout_ms = DELIVERY_TIMEOUT_MS;
    return kafka;
}

void kafka_abandon(struct kafka *kafka)
{
    end_handle(kafka, FAREWELL_MS);
    loop_timer_stop(kafka->refusal);
    kafka->refusal = NULL;
    requests_dispose(&kafka->requests);
    requests_dispose(&kafka->refused);
}

void kafka_free(struct kafka *kafka)
{
    if (!kafka)
        return;
    kafka_abandon(kafka);
    free(kafka->brokers);
    free(kafka->mechanism);
    free(kafka->username);
    secret_free(kafka->password);
    free(kafka->ca_bundle);
    free(kafka);
}

/* ---- settings ---- */

/* Called by librdkafka's threads. */
static int connect_to_others(int fd, const struct sockaddr *address, int len, const char *id, void *opaque)
{
    (void)id;
    (void)opaque;
    if (address_is_own(address))
        return EACCES;
    return connect(fd, address, (socklen_t)len) && errno != EINPROGRESS ? errno : 0;
}

struct setting {
    const char *name, *value;
};

static rd_kafka_conf_res_t set_all(rd_kafka_conf_t *conf, const struct setting *settings, char *text, size_t size)
{
    rd_kafka_conf_res_t result = RD_KAFKA_CONF_OK;

    for (; settings->name && result == RD_KAFKA_CONF_OK; settings++)
        if (settings->value)
            result = rd_kafka_conf_set(conf, settings->name, settings->value, text, size);
    return result;
}

/* NULL: something of it cannot be, the text says what. */
static rd_kafka_conf_t *configure(const struct kafka *kafka, char *text, size_t size)
{
    const struct kafka_options *options = &kafka->options;
    bool login = options->mechanism != NULL;
    char timeout[16], largest[24], batch[16];
    const char *protocols[2][2] = {{"plaintext", "sasl_plaintext"}, {"ssl", "sasl_ssl"}};
    const struct setting settings[] = {
        {"bootstrap.servers", options->brokers},
        {"client.id", "caisson"},
        {"security.protocol", protocols[options->tls][login]},
        {"sasl.mechanisms", options->mechanism},
        {"sasl.username", login ? options->username : NULL},
        {"sasl.password", login ? options->password : NULL},
        {"ssl.ca.location", !options->tls        ? NULL
                            : options->ca_bundle ? options->ca_bundle
                                                 : "probe"},
        {"enable.idempotence", "true"}, /* and with it acks=all */
        {"message.timeout.ms", timeout},
        {"message.max.bytes", largest},
        {"receive.message.max.bytes", "1048576"},
        {"fetch.max.bytes", "524288"},
        {"batch.size", batch},
        {"batch.num.messages", kafka->one_by_one ? "1" : "1000"},
        {"linger.ms", "2"},
        {"queue.buffering.max.kbytes", "32768"},
        {"topic.metadata.propagation.max.ms", "5000"},
        {"socket.connection.setup.timeout.ms", "10000"},
        {"socket.timeout.ms", "15000"},
        {"socket.nagle.disable", "true"},
        {"reconnect.backoff.max.ms", "2000"},
        {"enable.metrics.push", "false"}, /* we tell brokers nothing of ourselves */
        {NULL, NULL},
    };
    rd_kafka_conf_t *conf = rd_kafka_conf_new();

    snprintf(timeout, sizeof timeout, "%d", options->delivery_timeout_ms < 1000 ? 1000 : options->delivery_timeout_ms);
    snprintf(largest, sizeof largest, "%zu", MAX_MESSAGE);
    snprintf(batch, sizeof batch, "%d", BATCH_BYTES);
    if (set_all(conf, settings, text, size) != RD_KAFKA_CONF_OK) {
        rd_kafka_conf_destroy(conf);
        return NULL;
    }
    rd_kafka_conf_set_log_cb(conf, NULL); /* standard error is not its place; errors come as events */
    rd_kafka_conf_set_events(conf, RD_KAFKA_EVENT_DR | RD_KAFKA_EVENT_ERROR);
    if (options->refuse_own)
        rd_kafka_conf_set_connect_cb(conf, connect_to_others);
    return conf;
}

static void on_ready(void *context, int events);
static void on_again(void *context);

static int in_trouble(struct kafka *kafka, rd_kafka_resp_err_t code, const char *text)
{
    kafka->trouble.code = code;
    bus_quote(text, strlen(text), kafka->trouble.text);
    return -1;
}

static int make_handle(struct kafka *kafka)
{
    const char *lacking = kafka->options.tls ? ca_bundle_lacking(kafka->options.ca_bundle) : NULL;
    char text[512] = "";
    rd_kafka_conf_t *conf;
    bool tls;

    if (lacking) { /* librdkafka would not name it */
        snprintf(text, sizeof text, "the CA bundle %s cannot be read", lacking);
        return in_trouble(kafka, RD_KAFKA_RESP_ERR__SSL, text);
    }
    conf = configure(kafka, text, sizeof text);
    if (conf)
        kafka->handle = rd_kafka_new(RD_KAFKA_PRODUCER, conf, text, sizeof text);
    if (kafka->handle)
        return 0;
    if (conf)
        rd_kafka_conf_destroy(conf);
    if (conf && rd_kafka_last_error() == RD_KAFKA_RESP_ERR__CRIT_SYS_RESOURCE)
        return in_trouble(kafka, RD_KAFKA_RESP_ERR__CRIT_SYS_RESOURCE, text);
    tls = strstr(text, "ssl.") || strstr(text, "SSL");
    return in_trouble(kafka, tls ? RD_KAFKA_RESP_ERR__SSL : RD_KAFKA_RESP_ERR__INVALID_ARG, text);
}

/* -1: it cannot be; kafka->trouble says why. */
static int start(struct kafka *kafka)
{
    static const uint64_t one = 1;
    int event_fd;

    kafka->farewell = farewell_prepare();
    if (!kafka->farewell)
        return in_trouble(kafka, RD_KAFKA_RESP_ERR__CRIT_SYS_RESOURCE,
                          "the system has no more threads or descriptors for us");
    if (make_handle(kafka)) {
        farewell_say(kafka->farewell, NULL, NULL, 0);
        kafka->farewell = NULL;
        return -1;
    }
    kafka->queue = rd_kafka_queue_get_main(kafka->handle);
    event_fd = farewell_event_fd(kafka->farewell);
    rd_kafka_queue_io_event_enable(kafka->queue, event_fd, &one, sizeof one);
    kafka->watch = loop_watch(kafka->loop, event_fd, LOOP_READ, on_ready, kafka);
    /* the descriptor tells when the queue is no longer empty, and its threads may have been quicker than we */
    kafka->again = loop_timer_start(kafka->loop, 0, on_again, kafka);
    return 0;
}

/* ---- what it says ---- */

/* All that wait are told; the last thing that is done with it. */
static void fail(struct kafka *kafka, rd_kafka_resp_err_t code)
{
    struct kafka_trouble trouble = kafka->trouble;
    struct error error;

    kafka_explain(kafka->brokers, code, &trouble, &error);
    end_handle(kafka, 0);
    requests_fail(&kafka->requests, &error);
}

struct delivery {
    struct request *request;
    rd_kafka_resp_err_t code;
    size_t size;
};

/* A broker refuses a request as a whole. Was the message alone in it? Then it is too large; else it may come again, and
 * from now on each goes alone. */
static bool was_in_company(const struct kafka *kafka, const struct delivery *delivery)
{
    return !kafka->one_by_one && delivery->size < BATCH_BYTES && delivery->code == RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE;
}

/* False: it is gone, or another handle is there. */
static bool on_delivered(struct kafka *kafka, const struct delivery *delivery)
{
    rd_kafka_t *handle = kafka->handle;
    struct error error;
    bool lives;

    if (was_in_company(kafka, delivery)) {
        kafka->one_by_one = true;
        kafka->trouble.code = RD_KAFKA_RESP_ERR__QUEUE_FULL;
        snprintf(kafka->trouble.text, sizeof kafka->trouble.text, "%s",
                 "several messages in one request were too large; from now on each goes alone");
        fail(kafka, RD_KAFKA_RESP_ERR__QUEUE_FULL);
        return false;
    }
    if (delivery->code)
        kafka_explain(kafka->brokers, delivery->code, &kafka->trouble, &error);
    if (delivery->code && error.retryable) {
        fail(kafka, delivery->code); /* what comes again must not come behind a later one */
        return false;
    }
    if (!delivery->code)
        kafka->trouble.code = RD_KAFKA_RESP_ERR_NO_ERROR;
    lives = requests_settle(&kafka->requests, delivery->request, delivery->code ? &error : NULL);
    return lives && kafka->handle == handle;
}

/* Ends the event before anybody is told: who is told may end the handle that it belongs to. */
static bool on_deliveries(struct kafka *kafka, rd_kafka_event_t *event)
{
    size_t count = 0, i;
    CLEANUP_FREE struct delivery *deliveries = xcalloc(rd_kafka_event_message_count(event) + 1, sizeof *deliveries);
    const rd_kafka_message_t *message;

    while ((message = rd_kafka_event_message_next(event)))
        deliveries[count++] = (struct delivery){message->_private, message->err, message->len + message->key_len};
    rd_kafka_event_destroy(event);
    for (i = 0; i < count; i++)
        if (!on_delivered(kafka, &deliveries[i]))
            return false;
    return true;
}

static bool on_error(struct kafka *kafka, rd_kafka_event_t *event)
{
    rd_kafka_resp_err_t code = rd_kafka_event_error(event);
    bool fatal = code == RD_KAFKA_RESP_ERR__FATAL;
    char text[512];

    snprintf(text, sizeof text, "%s", rd_kafka_event_error_string(event));
    rd_kafka_event_destroy(event);
    if (fatal)
        code = rd_kafka_fatal_error(kafka->handle, text, sizeof text);
    /* that all brokers are down says less than why */
    if (code == RD_KAFKA_RESP_ERR__ALL_BROKERS_DOWN && kafka->trouble.code)
        return true;
    kafka->trouble.code = code;
    bus_quote(text, strlen(text), kafka->trouble.text);
    if (fatal || kafka_trouble_is_final(&kafka->trouble)) {
        fail(kafka, code);
        return false;
    }
    return true;
}

static void on_again(void *context)
{
    struct kafka *kafka = context;

    kafka->again = NULL;
    on_ready(kafka, LOOP_READ);
}

static void on_ready(void *context, int events)
{
    struct kafka *kafka = context;
    uint64_t count;
    int i;

    (void)events;
    if (read(farewell_event_fd(kafka->farewell), &count, sizeof count) < 0 && errno != EAGAIN)
        abort();
    for (i = 0; i < EVENTS_A_TURN; i++) {
        rd_kafka_event_t *event = rd_kafka_queue_poll(kafka->queue, 0);
        bool lives = true;

        if (!event)
            return;
        if (rd_kafka_event_type(event) == RD_KAFKA_EVENT_DR)
            lives = on_deliveries(kafka, event);
        else if (rd_kafka_event_type(event) == RD_KAFKA_EVENT_ERROR)
            lives = on_error(kafka, event);
        else
            rd_kafka_event_destroy(event);
        if (!lives)
            return;
    }
    if (!kafka->again)
        kafka->again = loop_timer_start(kafka->loop, 0, on_again, kafka);
}

/* ---- messages ---- */

static void on_refused(void *context)
{
    struct kafka *kafka = context;

    kafka->refusal = NULL;
    while (kafka->refused.first) {
        struct request *request = kafka->refused.first;
        struct error error;

        kafka_explain(kafka->brokers, (rd_kafka_resp_err_t)(int64_t)request->tag, &kafka->trouble, &error);
        if (!requests_settle(&kafka->refused, request, &error))
            return;
    }
}

static void refuse(struct kafka *kafka, rd_kafka_resp_err_t code, bus_done *done, void *context)
{
    requests_add(&kafka->refused, NULL, 0, done, context)->tag = (uint64_t)(int64_t)code;
    if (!kafka->refusal)
        kafka->refusal = loop_timer_start(kafka->loop, 0, on_refused, kafka);
}

static rd_kafka_resp_err_t produce(struct kafka *kafka, const struct kafka_message *message, struct request *request)
{
    rd_kafka_headers_t *headers = rd_kafka_headers_new(message->header_count);
    rd_kafka_resp_err_t code;
    size_t i;

    for (i = 0; i < message->header_count; i++)
        rd_kafka_header_add(headers, message->headers[i].name, -1, message->headers[i].value, -1);
    code = rd_kafka_producev(kafka->handle, RD_KAFKA_V_TOPIC(message->topic), RD_KAFKA_V_MSGFLAGS(RD_KAFKA_MSG_F_COPY),
                             RD_KAFKA_V_KEY(message->key, message->key ? strlen(message->key) : 0),
                             RD_KAFKA_V_VALUE((void *)message->value.data, message->value.len),
                             RD_KAFKA_V_TIMESTAMP(message->wall_ms), RD_KAFKA_V_HEADERS(headers),
                             RD_KAFKA_V_OPAQUE(request), RD_KAFKA_V_END);
    if (code)
        rd_kafka_headers_destroy(headers); /* else they are its own */
    return code;
}

void kafka_produce(struct kafka *kafka, const struct kafka_message *message, bus_done *done, void *context)
{
    struct request *request;
    rd_kafka_resp_err_t code;

    if (!kafka->handle && start(kafka)) {
        refuse(kafka, kafka->trouble.code, done, context);
        return;
    }
    request = requests_add(&kafka->requests, NULL, 0, done, context);
    code = produce(kafka, message, request);
    if (!code)
        return;
    requests_withdraw(&kafka->requests, request);
    refuse(kafka, code, done, context);
}
