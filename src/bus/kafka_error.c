#include <errno.h>
#include <string.h>

#include "bus/kafka_internal.h"

struct meaning {
    rd_kafka_resp_err_t code;
    const char *reason;
};

/* https://kafka.apache.org/protocol#protocol_error_codes, and librdkafka's own below zero. */
static const struct meaning meanings[] = {
    {RD_KAFKA_RESP_ERR__AUTHENTICATION, "broker-denied"},
    {RD_KAFKA_RESP_ERR_SASL_AUTHENTICATION_FAILED, "broker-denied"},
    {RD_KAFKA_RESP_ERR_UNSUPPORTED_SASL_MECHANISM, "broker-denied"},
    {RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED, "broker-denied"},
    {RD_KAFKA_RESP_ERR_CLUSTER_AUTHORIZATION_FAILED, "broker-denied"},
    {RD_KAFKA_RESP_ERR_TRANSACTIONAL_ID_AUTHORIZATION_FAILED, "broker-denied"},
    {RD_KAFKA_RESP_ERR__SSL, "tls-failed"},
    {RD_KAFKA_RESP_ERR__UNKNOWN_TOPIC, "unknown-topic"},
    {RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART, "unknown-topic"},
    {RD_KAFKA_RESP_ERR_TOPIC_EXCEPTION, "unknown-topic"},
    {RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE, "message-too-large"},
    {RD_KAFKA_RESP_ERR_INVALID_MSG_SIZE, "message-too-large"},
    {RD_KAFKA_RESP_ERR_RECORD_LIST_TOO_LARGE, "message-too-large"},
    {RD_KAFKA_RESP_ERR__RESOLVE, "name-lookup-failed"},
    {RD_KAFKA_RESP_ERR__TRANSPORT, "connect-failed"},
    {RD_KAFKA_RESP_ERR__ALL_BROKERS_DOWN, "connect-failed"},
    {RD_KAFKA_RESP_ERR_NETWORK_EXCEPTION, "connection-lost"},
    {RD_KAFKA_RESP_ERR__MSG_TIMED_OUT, "timed-out"},
    {RD_KAFKA_RESP_ERR__TIMED_OUT, "timed-out"},
    {RD_KAFKA_RESP_ERR__TIMED_OUT_QUEUE, "timed-out"},
    {RD_KAFKA_RESP_ERR_REQUEST_TIMED_OUT, "timed-out"},
    {RD_KAFKA_RESP_ERR__QUEUE_FULL, "broker-busy"},
    {RD_KAFKA_RESP_ERR__CRIT_SYS_RESOURCE, "broker-busy"},
    {RD_KAFKA_RESP_ERR__ISR_INSUFF, "broker-busy"},
    {RD_KAFKA_RESP_ERR_LEADER_NOT_AVAILABLE, "broker-busy"},
    {RD_KAFKA_RESP_ERR_NOT_LEADER_FOR_PARTITION, "broker-busy"},
    {RD_KAFKA_RESP_ERR_BROKER_NOT_AVAILABLE, "broker-busy"},
    {RD_KAFKA_RESP_ERR_NOT_ENOUGH_REPLICAS, "broker-busy"},
    {RD_KAFKA_RESP_ERR_NOT_ENOUGH_REPLICAS_AFTER_APPEND, "broker-busy"},
    {RD_KAFKA_RESP_ERR_KAFKA_STORAGE_ERROR, "broker-busy"},
    {RD_KAFKA_RESP_ERR_THROTTLING_QUOTA_EXCEEDED, "broker-busy"},
    {RD_KAFKA_RESP_ERR_OUT_OF_ORDER_SEQUENCE_NUMBER, "connection-lost"},
    {RD_KAFKA_RESP_ERR_UNKNOWN_PRODUCER_ID, "connection-lost"},
    {RD_KAFKA_RESP_ERR_INVALID_PRODUCER_EPOCH, "connection-lost"},
    {RD_KAFKA_RESP_ERR__FATAL, "connection-lost"},
    {RD_KAFKA_RESP_ERR__STATE, "connection-lost"},
};

static const char *reason_of(rd_kafka_resp_err_t code)
{
    size_t i;

    for (i = 0; i < sizeof meanings / sizeof *meanings; i++)
        if (meanings[i].code == code)
            return meanings[i].reason;
    return "broker-refused";
}

static bool is(const char *reason, const char *other)
{
    return strcmp(reason, other) == 0;
}

static bool is_retryable(const char *reason)
{
    static const char *const passing[] = {"name-lookup-failed", "connect-failed",  "timed-out",
                                          "broker-busy",        "connection-lost", NULL};
    int i;

    for (i = 0; passing[i]; i++)
        if (is(reason, passing[i]))
            return true;
    return false;
}

/* A handshake that was cut short is told as an error of TLS too, and passes by itself. */
static bool is_cut_handshake(const char *text)
{
    return strstr(text, "isconnect") || strstr(text, "eset by peer") || strstr(text, "unexpected eof") ||
           strstr(text, "SYSCALL") || strstr(text, "imed out");
}

/* What connect_to_others answers; the system says it of a connection over TCP nowhere else. */
static bool is_own_address(const char *text)
{
    return strstr(text, strerror(EACCES)) != NULL;
}

bool kafka_trouble_is_final(const struct kafka_trouble *trouble)
{
    const char *reason = reason_of(trouble->code);

    if (is(reason, "tls-failed"))
        return !is_cut_handshake(trouble->text);
    return is(reason, "broker-denied") || (is(reason, "connect-failed") && is_own_address(trouble->text));
}

static void add_hint(struct error *err)
{
    if (is(err->reason, "broker-denied"))
        error_hint(err, "check user, password and mechanism, and that its rights allow to write to the topic");
    else if (is(err->reason, "tls-failed"))
        error_hint(err,
                   "check the brokers' names, the machine's clock, the CA bundle in use, and that the port speaks TLS");
    else if (is(err->reason, "unknown-topic"))
        error_hint(err, "make the topic: it is not made by writing to it");
    else if (is(err->reason, "connect-failed") || is(err->reason, "name-lookup-failed"))
        error_hint(err, "check the brokers' names and ports, and whether the network lets this task reach them");
}

void kafka_explain(const char *brokers, rd_kafka_resp_err_t code, const struct kafka_trouble *trouble,
                   struct error *err)
{
    const char *text = rd_kafka_err2str(code), *reason = reason_of(code);

    /* that time is over is said of every message that no broker took, whatever kept it */
    if ((is(reason, "timed-out") || code == trouble->code) && trouble->code) {
        text = trouble->text;
        reason = reason_of(trouble->code);
    }
    if (is(reason, "tls-failed") && is_cut_handshake(text))
        reason = "connection-lost";
    if (is(reason, "connect-failed") && is_own_address(text)) {
        reason = "own-address";
        text =
            "a broker is at an address of this machine (loopback or link-local), where any program that runs here may "
            "answer";
    }
    error_set(err, is(reason, "broker-denied") ? CLASS_CREDENTIALS : CLASS_PLATFORM, reason, "kafka %s: %s", brokers,
              text);
    if (is_retryable(reason))
        error_retryable(err, 0);
    add_hint(err);
}
