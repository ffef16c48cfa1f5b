#include "support/http_server.h"

#include "support/end_with.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#define REQUEST_MAX (4 * 1024 * 1024)

struct connection {
    int fd;
    char *data; /* what has been read */
    size_t len;
    int requests;
};

static int listen_on_loopback(int *port)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof address;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    if (fd < 0 || bind(fd, (struct sockaddr *)&address, size) || listen(fd, 512) ||
        getsockname(fd, (struct sockaddr *)&address, &size))
        abort();
    *port = ntohs(address.sin_port);
    return fd;
}

static void send_all(int fd, const char *data, size_t len)
{
    while (len) {
        ssize_t sent = send(fd, data, len, MSG_NOSIGNAL);

        if (sent <= 0)
            _exit(0);
        data += sent;
        len -= (size_t)sent;
    }
}

static void answer(int fd, int status, const char *headers, const char *body, size_t len)
{
    char head[2048];
    int size = snprintf(head, sizeof head,
                        "HTTP/1.1 %d Status\r\nDate: Sun, 06 Nov 1994 08:49:37 GMT\r\nContent-Length: %zu\r\n%s\r\n",
                        status, len, headers);

    send_all(fd, head, (size_t)size);
    send_all(fd, body, len);
}

/* Reads until a whole request is there; its length, or 0 at the end of the connection. */
static size_t read_request(struct connection *connection)
{
    for (;;) {
        char *end = connection->len ? memmem(connection->data, connection->len, "\r\n\r\n", 4) : NULL;
        ssize_t got;

        if (end) {
            size_t head = (size_t)(end - connection->data) + 4;
            size_t body = 0;
            char *line;

            connection->data[connection->len] = '\0';
            line = strcasestr(connection->data, "\r\nContent-Length:");
            if (line && line < end)
                body = strtoul(line + 17, NULL, 10);
            if (connection->len >= head + body)
                return head + body;
        }
        if (connection->len >= REQUEST_MAX)
            return 0;
        got = recv(connection->fd, connection->data + connection->len, REQUEST_MAX - connection->len, 0);
        if (got <= 0)
            return 0;
        connection->len += (size_t)got;
    }
}

static void answer_size(int fd, const char *number)
{
    size_t size = strtoul(number, NULL, 10);
    char *body = malloc(size + 1);

    memset(body, 'x', size);
    answer(fd, 200, "", body, size);
    free(body);
}

static void answer_headers(int fd, const char *number)
{
    static const char head[] = "HTTP/1.1 200 OK\r\n";
    long count = strtol(number, NULL, 10);
    char line[64];
    long i;

    send_all(fd, head, sizeof head - 1);
    for (i = 0; i < count; i++)
        send_all(fd, line, (size_t)snprintf(line, sizeof line, "X-Header-%ld: value\r\n", i));
    send_all(fd, "Content-Length: 0\r\n\r\n", 21);
}

static void answer_slowly(int fd, const char *number)
{
    static const char head[] = "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n";
    int i;

    send_all(fd, head, sizeof head - 1);
    for (i = 0; i < 10; i++) {
        usleep((useconds_t)(strtoul(number, NULL, 10) * 1000));
        send_all(fd, "x", 1);
    }
}

/* The part of a path after a prefix; NULL when it does not begin so. */
static const char *after(const char *path, const char *prefix)
{
    return strncmp(path, prefix, strlen(prefix)) == 0 ? path + strlen(prefix) : NULL;
}

static void answer_with_header(int fd, int status, const char *name, const char *value)
{
    char header[1024];

    snprintf(header, sizeof header, "%s: %s\r\n", name, value);
    answer(fd, status, header, "", 0);
}

static void serve(struct connection *connection, const char *path, bool head_only, size_t request_len)
{
    char text[64];
    const char *rest;
    int fd = connection->fd;

    if ((rest = after(path, "/status/"))) {
        int status = atoi(rest);
        size_t len = (size_t)snprintf(text, sizeof text, "status %d", status);

        answer(fd, status, "", text, head_only || status == 204 || status == 304 ? 0 : len);
    } else if (after(path, "/echo")) {
        answer(fd, 200, "Content-Type: text/plain\r\n", connection->data, request_len);
    } else if (after(path, "/count")) {
        answer(fd, 200, "", text, (size_t)snprintf(text, sizeof text, "%d", connection->requests));
    } else if ((rest = after(path, "/size/"))) {
        answer_size(fd, rest);
    } else if ((rest = after(path, "/headers/"))) {
        answer_headers(fd, rest);
    } else if ((rest = after(path, "/redirect/"))) {
        answer_with_header(fd, atoi(rest), "Location", strchr(rest, '?') ? strchr(rest, '?') + 1 : "/");
    } else if ((rest = after(path, "/retry-after?"))) {
        answer_with_header(fd, 503, "Retry-After", rest);
    } else if ((rest = after(path, "/drip/"))) {
        answer_slowly(fd, rest);
    } else if (after(path, "/stall")) {
        pause();
    } else if (after(path, "/cut")) {
        send_all(fd, "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n0123456789", 51);
        _exit(0);
    } else if (after(path, "/once")) {
        answer(fd, 200, "", "once", 4);
        _exit(0);
    } else if (after(path, "/close")) {
        _exit(0);
    } else {
        answer(fd, 404, "", "no such path", 12);
    }
}

static _Noreturn void serve_connection(int fd)
{
    struct connection connection = {.fd = fd, .data = malloc(REQUEST_MAX + 1)};
    char path[1024], method[16];
    int on = 1;
    size_t len;

    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    while ((len = read_request(&connection))) {
        connection.requests++;
        if (sscanf(connection.data, "%15s %1023s", method, path) != 2)
            break;
        serve(&connection, path, strcmp(method, "HEAD") == 0, len);
        connection.len -= len;
        memmove(connection.data, connection.data + len, connection.len);
    }
    _exit(0);
}

static _Noreturn void hang_up(int fd)
{
    char byte;
    ssize_t ignored = recv(fd, &byte, 1, 0);

    (void)ignored;
    _exit(0);
}

static void start(struct http_server *server, void (*serve_peer)(int fd))
{
    int fd = listen_on_loopback(&server->port);
    pid_t parent = getpid();

    server->pid = fork();
    if (server->pid < 0)
        abort();
    if (server->pid > 0) {
        close(fd);
        return;
    }
    setpgid(0, 0);
    end_with(parent);
    parent = getpid();
    signal(SIGCHLD, SIG_IGN);
    for (;;) {
        int peer = accept4(fd, NULL, NULL, SOCK_CLOEXEC);

        if (peer < 0)
            continue;
        if (fork() == 0) {
            close(fd);
            end_with(parent);
            serve_peer(peer);
        }
        close(peer);
    }
}

void http_server_start(struct http_server *server)
{
    start(server, serve_connection);
}

void http_server_start_mute(struct http_server *server)
{
    start(server, hang_up);
}

void http_server_stop(struct http_server *server)
{
    kill(server->pid, SIGKILL);
    waitpid(server->pid, NULL, 0);
}

int http_server_unused_port(void)
{
    int port;

    close(listen_on_loopback(&port));
    return port;
}
