/*
 * A stand-in for S3 that costs next to nothing, with a latency added to every answer: for benchmarks only, so that what
 * is measured is the client. It verifies nothing. One epoll thread; bodies are counted and dropped, but for keys below
 * ".caisson/", which are kept so that a manifest can be read back.
 *
 *   s3_stub PORT            GET /__latency?MS sets the latency, GET /__stats answers and resets the counters,
 *                           GET /__rate?N,BURST lets N PUTs a second pass and answers 503 SlowDown to the rest (0: all pass)
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define HEAD_MAX 65536
#define KEPT_MAX 256

struct connection {
    int fd;
    char *in; /* head of the request, then the body where it is kept */
    size_t in_len;
    int64_t body_left;
    bool in_body, waiting;
    char method[8], target[4096];
    char *kept; /* body of a kept key */
    size_t kept_len;
    int64_t due_us;
    struct connection *next;
};

struct kept {
    char key[1024];
    char *data;
    size_t len;
    unsigned version;
};

static struct kept store[KEPT_MAX];
static size_t store_len;
static struct connection *first, *last; /* answers that wait for their time, in order: one latency for all */
static struct connection *gone;         /* closed; freed when nothing of this round knows them any more */
static int64_t latency_us, requests, put_count, refused, connections, body_bytes;
static double rate, burst, tokens; /* of PUTs */
static int64_t filled_us;
static int poller;

static int64_t now_us(void)
{
    struct timespec time;

    clock_gettime(CLOCK_MONOTONIC, &time);
    return (int64_t)time.tv_sec * 1000000 + time.tv_nsec / 1000;
}

static struct kept *find(const char *key, bool make)
{
    size_t i;

    for (i = 0; i < store_len; i++)
        if (strcmp(store[i].key, key) == 0)
            return &store[i];
    if (!make || store_len == KEPT_MAX)
        return NULL;
    snprintf(store[store_len].key, sizeof store[store_len].key, "%s", key);
    return &store[store_len++];
}

static void bury(struct connection *connection)
{
    connection->next = gone;
    gone = connection;
}

/* One that waits in the queue of answers is buried when its time comes. */
static void drop(struct connection *connection)
{
    close(connection->fd);
    connection->fd = -1;
    if (!connection->waiting)
        bury(connection);
}

static void free_gone(void)
{
    while (gone) {
        struct connection *connection = gone;

        gone = connection->next;
        free(connection->kept);
        free(connection->in);
        free(connection);
    }
}

static void send_all(struct connection *connection, const char *data, size_t len)
{
    while (len && connection->fd >= 0) {
        ssize_t sent = send(connection->fd, data, len, MSG_NOSIGNAL);

        if (sent > 0) {
            data += sent;
            len -= (size_t)sent;
        } else if (sent < 0 && errno != EAGAIN && errno != EINTR) {
            drop(connection);
        }
    }
}

static void reply(struct connection *connection, const char *status, const char *headers, const char *body, size_t len)
{
    char head[1024];
    int head_len = snprintf(head, sizeof head, "HTTP/1.1 %s\r\n%sContent-Length: %zu\r\nx-amz-request-id: 1\r\n\r\n",
                            status, headers, len);

    send_all(connection, head, (size_t)head_len);
    if (strcmp(connection->method, "HEAD") != 0)
        send_all(connection, body, len);
}

static void reply_text(struct connection *connection, const char *status, const char *text)
{
    reply(connection, status, "Content-Type: application/xml\r\n", text, strlen(text));
}

static bool has_token(void)
{
    int64_t now = now_us();

    tokens += rate * (double)(now - filled_us) / 1e6;
    filled_us = now;
    if (tokens > burst)
        tokens = burst;
    if (tokens < 1)
        return false;
    tokens -= 1;
    return true;
}

static void answer_put(struct connection *connection)
{
    char header[128];
    struct kept *kept;

    if (rate > 0 && !has_token()) {
        refused++;
        reply_text(connection, "503 Slow Down", "<Error><Code>SlowDown</Code></Error>");
        return;
    }
    if (!connection->kept) {
        reply(connection, "200 OK", "ETag: \"d41d8cd98f00b204e9800998ecf8427e\"\r\n", "", 0);
        return;
    }
    kept = find(connection->target, true);
    if (kept) {
        free(kept->data);
        kept->data = connection->kept;
        kept->len = connection->kept_len;
        kept->version++;
        connection->kept = NULL;
    }
    snprintf(header, sizeof header, "ETag: \"%032x\"\r\n", kept ? kept->version : 0);
    reply(connection, "200 OK", header, "", 0);
}

static void answer_get(struct connection *connection)
{
    char text[512], header[128];
    struct kept *kept = find(connection->target, false);

    if (strncmp(connection->target, "/__latency?", 11) == 0) {
        latency_us = atoll(connection->target + 11) * 1000;
        reply_text(connection, "200 OK", "");
    } else if (sscanf(connection->target, "/__rate?%lf,%lf", &rate, &burst) == 2) {
        tokens = burst;
        filled_us = now_us();
        reply_text(connection, "200 OK", "");
    } else if (strcmp(connection->target, "/__stats") == 0) {
        snprintf(text, sizeof text,
                 "{\"requests\":%lld,\"puts\":%lld,\"refused\":%lld,\"connections\":%lld,\"bytes\":%lld}",
                 (long long)requests - 1, (long long)put_count, (long long)refused, (long long)connections - 1,
                 (long long)body_bytes);
        requests = put_count = refused = connections = body_bytes = 0;
        reply_text(connection, "200 OK", text);
    } else if (strcmp(connection->target, "/__reset") == 0) {
        store_len = 0;
        reply_text(connection, "200 OK", "");
    } else if (kept) {
        snprintf(header, sizeof header, "ETag: \"%032x\"\r\n", kept->version);
        reply(connection, "200 OK", header, kept->data, kept->len);
    } else if (strstr(connection->target, "list-type=2")) {
        reply_text(connection, "200 OK",
                   "<ListBucketResult><KeyCount>0</KeyCount><IsTruncated>false</IsTruncated></ListBucketResult>");
    } else {
        reply_text(connection, "404 Not Found", "<Error><Code>NoSuchKey</Code></Error>");
    }
}

static void answer(struct connection *connection)
{
    connection->waiting = false;
    if (strcmp(connection->method, "PUT") == 0)
        answer_put(connection);
    else if (strcmp(connection->method, "POST") == 0 && strstr(connection->target, "uploads"))
        reply_text(connection, "200 OK",
                   "<InitiateMultipartUploadResult><UploadId>u1</UploadId></InitiateMultipartUploadResult>");
    else if (strcmp(connection->method, "POST") == 0)
        reply_text(connection, "200 OK",
                   "<CompleteMultipartUploadResult><ETag>\"d41d8cd98f00b204e9800998ecf8427e-1\"</ETag>"
                   "</CompleteMultipartUploadResult>");
    else if (strcmp(connection->method, "DELETE") == 0)
        reply(connection, "204 No Content", "", "", 0);
    else
        answer_get(connection);
    free(connection->kept);
    connection->kept = NULL;
    connection->kept_len = 0;
}

static void complete(struct connection *connection)
{
    connection->in_body = false;
    if (!latency_us || strncmp(connection->target, "/__", 3) == 0) {
        answer(connection);
        return;
    }
    connection->waiting = true;
    connection->due_us = now_us() + latency_us;
    connection->next = NULL;
    if (last)
        last->next = connection;
    else
        first = connection;
    last = connection;
}

/* True when a whole head was there. */
static bool parse_head(struct connection *connection)
{
    char *end = memmem(connection->in, connection->in_len, "\r\n\r\n", 4), *line;
    size_t head_len;

    if (!end)
        return false;
    *end = '\0';
    head_len = (size_t)(end - connection->in) + 4;
    requests++;
    connection->body_left = 0;
    if (sscanf(connection->in, "%7s %4095s", connection->method, connection->target) != 2)
        connection->method[0] = '\0';
    for (line = strstr(connection->in, "\r\n"); line; line = strstr(line + 2, "\r\n")) {
        if (strncasecmp(line + 2, "content-length:", 15) == 0)
            connection->body_left = atoll(line + 17);
        if (strncasecmp(line + 2, "expect:", 7) == 0)
            send_all(connection, "HTTP/1.1 100 Continue\r\n\r\n", 25);
    }
    if (strcmp(connection->method, "PUT") == 0) {
        put_count++;
        body_bytes += connection->body_left;
        if (strstr(connection->target, ".caisson"))
            connection->kept = malloc((size_t)connection->body_left + 1);
    }
    memmove(connection->in, connection->in + head_len, connection->in_len - head_len);
    connection->in_len -= head_len;
    connection->in_body = true;
    return true;
}

static void take_body(struct connection *connection)
{
    size_t taken = connection->in_len;

    if ((int64_t)taken > connection->body_left)
        taken = (size_t)connection->body_left;
    if (connection->kept && taken) {
        memcpy(connection->kept + connection->kept_len, connection->in, taken);
        connection->kept_len += taken;
    }
    memmove(connection->in, connection->in + taken, connection->in_len - taken);
    connection->in_len -= taken;
    connection->body_left -= (int64_t)taken;
}

static void process(struct connection *connection)
{
    while (connection->fd >= 0 && !connection->waiting) {
        if (!connection->in_body && !parse_head(connection))
            return;
        take_body(connection);
        if (connection->body_left)
            return;
        complete(connection);
    }
}

static void receive(struct connection *connection)
{
    int rounds;

    for (rounds = 0; rounds < 64 && connection->fd >= 0; rounds++) {
        ssize_t got;

        /* A dropped body needs no copy: MSG_TRUNC throws it away in the kernel. */
        if (connection->in_body && !connection->kept && connection->in_len == 0 && connection->body_left > 0) {
            size_t want = connection->body_left < (1 << 20) ? (size_t)connection->body_left : 1 << 20;

            got = recv(connection->fd, NULL, want, MSG_TRUNC);
            if (got > 0) {
                connection->body_left -= got;
                process(connection);
                continue;
            }
        } else {
            got = recv(connection->fd, connection->in + connection->in_len, HEAD_MAX - 1 - connection->in_len, 0);
            if (got > 0) {
                connection->in_len += (size_t)got;
                connection->in[connection->in_len] = '\0';
                process(connection);
                continue;
            }
        }
        if (got == 0 || (errno != EAGAIN && errno != EINTR))
            drop(connection);
        return;
    }
}

static void accept_all(int listener)
{
    int fd, one = 1;

    while ((fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK)) >= 0) {
        struct connection *connection = calloc(1, sizeof *connection);
        struct epoll_event event = {.events = EPOLLIN, .data.ptr = connection};

        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
        connection->fd = fd;
        connection->in = malloc(HEAD_MAX);
        connections++;
        epoll_ctl(poller, EPOLL_CTL_ADD, fd, &event);
    }
}

static void answer_due(void)
{
    int64_t now = now_us();

    while (first && first->due_us <= now) {
        struct connection *connection = first;

        first = connection->next;
        if (!first)
            last = NULL;
        if (connection->fd < 0) {
            bury(connection);
            continue;
        }
        answer(connection);
        process(connection);
    }
}

static int listen_on(const char *port)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0), one = 1;

    address.sin_port = htons((uint16_t)atoi(port));
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
    if (bind(fd, (struct sockaddr *)&address, sizeof address) != 0 || listen(fd, 1024) != 0) {
        perror("s3_stub");
        exit(1);
    }
    return fd;
}

int main(int argc, char **argv)
{
    struct epoll_event events[256], event = {.events = EPOLLIN};
    int listener, count, i;

    if (argc != 2) {
        fprintf(stderr, "s3_stub PORT\n");
        return 2;
    }
    signal(SIGPIPE, SIG_IGN);
    listener = listen_on(argv[1]);
    poller = epoll_create1(0);
    epoll_ctl(poller, EPOLL_CTL_ADD, listener, &event);
    for (;;) {
        int64_t wait_us = first ? first->due_us - now_us() : -1;
        struct timespec wait = {wait_us > 0 ? wait_us / 1000000 : 0, wait_us > 0 ? wait_us % 1000000 * 1000 : 0};

        count = epoll_pwait2(poller, events, 256, first ? &wait : NULL, NULL);
        for (i = 0; i < count; i++)
            if (!events[i].data.ptr)
                accept_all(listener);
            else if (((struct connection *)events[i].data.ptr)->fd >= 0)
                receive(events[i].data.ptr);
        answer_due();
        free_gone();
    }
}
