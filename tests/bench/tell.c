/*
 * What a bare client of the same library takes to send the same messages: the lines of standard input, each confirmed
 * before the next is sent, as a sink does with batches of lines.
 *
 *   tell file PATH | http URL | redis PORT USER STREAM | amqp PORT USER VHOST EXCHANGE KEY | kafka BROKERS TOPIC |
 *        aws SERVICE REGION URL CONTENT-TYPE TARGET
 *
 * Passwords come by BENCH_PASSWORD, keys of AWS by its variables. For aws a line is the whole request, which has to be
 * signed; TARGET "-": it has none. All without TLS: that costs both the same.
 */
#define _GNU_SOURCE
#include <curl/curl.h>
#include <fcntl.h>
#include <hiredis/hiredis.h>
#include <librdkafka/rdkafka.h>
#if __has_include(<rabbitmq-c/amqp.h>)
#include <rabbitmq-c/amqp.h>
#include <rabbitmq-c/tcp_socket.h>
#else /* before 0.12 */
#include <amqp.h>
#include <amqp_tcp_socket.h>
#endif
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/uio.h>
#include <unistd.h>

struct client {
    int fd;
    CURL *easy;
    struct curl_slist *headers;
    redisContext *redis;
    amqp_connection_state_t amqp;
    rd_kafka_t *kafka;
    char **words;
};

static void die(const char *what)
{
    fprintf(stderr, "tell: %s\n", what);
    exit(1);
}

static int number(const char *text)
{
    return (int)strtol(text, NULL, 10);
}

static void file_open(struct client *client)
{
    client->fd = open(client->words[0], O_WRONLY | O_CREAT | O_APPEND, 0644);
}

static void file_send(struct client *client, char *body, size_t len)
{
    struct iovec parts[2] = {{body, len}, {"\n", 1}};

    if (writev(client->fd, parts, 2) != (ssize_t)len + 1)
        die("write");
}

static size_t ignore(char *data, size_t size, size_t count, void *context)
{
    (void)data;
    (void)context;
    return size * count;
}

static void http_open(struct client *client)
{
    client->easy = curl_easy_init();
    client->headers = curl_slist_append(NULL, "Content-Type: application/cloudevents+json; charset=utf-8");
    client->headers = curl_slist_append(client->headers, "Expect:");
    curl_easy_setopt(client->easy, CURLOPT_URL, client->words[0]);
    curl_easy_setopt(client->easy, CURLOPT_HTTPHEADER, client->headers);
    curl_easy_setopt(client->easy, CURLOPT_WRITEFUNCTION, ignore);
}

static void http_send(struct client *client, char *body, size_t len)
{
    long status = 0;

    curl_easy_setopt(client->easy, CURLOPT_POSTFIELDS, body);
    curl_easy_setopt(client->easy, CURLOPT_POSTFIELDSIZE, (long)len);
    if (curl_easy_perform(client->easy))
        die("http");
    curl_easy_getinfo(client->easy, CURLINFO_RESPONSE_CODE, &status);
    if (status / 100 != 2)
        die("http status");
}

static void add_header(struct client *client, const char *name, const char *value)
{
    char text[4096];

    snprintf(text, sizeof text, "%s: %s", name, value);
    client->headers = curl_slist_append(client->headers, text);
}

static void aws_open(struct client *client)
{
    const char *token = getenv("AWS_SESSION_TOKEN");
    char signer[256];

    client->easy = curl_easy_init();
    snprintf(signer, sizeof signer, "aws:amz:%s:%s", client->words[1], client->words[0]);
    add_header(client, "Content-Type", client->words[3]);
    if (strcmp(client->words[4], "-") != 0)
        add_header(client, "X-Amz-Target", client->words[4]);
    if (token)
        add_header(client, "X-Amz-Security-Token", token);
    curl_easy_setopt(client->easy, CURLOPT_AWS_SIGV4, signer); /* headers too: since 7.87 */
    curl_easy_setopt(client->easy, CURLOPT_USERNAME, getenv("AWS_ACCESS_KEY_ID"));
    curl_easy_setopt(client->easy, CURLOPT_PASSWORD, getenv("AWS_SECRET_ACCESS_KEY"));
    curl_easy_setopt(client->easy, CURLOPT_URL, client->words[2]);
    curl_easy_setopt(client->easy, CURLOPT_HTTPHEADER, client->headers);
    curl_easy_setopt(client->easy, CURLOPT_WRITEFUNCTION, ignore);
}

static void redis_open(struct client *client)
{
    redisReply *reply;

    client->redis = redisConnect("127.0.0.1", number(client->words[0]));
    if (!client->redis || client->redis->err)
        die("redis");
    reply = redisCommand(client->redis, "AUTH %s %s", client->words[1], getenv("BENCH_PASSWORD"));
    if (!reply || reply->type == REDIS_REPLY_ERROR)
        die("redis: AUTH");
    freeReplyObject(reply);
}

static void redis_send(struct client *client, char *body, size_t len)
{
    redisReply *reply = redisCommand(client->redis, "XADD %s MAXLEN ~ 10000 * id %s event %b", client->words[2],
                                     "0123456789abcdef0123456789abcdef-000000000001-1", body, len);

    if (!reply || reply->type == REDIS_REPLY_ERROR)
        die("redis: XADD");
    freeReplyObject(reply);
}

static void amqp_open(struct client *client)
{
    amqp_socket_t *sock;

    client->amqp = amqp_new_connection();
    sock = amqp_tcp_socket_new(client->amqp);
    if (amqp_socket_open(sock, "127.0.0.1", number(client->words[0])))
        die("amqp");
    if (amqp_login(client->amqp, client->words[2], 1, 131072, 0, AMQP_SASL_METHOD_PLAIN, client->words[1],
                   getenv("BENCH_PASSWORD"))
            .reply_type != AMQP_RESPONSE_NORMAL)
        die("amqp: login");
    if (!amqp_channel_open(client->amqp, 1) || !amqp_confirm_select(client->amqp, 1))
        die("amqp: channel");
}

static void amqp_send(struct client *client, char *body, size_t len)
{
    amqp_basic_properties_t properties = {._flags = AMQP_BASIC_DELIVERY_MODE_FLAG | AMQP_BASIC_MESSAGE_ID_FLAG,
                                          .delivery_mode = 2,
                                          .message_id = amqp_cstring_bytes("0123456789abcdef-000000000001-1")};
    amqp_frame_t frame;

    if (amqp_basic_publish(client->amqp, 1, amqp_cstring_bytes(client->words[3]), amqp_cstring_bytes(client->words[4]),
                           1, 0, &properties, (amqp_bytes_t){len, body}))
        die("amqp: publish");
    if (amqp_simple_wait_frame(client->amqp, &frame) || frame.frame_type != AMQP_FRAME_METHOD ||
        frame.payload.method.id != AMQP_BASIC_ACK_METHOD)
        die("amqp: not confirmed");
    amqp_maybe_release_buffers(client->amqp);
}

static void kafka_open(struct client *client)
{
    rd_kafka_conf_t *conf = rd_kafka_conf_new();
    char text[256];

    rd_kafka_conf_set(conf, "bootstrap.servers", client->words[0], text, sizeof text);
    rd_kafka_conf_set(conf, "enable.idempotence", "true", text, sizeof text);
    rd_kafka_conf_set(conf, "linger.ms", "2", text, sizeof text);
    client->kafka = rd_kafka_new(RD_KAFKA_PRODUCER, conf, text, sizeof text);
    if (!client->kafka)
        die(text);
}

static void kafka_send(struct client *client, char *body, size_t len)
{
    if (rd_kafka_producev(client->kafka, RD_KAFKA_V_TOPIC(client->words[1]), RD_KAFKA_V_MSGFLAGS(RD_KAFKA_MSG_F_COPY),
                          RD_KAFKA_V_KEY("bench", 5), RD_KAFKA_V_VALUE(body, len), RD_KAFKA_V_END) ||
        rd_kafka_flush(client->kafka, 30000))
        die("kafka");
}

static const struct kind {
    const char *name;
    int words;
    void (*open)(struct client *client);
    void (*send)(struct client *client, char *body, size_t len);
} kinds[] = {
    {"file", 1, file_open, file_send}, {"http", 1, http_open, http_send},    {"redis", 3, redis_open, redis_send},
    {"amqp", 5, amqp_open, amqp_send}, {"kafka", 2, kafka_open, kafka_send}, {"aws", 5, aws_open, http_send},
};

int main(int argc, char **argv)
{
    struct client client = {.words = argv + 2};
    const struct kind *kind = NULL;
    char *line = NULL;
    size_t size = 0, i;
    ssize_t len;

    for (i = 0; argc > 1 && i < sizeof kinds / sizeof *kinds; i++)
        if (strcmp(kinds[i].name, argv[1]) == 0 && argc == 2 + kinds[i].words)
            kind = &kinds[i];
    if (!kind)
        die("what?");
    kind->open(&client);
    while ((len = getline(&line, &size, stdin)) > 0)
        kind->send(&client, line, (size_t)len - 1);
    free(line);
    return 0;
}
