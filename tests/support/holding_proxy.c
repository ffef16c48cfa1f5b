#include "support/holding_proxy.h"

#include "support/end_with.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "core/mem.h"

#define REQUEST_MAX ((size_t)32 << 20)

static void nap(void)
{
    nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
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

/* Length of the whole request at the start of the data; 0 when it is not all there. */
static size_t request_length(const char *data, size_t len)
{
    const char *end = memmem(data, len, "\r\n\r\n", 4), *line;
    size_t whole;

    if (!end)
        return 0;
    whole = (size_t)(end - data) + 4;
    line = strcasestr(data, "\r\nContent-Length:");
    if (line && line < end)
        whole += strtoul(line + 17, NULL, 10);
    return len >= whole ? whole : 0;
}

static void hold(struct holding_shared *shared)
{
    atomic_store(&shared->held, 1);
    while (!atomic_load(&shared->released))
        nap();
}

static void forward(struct holding_shared *shared, int upstream, const char *data, size_t len)
{
    int number = atomic_fetch_add(&shared->requests, 1) + 1;
    bool held = number == atomic_load(&shared->hold_at);
    struct pollfd answer = {.fd = upstream, .events = POLLIN};

    if (held)
        snprintf(shared->line, sizeof shared->line, "%.*s", (int)strcspn(data, "\r"), data);
    if (held && atomic_load(&shared->what) == HOLD_REQUEST)
        hold(shared);
    send_all(upstream, data, len);
    if (!held)
        return;
    poll(&answer, 1, 10000); /* the server has done it */
    if (atomic_load(&shared->what) == HOLD_ANSWER)
        hold(shared);
    atomic_store(&shared->passed, 1);
}

static void refuse(int client, bool head, const char *status, const char *code)
{
    char text[512], body[128];

    snprintf(body, sizeof body, "<Error><Code>%s</Code><Message>by the proxy</Message></Error>", code);
    snprintf(text, sizeof text, "HTTP/1.1 %s\r\nContent-Type: application/xml\r\nContent-Length: %zu\r\n\r\n%s", status,
             strlen(body), head ? "" : body);
    send_all(client, text, strlen(text));
}

/* Whether the proxy answers by itself. */
static bool is_refused(struct holding_shared *shared, int client, const char *data)
{
    CLEANUP_FREE char *line = xstrndup(data, strcspn(data, "\r"));
    bool get = strncmp(line, "GET ", 4) == 0, put = strncmp(line, "PUT ", 4) == 0;
    bool of_state = strstr(line, "/.caisson/") != NULL, list = strstr(line, "list-type=2") != NULL;
    int deny = atomic_load(&shared->deny);

    if ((get && of_state && (deny & DENY_STATE_GET)) || (put && of_state && (deny & DENY_STATE_PUT)) ||
        (list && (deny & DENY_LIST)) || (put && !of_state && (deny & DENY_OBJECT_PUT)) ||
        (strncmp(line, "HEAD ", 5) == 0 && (deny & DENY_HEAD))) {
        refuse(client, line[0] == 'H', "403 Forbidden", "AccessDenied");
        return true;
    }
    if (put && !of_state && atomic_load(&shared->slow_downs) > 0 && atomic_fetch_sub(&shared->slow_downs, 1) > 0) {
        refuse(client, false, "503 Slow Down", "SlowDown");
        return true;
    }
    return false;
}

static void serve(struct holding_shared *shared, int client, int upstream)
{
    char *data = xmalloc(REQUEST_MAX + 1), block[65536];
    struct pollfd fds[] = {{.fd = client, .events = POLLIN}, {.fd = upstream, .events = POLLIN}};
    size_t len = 0, whole;
    ssize_t got;

    for (;;) {
        poll(fds, 2, -1);
        if (fds[1].revents) {
            got = read(upstream, block, sizeof block);
            if (got <= 0)
                _exit(0);
            send_all(client, block, (size_t)got);
        }
        if (!fds[0].revents)
            continue;
        got = len < REQUEST_MAX ? read(client, data + len, REQUEST_MAX - len) : 0;
        if (got <= 0)
            _exit(0);
        len += (size_t)got;
        data[len] = '\0';
        while ((whole = request_length(data, len)) > 0) {
            if (!is_refused(shared, client, data))
                forward(shared, upstream, data, whole);
            memmove(data, data + whole, len - whole);
            len -= whole;
        }
    }
}

static int connect_to(int port)
{
    struct sockaddr_in address = {
        .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK), .sin_port = htons((uint16_t)port)};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), on = 1;

    if (fd < 0 || connect(fd, (struct sockaddr *)&address, sizeof address))
        _exit(1);
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    return fd;
}

static void accept_all(struct holding_shared *shared, int listener, int server_port, pid_t parent)
{
    int client, on = 1;

    end_with(parent);
    parent = getpid();
    signal(SIGCHLD, SIG_IGN);
    for (;;) {
        client = accept(listener, NULL, NULL);
        if (client < 0)
            continue;
        setsockopt(client, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
        if (fork() == 0) {
            close(listener);
            end_with(parent);
            serve(shared, client, connect_to(server_port));
        }
        close(client);
    }
}

void holding_proxy_start(struct holding_proxy *proxy, int server_port)
{
    pid_t parent;
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof address;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    if (fd < 0 || bind(fd, (struct sockaddr *)&address, size) || listen(fd, 512) ||
        getsockname(fd, (struct sockaddr *)&address, &size))
        abort();
    proxy->port = ntohs(address.sin_port);
    proxy->endpoint = xasprintf("http://127.0.0.1:%d", proxy->port);
    proxy->shared = mmap(NULL, sizeof *proxy->shared, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (proxy->shared == MAP_FAILED)
        abort();
    parent = getpid();
    proxy->pid = fork();
    if (proxy->pid == 0)
        accept_all(proxy->shared, fd, server_port, parent);
    close(fd);
}

void holding_proxy_stop(struct holding_proxy *proxy)
{
    kill(proxy->pid, SIGKILL);
    waitpid(proxy->pid, NULL, 0);
    munmap(proxy->shared, sizeof *proxy->shared);
    free(proxy->endpoint);
}

void holding_proxy_hold(struct holding_proxy *proxy, int number, enum holding_what what)
{
    atomic_store(&proxy->shared->requests, 0);
    atomic_store(&proxy->shared->held, 0);
    atomic_store(&proxy->shared->released, 0);
    atomic_store(&proxy->shared->passed, 0);
    atomic_store(&proxy->shared->what, what);
    atomic_store(&proxy->shared->hold_at, number);
}

bool holding_proxy_wait(struct holding_proxy *proxy, pid_t pid)
{
    siginfo_t info;

    for (;;) {
        if (atomic_load(&proxy->shared->held))
            return true;
        info.si_pid = 0;
        if (waitid(P_PID, (id_t)pid, &info, WEXITED | WNOHANG | WNOWAIT) || info.si_pid == pid)
            return false;
        nap();
    }
}

void holding_proxy_release(struct holding_proxy *proxy)
{
    atomic_store(&proxy->shared->released, 1);
    while (atomic_load(&proxy->shared->held) && !atomic_load(&proxy->shared->passed))
        nap();
}
