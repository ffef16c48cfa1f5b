/* How one transfer is set up in curl: its options, its headers, and the callbacks that curl makes for it. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "core/address.h"
#include "core/mem.h"
#include "net/http_internal.h"

/* What curl copies a body through. One in memory goes out in one piece with its head when it is small; a large one gains
 * nothing, and there may be 256 at once. One from a file gains a read for each buffer. */
#define HEAD_ROOM 4096
#define MEMORY_BUFFER_MIN 16384
#define MEMORY_BUFFER_MAX 32768
#define FILE_BUFFER 131072L

/* ---- curl's callbacks: none of them calls out ---- */

static size_t on_read(char *to, size_t size, size_t count, void *context)
{
    struct http_transfer *transfer = context;
    const struct http_request *request = &transfer->request;
    size_t room = size * count;
    ssize_t got;

    if (request->body_fd < 0) {
        size_t left = request->body.len - (size_t)transfer->sent;

        if (room > left)
            room = left;
        if (room)
            memcpy(to, request->body.data + transfer->sent, room);
        transfer->sent += (int64_t)room;
        return room;
    }
    if ((int64_t)room > request->body_length - transfer->sent)
        room = (size_t)(request->body_length - transfer->sent);
    if (room == 0)
        return 0;
    do
        got = pread(request->body_fd, to, room, (off_t)(request->body_offset + transfer->sent));
    while (got < 0 && errno == EINTR);
    if (got <= 0) {
        transfer->fault = HTTP_FAULT_BODY_UNREADABLE;
        return CURL_READFUNC_ABORT;
    }
    transfer->sent += got;
    return (size_t)got;
}

/* curl sends a body again when a kept connection turned out to be closed. */
static int on_seek(void *context, curl_off_t offset, int origin)
{
    struct http_transfer *transfer = context;

    if (origin != SEEK_SET)
        return CURL_SEEKFUNC_CANTSEEK;
    transfer->sent = offset;
    return CURL_SEEKFUNC_OK;
}

static size_t on_header(char *data, size_t size, size_t count, void *context)
{
    struct http_transfer *transfer = context;
    struct view line = {data, size * count};

    transfer->header_bytes += line.len;
    transfer->header_count++;
    if (transfer->header_bytes > HTTP_MAX_HEADER_BYTES || transfer->header_count > HTTP_MAX_HEADERS) {
        transfer->fault = HTTP_FAULT_HEADERS_TOO_LARGE;
        return 0;
    }
    /* A new answer begins: what came before was interim (100) or a redirect. */
    if (view_starts(line, "HTTP/"))
        http_response_reset(transfer->response, transfer->request.max_response);
    else
        http_response_add_header(transfer->response, line);
    return line.len;
}

static size_t on_write(char *data, size_t size, size_t count, void *context)
{
    struct http_transfer *transfer = context;
    size_t len = size * count;
    long status = 0;

    if (len > transfer->request.max_response - transfer->received) {
        transfer->fault = HTTP_FAULT_RESPONSE_TOO_LARGE;
        return 0;
    }
    transfer->received += len;
    if (transfer->request.error_body_only) {
        curl_easy_getinfo(transfer->easy, CURLINFO_RESPONSE_CODE, &status);
        if (status >= 200 && status < 300)
            return len;
    }
    return buf_add(&transfer->response->body, data, len) ? 0 : len;
}

/* Before a connection is made. */
static curl_socket_t on_open_socket(void *context, curlsocktype purpose, struct curl_sockaddr *address)
{
    struct http_transfer *transfer = context;

    (void)purpose;
    if (address_is_private(&address->addr)) {
        transfer->private_refused = true;
        return CURL_SOCKET_BAD;
    }
    return socket(address->family, address->socktype | SOCK_CLOEXEC, address->protocol);
}

/* Before a request is sent, also over a connection that another one has opened. */
static int on_request(void *context, char *peer, char *local, int peer_port, int local_port)
{
    struct http_transfer *transfer = context;
    long proxied = 0;

    (void)local;
    (void)peer_port;
    (void)local_port;
    curl_easy_getinfo(transfer->easy, CURLINFO_USED_PROXY, &proxied);
    if (proxied || !host_is_private(peer))
        return CURL_PREREQFUNC_OK;
    transfer->private_refused = true;
    return CURL_PREREQFUNC_ABORT;
}

/* ---- headers ---- */

void http_transfer_free_headers(struct http_transfer *transfer)
{
    struct curl_slist *item;

    for (item = transfer->headers; item; item = item->next)
        wipe(item->data, strlen(item->data));
    curl_slist_free_all(transfer->headers);
    transfer->headers = NULL;
}

static void add_header(struct http_transfer *transfer, const char *line)
{
    struct curl_slist *list = curl_slist_append(transfer->headers, line);

    if (!list)
        abort();
    transfer->headers = list;
}

void http_transfer_set_headers(struct http_transfer *transfer, const struct strings *headers)
{
    bool expects = false;
    size_t i;

    for (i = 0; i < headers->len; i++)
        expects = expects || strncasecmp(headers->items[i], "Expect:", 7) == 0;
    /* curl would wait for "100 Continue" by itself: only where the request asks for it. */
    if (!expects)
        add_header(transfer, "Expect:");
    for (i = 0; i < headers->len; i++) {
        const char *line = headers->items[i];
        const char *colon = strchr(line, ':');

        if (strpbrk(line, "\r\n")) {
            transfer->fault = HTTP_FAULT_BAD_HEADER;
        } else if (colon && colon[1 + strspn(colon + 1, " ")] == '\0') {
            /* "Name:" would remove the header for curl; "Name;" sends it empty. */
            CLEANUP_FREE char *empty = xasprintf("%.*s;", (int)(colon - line), line);

            add_header(transfer, empty);
        } else {
            add_header(transfer, line);
        }
    }
}

/* ---- options ---- */

static long buffer_size(const struct http_request *request)
{
    if (request->body_fd >= 0)
        return FILE_BUFFER;
    if (request->body.len + HEAD_ROOM > MEMORY_BUFFER_MAX)
        return MEMORY_BUFFER_MIN;
    return request->body.len + HEAD_ROOM > MEMORY_BUFFER_MIN ? (long)request->body.len + HEAD_ROOM : MEMORY_BUFFER_MIN;
}

static void set_body(struct http_transfer *transfer)
{
    const struct http_request *request = &transfer->request;
    curl_off_t length = request->body_fd >= 0 ? request->body_length : (curl_off_t)request->body.len;
    CURL *easy = transfer->easy;

    if (strcmp(request->method, "HEAD") == 0) {
        curl_easy_setopt(easy, CURLOPT_NOBODY, 1L);
        return;
    }
    /* PUT and POST say "Content-Length: 0" when they have nothing to send; S3 insists on it. */
    if (length > 0 || strcmp(request->method, "PUT") == 0 || strcmp(request->method, "POST") == 0) {
        curl_easy_setopt(easy, CURLOPT_UPLOAD, 1L);
        curl_easy_setopt(easy, CURLOPT_INFILESIZE_LARGE, length);
        curl_easy_setopt(easy, CURLOPT_READFUNCTION, on_read);
        curl_easy_setopt(easy, CURLOPT_READDATA, transfer);
        curl_easy_setopt(easy, CURLOPT_SEEKFUNCTION, on_seek);
        curl_easy_setopt(easy, CURLOPT_SEEKDATA, transfer);
        curl_easy_setopt(easy, CURLOPT_UPLOAD_BUFFERSIZE, buffer_size(request));
    }
    curl_easy_setopt(easy, CURLOPT_CUSTOMREQUEST, request->method);
}

static void set_policy(struct http_transfer *transfer)
{
    const struct http_client *client = transfer->client;
    const struct http_request *request = &transfer->request;
    bool secure = strncasecmp(transfer->url, "https:", 6) == 0;
    bool reads = strcmp(request->method, "GET") == 0 || strcmp(request->method, "HEAD") == 0;
    CURL *easy = transfer->easy;

    curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https");
    curl_easy_setopt(easy, CURLOPT_REDIR_PROTOCOLS_STR, secure ? "https" : "http,https");
    if (request->max_redirects > 0 && reads) {
        curl_easy_setopt(easy, CURLOPT_FOLLOWLOCATION, 1L);
        curl_easy_setopt(easy, CURLOPT_MAXREDIRS, (long)request->max_redirects);
    }
    curl_easy_setopt(easy, CURLOPT_PROXY, secure ? client->proxy : client->http_proxy);
    curl_easy_setopt(easy, CURLOPT_NOPROXY, client->no_proxy);
    curl_easy_setopt(easy, CURLOPT_NETRC, (long)CURL_NETRC_IGNORED);
    curl_easy_setopt(easy, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
    curl_easy_setopt(easy, CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2);
    if (client->ca_held)
        curl_easy_setopt(easy, CURLOPT_CAINFO, client->ca_held);
    /* With a bundle alone curl parses it once for the multi handle, at the first TLS connection, and keeps it. */
    curl_easy_setopt(easy, CURLOPT_CAPATH, NULL);
    curl_easy_setopt(easy, CURLOPT_CA_CACHE_TIMEOUT, -1L);
}

static void set_peer(struct http_transfer *transfer)
{
    const struct http_client *client = transfer->client;
    bool proxied = strncasecmp(transfer->url, "https:", 6) == 0 ? client->proxy[0] : client->http_proxy[0];
    CURL *easy = transfer->easy;

    if (!transfer->request.refuse_private)
        return;
    if (!proxied) {
        curl_easy_setopt(easy, CURLOPT_OPENSOCKETFUNCTION, on_open_socket);
        curl_easy_setopt(easy, CURLOPT_OPENSOCKETDATA, transfer);
    }
    curl_easy_setopt(easy, CURLOPT_PREREQFUNCTION, on_request);
    curl_easy_setopt(easy, CURLOPT_PREREQDATA, transfer);
}

void http_transfer_set_options(struct http_transfer *transfer)
{
    const struct http_request *request = &transfer->request;
    CURL *easy = transfer->easy;

    /* One line break in a header is a request of its own to the server: then nothing is sent at all. */
    /* "a/../b" is a name to S3, and its signature covers it as it stands. */
    curl_easy_setopt(easy, CURLOPT_PATH_AS_IS, 1L);
    curl_easy_setopt(easy, CURLOPT_URL, transfer->fault == HTTP_FAULT_BAD_HEADER ? "" : transfer->url);
    curl_easy_setopt(easy, CURLOPT_HTTPHEADER, transfer->headers);
    curl_easy_setopt(easy, CURLOPT_USERAGENT, transfer->client->user_agent);
    curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, transfer->detail);
    curl_easy_setopt(easy, CURLOPT_HEADERFUNCTION, on_header);
    curl_easy_setopt(easy, CURLOPT_HEADERDATA, transfer);
    curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, on_write);
    curl_easy_setopt(easy, CURLOPT_WRITEDATA, transfer);
    curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(easy, CURLOPT_NOPROGRESS, 1L);
    /* Cancelling must not wait for a resolver that does not answer. */
    curl_easy_setopt(easy, CURLOPT_QUICK_EXIT, 1L);
    curl_easy_setopt(easy, CURLOPT_TCP_NODELAY, 1L);
    curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT_MS, (long)request->connect_timeout_ms);
    curl_easy_setopt(easy, CURLOPT_TIMEOUT_MS, (long)request->timeout_ms);
    set_policy(transfer);
    set_peer(transfer);
    set_body(transfer);
}
