#include "support/loop_server.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "core/mem.h"

#define REQUEST_MAX ((size_t)64 << 20)

struct connection {
    struct loop_server *server;
    struct connection *next;
    int fd;
    struct loop_watch *watch;
    struct buf in, out;
};

struct loop_server {
    struct loop *loop;
    int fd, port;
    struct loop_watch *watch;
    struct connection *connections;
    void (*answer)(void *context, const struct loop_request *request, struct buf *out);
    void *context;
};

const char *loop_request_header(const struct loop_request *request, const char *name, char *value, size_t size)
{
    size_t len = strlen(name);
    const char *line = request->headers;

    while (*line) {
        size_t end = strcspn(line, "\r\n");

        if (strncasecmp(line, name, len) == 0 && line[len] == ':') {
            size_t skip = len + 1 + strspn(line + len + 1, " ");

            snprintf(value, size, "%.*s", (int)(end - skip), line + skip);
            return value;
        }
        line += end + strspn(line + end, "\r\n");
    }
    return NULL;
}

void loop_answer(struct buf *out, int status, const char *headers, const char *body)
{
    buf_addf(out, "HTTP/1.1 %d Whatever\r\n%sContent-Length: %zu\r\n\r\n%s", status, headers, strlen(body), body);
}

static void drop(struct connection *connection)
{
    struct connection **at = &connection->server->connections;

    while (*at != connection)
        at = &(*at)->next;
    *at = connection->next;
    loop_unwatch(connection->watch);
    close(connection->fd);
    buf_dispose(&connection->in);
    buf_dispose(&connection->out);
    free(connection);
}

static size_t body_length(const char *headers)
{
    struct loop_request request = {.headers = headers};
    char value[32];

    return loop_request_header(&request, "Content-Length", value, sizeof value) ? strtoul(value, NULL, 10) : 0;
}

enum served { SERVED, INCOMPLETE, DROPPED };

/* Takes the first request out of the buffer. */
static enum served serve_one(struct connection *connection)
{
    char *text = connection->in.data;
    char *end = text ? strstr(text, "\r\n\r\n") : NULL;
    char *line, *method, *target;
    struct loop_request request;
    size_t head, length;

    if (!end)
        return INCOMPLETE;
    head = (size_t)(end - text) + 4;
    end[2] = '\0';
    line = strstr(text, "\r\n");
    length = body_length(line + 2);
    if (connection->in.len < head + length) {
        end[2] = '\r';
        return INCOMPLETE;
    }
    *line = '\0';
    method = text;
    target = strchr(text, ' ');
    *target++ = '\0';
    *strchrnul(target, ' ') = '\0';
    request = (struct loop_request){method, target, line + 2, {text + head, length}};
    connection->server->answer(connection->server->context, &request, &connection->out);
    buf_consume(&connection->in, head + length);
    if (connection->out.len == 0) {
        drop(connection);
        return DROPPED;
    }
    return SERVED;
}

static void on_ready(void *context, int events)
{
    struct connection *connection = context;
    enum served served;
    char bytes[65536];
    ssize_t n;

    if (events & LOOP_READ) {
        n = recv(connection->fd, bytes, sizeof bytes, MSG_DONTWAIT);
        if (n <= 0) {
            drop(connection);
            return;
        }
        buf_add(&connection->in, bytes, (size_t)n);
        do
            served = serve_one(connection);
        while (served == SERVED);
        if (served == DROPPED)
            return;
    }
    if (connection->out.len) {
        n = send(connection->fd, connection->out.data, connection->out.len, MSG_DONTWAIT | MSG_NOSIGNAL);
        if (n > 0)
            buf_consume(&connection->out, (size_t)n);
    }
    loop_watch_events(connection->watch, LOOP_READ | (connection->out.len ? LOOP_WRITE : 0));
}

static void on_connection(void *context, int events)
{
    struct loop_server *server = context;
    int fd = accept4(server->fd, NULL, NULL, SOCK_CLOEXEC);
    struct connection *connection;

    (void)events;
    if (fd < 0)
        return;
    connection = xcalloc(1, sizeof *connection);
    connection->server = server;
    connection->fd = fd;
    buf_init(&connection->in, REQUEST_MAX);
    buf_init(&connection->out, REQUEST_MAX);
    connection->next = server->connections;
    server->connections = connection;
    connection->watch = loop_watch(server->loop, fd, LOOP_READ, on_ready, connection);
}

struct loop_server *
loop_server_start(struct loop *loop, void (*answer)(void *context, const struct loop_request *request, struct buf *out),
                  void *context)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    struct loop_server *server = xcalloc(1, sizeof *server);
    socklen_t size = sizeof address;

    server->loop = loop;
    server->answer = answer;
    server->context = context;
    server->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (server->fd < 0 || bind(server->fd, (struct sockaddr *)&address, sizeof address) || listen(server->fd, 512) ||
        getsockname(server->fd, (struct sockaddr *)&address, &size)) {
        perror("loop_server");
        abort();
    }
    server->port = ntohs(address.sin_port);
    server->watch = loop_watch(loop, server->fd, LOOP_READ, on_connection, server);
    return server;
}

void loop_server_stop(struct loop_server *server)
{
    while (server->connections)
        drop(server->connections);
    loop_unwatch(server->watch);
    close(server->fd);
    free(server);
}

int loop_server_port(const struct loop_server *server)
{
    return server->port;
}
