#include "net/stream.h"

#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "core/address.h"
#include "core/mem.h"
#include "net/ca_bundle.h"
#include "net/http_internal.h"

#define DEFAULT_UNSENT (4u * 1024 * 1024)
#define READ_BYTES 16384
/* Reads of one turn: others want theirs too. */
#define READS_A_TURN 16

struct stream {
    struct loop *loop; /* borrowed */
    const struct stream_events *events;
    void *context;
    char *what, *target; /* "host:port" */
    int connect_timeout_ms;
    CURL *easy;
    struct loop_watch *watch; /* NULL until connected and after the end */
    struct loop_timer *again; /* reads or writes that must not wait for the socket */
    struct buf unsent;        /* twice the room, so that it is moved to its front now and then only */
    size_t sent;              /* bytes of it that are out already */
    size_t max_unsent;
    uint64_t written;
    bool connected, ended, own_refused;
    bool *gone; /* set by stream_close while a callback runs; NULL: none does */
    char detail[CURL_ERROR_SIZE];
};

static void on_ready(void *context, int events);

/* ---- the end ---- */

static void stop_watching(struct stream *stream)
{
    loop_unwatch(stream->watch);
    loop_timer_stop(stream->again);
    stream->watch = NULL;
    stream->again = NULL;
}

/* The last thing that a function does with the stream: its owner may free it. */
static void end(struct stream *stream, CURLcode code)
{
    struct http_failure failure = {
        .code = code,
        .easy = stream->easy,
        .method = stream->what,
        .target = stream->target,
        .detail = stream->detail,
        .connect_timeout_ms = stream->connect_timeout_ms,
    };
    struct error error;

    stop_watching(stream);
    stream->ended = true;
    if (stream->own_refused && !stream->connected)
        failure.fault = HTTP_FAULT_OWN_ADDRESS;
    http_failure_explain(&failure, &error);
    stream->events->ended(stream->context, &error);
}

/* ---- bytes ---- */

static void drop_sent(struct stream *stream)
{
    buf_consume(&stream->unsent, stream->sent);
    stream->sent = 0;
}

/* False when the connection is over. */
static bool flush(struct stream *stream)
{
    while (stream->sent < stream->unsent.len) {
        size_t count = 0;
        CURLcode code =
            curl_easy_send(stream->easy, stream->unsent.data + stream->sent, stream->unsent.len - stream->sent, &count);

        if (code == CURLE_AGAIN)
            break;
        if (code != CURLE_OK)
            return false;
        stream->sent += count;
        stream->written += count;
    }
    if (stream->sent == stream->unsent.len)
        drop_sent(stream);
    loop_watch_events(stream->watch, stream->sent < stream->unsent.len ? LOOP_READ | LOOP_WRITE : LOOP_READ);
    return true;
}

static void on_again(void *context)
{
    struct stream *stream = context;

    stream->again = NULL;
    on_ready(stream, LOOP_READ);
}

/* What TLS holds ready no poll shows, so it is read to the end, or another turn is asked for. */
static void read_all(struct stream *stream)
{
    char data[READ_BYTES];
    bool gone = false;
    int i;

    for (i = 0; i < READS_A_TURN; i++) {
        size_t count = 0;
        CURLcode code = curl_easy_recv(stream->easy, data, sizeof data, &count);

        if (code == CURLE_AGAIN)
            return;
        if (code != CURLE_OK || count == 0) {
            snprintf(stream->detail, sizeof stream->detail, "%s", "the other side closed the connection");
            end(stream, CURLE_RECV_ERROR);
            return;
        }
        stream->gone = &gone;
        stream->events->received(stream->context, (struct view){data, count});
        if (gone)
            return;
        stream->gone = NULL;
    }
    if (!stream->again)
        stream->again = loop_timer_start(stream->loop, 0, on_again, stream);
}

static void on_ready(void *context, int events)
{
    struct stream *stream = context;

    if (!flush(stream))
        end(stream, CURLE_SEND_ERROR);
    else if (events & LOOP_READ)
        read_all(stream);
}

int stream_send(struct stream *stream, const void *data, size_t len)
{
    if (stream->ended)
        return 0;
    if (len > stream->max_unsent - stream_unsent(stream))
        return -1;
    if (len > stream->unsent.max - stream->unsent.len)
        drop_sent(stream);
    buf_add(&stream->unsent, data, len);
    /* Written from the loop, so that a failure is told from there. */
    if (stream->watch)
        loop_watch_events(stream->watch, LOOP_READ | LOOP_WRITE);
    return 0;
}

size_t stream_unsent(const struct stream *stream)
{
    return stream->unsent.len - stream->sent;
}

uint64_t stream_written(const struct stream *stream)
{
    return stream->written;
}

/* ---- the beginning ---- */

static void on_connected(void *context, CURLcode code)
{
    struct stream *stream = context;
    curl_socket_t fd = CURL_SOCKET_BAD;
    bool gone = false;

    loop_forget_transfer(stream->loop, stream->easy);
    if (code == CURLE_OK)
        curl_easy_getinfo(stream->easy, CURLINFO_ACTIVESOCKET, &fd);
    if (fd == CURL_SOCKET_BAD) {
        end(stream, code ? code : CURLE_COULDNT_CONNECT);
        return;
    }
    stream->connected = true;
    stream->watch = loop_watch(stream->loop, fd, LOOP_READ | LOOP_WRITE, on_ready, stream);
    /* what came with the handshake's last flight shows in no poll */
    stream->again = loop_timer_start(stream->loop, 0, on_again, stream);
    stream->gone = &gone;
    stream->events->connected(stream->context);
    if (!gone)
        stream->gone = NULL;
}

static curl_socket_t on_open_socket(void *context, curlsocktype purpose, struct curl_sockaddr *address)
{
    struct stream *stream = context;

    (void)purpose;
    if (address_is_own(&address->addr)) {
        stream->own_refused = true;
        return CURL_SOCKET_BAD;
    }
    return socket(address->family, address->socktype | SOCK_CLOEXEC, address->protocol);
}

static void set_tls(struct loop *loop, CURL *easy, const char *ca_bundle)
{
    const char *bundle = ca_bundle_hold(loop, ca_bundle);

    curl_easy_setopt(easy, CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2);
    curl_easy_setopt(easy, CURLOPT_SSL_ENABLE_ALPN, 0L);
    curl_easy_setopt(easy, CURLOPT_CAPATH, NULL);
    if (bundle)
        curl_easy_setopt(easy, CURLOPT_CAINFO, bundle);
    curl_easy_setopt(easy, CURLOPT_CA_CACHE_TIMEOUT, -1L);
}

static void set_options(struct stream *stream, const struct stream_options *options)
{
    const char *host = options->host;
    bool bare = strchr(host, ':') && *host != '[';
    CLEANUP_FREE char *url = xasprintf("%s://%s%s%s:%d/", options->tls ? "https" : "http", bare ? "[" : "", host,
                                       bare ? "]" : "", options->port);
    CURL *easy = stream->easy;

    curl_easy_setopt(easy, CURLOPT_URL, url);
    curl_easy_setopt(easy, CURLOPT_CONNECT_ONLY, 1L);
    curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https");
    /* Empty, not absent: without a value curl would look into the environment. */
    curl_easy_setopt(easy, CURLOPT_PROXY, "");
    curl_easy_setopt(easy, CURLOPT_NETRC, (long)CURL_NETRC_IGNORED);
    curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, stream->detail);
    curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(easy, CURLOPT_NOPROGRESS, 1L);
    curl_easy_setopt(easy, CURLOPT_QUICK_EXIT, 1L);
    curl_easy_setopt(easy, CURLOPT_TCP_NODELAY, 1L);
    curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT_MS, (long)stream->connect_timeout_ms);
    if (options->tls)
        set_tls(stream->loop, easy, options->ca_bundle);
    if (options->refuse_own) {
        curl_easy_setopt(easy, CURLOPT_OPENSOCKETFUNCTION, on_open_socket);
        curl_easy_setopt(easy, CURLOPT_OPENSOCKETDATA, stream);
    }
}

struct stream *stream_open(struct loop *loop, const struct stream_options *options, const struct stream_events *events,
                           void *context)
{
    struct stream *stream = xcalloc(1, sizeof *stream);

    stream->loop = loop;
    stream->events = events;
    stream->context = context;
    stream->what = xstrdup(options->what);
    stream->target = xasprintf("%s:%d", options->host, options->port);
    stream->connect_timeout_ms =
        options->connect_timeout_ms > 0 ? options->connect_timeout_ms : HTTP_CONNECT_TIMEOUT_MS;
    stream->max_unsent = options->max_unsent ? options->max_unsent : DEFAULT_UNSENT;
    buf_init(&stream->unsent, 2 * stream->max_unsent);
    stream->easy = curl_easy_init();
    if (!stream->easy)
        abort();
    set_options(stream, options);
    loop_reserve_connections(loop, 1);
    loop_on_transfer_done(loop, stream->easy, on_connected, stream);
    curl_multi_add_handle(loop_multi(loop), stream->easy);
    return stream;
}

void stream_close(struct stream *stream)
{
    if (!stream)
        return;
    if (stream->gone)
        *stream->gone = true;
    stop_watching(stream);
    loop_forget_transfer(stream->loop, stream->easy);
    curl_multi_remove_handle(loop_multi(stream->loop), stream->easy);
    curl_easy_cleanup(stream->easy);
    loop_reserve_connections(stream->loop, -1);
    buf_wipe(&stream->unsent);
    free(stream->what);
    free(stream->target);
    free(stream);
}
