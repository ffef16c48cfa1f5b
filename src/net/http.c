#include "net/http.h"

#include <stdlib.h>
#include <unistd.h>

#include "core/clock.h"
#include "core/mem.h"
#include "net/ca_bundle.h"
#include "net/http_internal.h"

#ifndef CAISSON_VERSION
#define CAISSON_VERSION "dev"
#endif

/* The bundle of the kaniko image, where whatever else is there may be a base image's, and then the distributions'. */
const char *const http_ca_places[] = {"/kaniko/ssl/ca-certificates.crt", "/etc/ssl/certs/ca-certificates.crt",
                                      "/etc/pki/tls/certs/ca-bundle.crt", "/etc/ssl/cert.pem", NULL};

#define SHORTEST_SWEEP_MS 20
#define LONGEST_SWEEP_MS 1000

/* ---- client ---- */

struct http_client *http_client_new(struct loop *loop, const struct http_options *options)
{
    struct http_client *client = xcalloc(1, sizeof *client);
    size_t i;

    client->loop = loop;
    client->queue_end = &client->queue;
    client->ca_bundle = xstrdup(options->ca_bundle);
    for (i = 0; http_ca_places[i] && !client->ca_bundle; i++)
        if (access(http_ca_places[i], R_OK) == 0)
            client->ca_bundle = xstrdup(http_ca_places[i]);
    client->ca_held = ca_bundle_hold(loop, client->ca_bundle);
    /* Empty, not absent: without a value curl would look into the environment. */
    client->proxy = xstrdup(options->proxy ? options->proxy : "");
    client->http_proxy = xstrdup(options->http_proxy ? options->http_proxy : "");
    client->no_proxy = xstrdup(options->no_proxy ? options->no_proxy : "");
    client->user_agent = xstrdup(options->user_agent ? options->user_agent : "caisson/" CAISSON_VERSION);
    client->max_connections = options->max_connections > 0 ? options->max_connections : HTTP_CONNECTIONS;
    loop_reserve_connections(loop, client->max_connections);
    return client;
}

struct http_client *http_client_like(const struct http_client *client, const char *ca_bundle, int max_connections)
{
    return http_client_new(client->loop, &(struct http_options){.ca_bundle = ca_bundle ? ca_bundle : client->ca_bundle,
                                                                .proxy = client->proxy,
                                                                .http_proxy = client->http_proxy,
                                                                .no_proxy = client->no_proxy,
                                                                .user_agent = client->user_agent,
                                                                .max_connections = max_connections});
}

const char *http_client_ca_bundle(const struct http_client *client)
{
    return client->ca_bundle;
}

void http_client_free(struct http_client *client)
{
    if (!client)
        return;
    while (client->queue)
        http_cancel(client->queue);
    while (client->running)
        http_cancel(client->running);
    loop_timer_stop(client->sweep);
    while (client->idle_count)
        curl_easy_cleanup(client->idle[--client->idle_count]);
    free(client->idle);
    loop_reserve_connections(client->loop, -client->max_connections);
    free(client->ca_bundle);
    wipe_free(client->proxy);
    wipe_free(client->http_proxy);
    free(client->no_proxy);
    free(client->user_agent);
    free(client);
}

struct loop *http_client_loop(struct http_client *client)
{
    return client->loop;
}

static CURL *take_handle(struct http_client *client)
{
    CURL *easy = client->idle_count ? client->idle[--client->idle_count] : curl_easy_init();

    if (!easy)
        abort();
    return easy;
}

static void give_handle(struct http_client *client, CURL *easy)
{
    if (client->idle_count >= client->max_connections) {
        curl_easy_cleanup(easy);
        return;
    }
    if (client->idle_count == client->idle_capacity) {
        client->idle_capacity = client->idle_capacity ? 2 * client->idle_capacity : 4;
        client->idle = xrealloc(client->idle, (size_t)client->idle_capacity, sizeof(CURL *));
    }
    curl_easy_reset(easy);
    client->idle[client->idle_count++] = easy;
}

/* ---- a transfer ---- */

static void arm_sweep(struct http_client *client);
static void on_done(void *context, CURLcode code);

static void begin(struct http_transfer *transfer)
{
    struct http_client *client = transfer->client;

    transfer->easy = take_handle(client);
    transfer->started_ms = transfer->moved_ms = clock_monotonic_ms();
    http_transfer_set_options(transfer);
    transfer->previous = NULL;
    transfer->next = client->running;
    if (client->running)
        client->running->previous = transfer;
    client->running = transfer;
    client->active++;
    loop_on_transfer_done(client->loop, transfer->easy, on_done, transfer);
    curl_multi_add_handle(loop_multi(client->loop), transfer->easy);
    arm_sweep(client);
}

static void begin_queued(struct http_client *client)
{
    while (client->queue && client->active < client->max_connections) {
        struct http_transfer *transfer = client->queue;

        client->queue = transfer->next;
        if (!client->queue)
            client->queue_end = &client->queue;
        begin(transfer);
    }
}

void http_client_set_connections(struct http_client *client, int max_connections)
{
    if (max_connections < 1)
        max_connections = 1;
    loop_reserve_connections(client->loop, max_connections - client->max_connections);
    client->max_connections = max_connections;
    begin_queued(client);
}

struct http_transfer *http_start(struct http_client *client, const struct http_request *request,
                                 struct http_response *response, void (*done)(void *context, const struct error *error),
                                 void *context)
{
    struct http_transfer *transfer = xcalloc(1, sizeof *transfer);

    transfer->client = client;
    transfer->request = *request;
    transfer->method = xstrdup(request->method);
    transfer->url = xstrdup(request->url);
    transfer->request.method = transfer->method;
    transfer->request.url = transfer->url;
    transfer->request.headers = (struct strings){0};
    if (!transfer->request.connect_timeout_ms)
        transfer->request.connect_timeout_ms = HTTP_CONNECT_TIMEOUT_MS;
    if (!transfer->request.stall_ms)
        transfer->request.stall_ms = HTTP_STALL_MS;
    if (!transfer->request.max_response)
        transfer->request.max_response = HTTP_MAX_RESPONSE;
    transfer->response = response;
    transfer->done = done;
    transfer->context = context;
    http_transfer_set_headers(transfer, &request->headers);
    http_response_reset(response, transfer->request.max_response);
    *client->queue_end = transfer;
    client->queue_end = &transfer->next;
    begin_queued(client);
    return transfer;
}

/* Takes it out of curl and of our lists. */
static void end(struct http_transfer *transfer)
{
    struct http_client *client = transfer->client;

    if (transfer->previous)
        transfer->previous->next = transfer->next;
    else
        client->running = transfer->next;
    if (transfer->next)
        transfer->next->previous = transfer->previous;
    loop_forget_transfer(client->loop, transfer->easy);
    curl_multi_remove_handle(loop_multi(client->loop), transfer->easy);
    give_handle(client, transfer->easy);
    transfer->easy = NULL;
    client->active--;
}

static void unqueue(struct http_transfer *transfer)
{
    struct http_client *client = transfer->client;
    struct http_transfer **at = &client->queue;

    while (*at && *at != transfer)
        at = &(*at)->next;
    if (!*at)
        return;
    *at = transfer->next;
    if (!transfer->next)
        client->queue_end = at;
}

static void free_transfer(struct http_transfer *transfer)
{
    http_transfer_free_headers(transfer);
    free(transfer->method);
    wipe_free(transfer->url);
    free(transfer);
}

void http_cancel(struct http_transfer *transfer)
{
    struct http_client *client;

    if (!transfer)
        return;
    client = transfer->client;
    if (transfer->easy)
        end(transfer);
    else
        unqueue(transfer);
    free_transfer(transfer);
    begin_queued(client);
}

int64_t http_body_sent(const struct http_transfer *transfer)
{
    return transfer->sent;
}

/* curl knows only that it got no socket, or that we did not want to go on. */
static enum http_fault fault_of(const struct http_transfer *transfer, CURLcode code)
{
    bool ours = code == CURLE_COULDNT_CONNECT || code == CURLE_ABORTED_BY_CALLBACK;

    return ours && transfer->private_refused ? HTTP_FAULT_PRIVATE_ADDRESS : transfer->fault;
}

static void explain(const struct http_transfer *transfer, CURLcode code, struct error *err)
{
    CLEANUP_FREE char *target = http_target(transfer->url);
    struct http_failure failure = {
        .code = code,
        .fault = fault_of(transfer, code),
        .easy = transfer->easy,
        .method = transfer->method,
        .target = target,
        .detail = transfer->detail,
        .connect_timeout_ms = transfer->request.connect_timeout_ms,
        .timeout_ms = transfer->request.timeout_ms,
        .stall_ms = transfer->request.stall_ms,
        .max_redirects = transfer->request.max_redirects,
        .max_response = transfer->request.max_response,
    };

    http_failure_explain(&failure, err);
}

static void note_peer(struct http_transfer *transfer)
{
    const char *address = NULL;

    curl_easy_getinfo(transfer->easy, CURLINFO_PRIMARY_IP, &address);
    snprintf(transfer->response->peer, sizeof transfer->response->peer, "%s", address ? address : "");
}

static void on_done(void *context, CURLcode code)
{
    struct http_transfer *transfer = context;
    struct http_client *client = transfer->client;
    void (*done)(void *context, const struct error *error) = transfer->done;
    void *done_context = transfer->context;
    bool failed = code != CURLE_OK || transfer->fault != HTTP_FAULT_NONE;
    struct error error;

    curl_easy_getinfo(transfer->easy, CURLINFO_RESPONSE_CODE, &transfer->response->status);
    transfer->response->duration_ms = clock_monotonic_ms() - transfer->started_ms;
    note_peer(transfer);
    if (failed)
        explain(transfer, code, &error);
    end(transfer);
    free_transfer(transfer);
    begin_queued(client);
    done(done_context, failed ? &error : NULL);
}

/* ---- stalls ---- */

/* curl's own low-speed limit counts whole seconds and averages over five of them. */
static bool has_stalled(struct http_transfer *transfer, int64_t now_ms)
{
    curl_off_t up = 0, down = 0, ready = 0;
    long headers = 0;

    curl_easy_getinfo(transfer->easy, CURLINFO_PRETRANSFER_TIME_T, &ready);
    curl_easy_getinfo(transfer->easy, CURLINFO_SIZE_UPLOAD_T, &up);
    curl_easy_getinfo(transfer->easy, CURLINFO_SIZE_DOWNLOAD_T, &down);
    curl_easy_getinfo(transfer->easy, CURLINFO_HEADER_SIZE, &headers);
    /* Until the connection stands the connect timeout counts. */
    if (up + down + headers != transfer->moved || ready == 0) {
        transfer->moved = up + down + headers;
        transfer->moved_ms = now_ms;
    }
    return now_ms - transfer->moved_ms >= transfer->request.stall_ms;
}

static void on_sweep(void *context)
{
    struct http_client *client = context;
    struct http_transfer *transfer = client->running;
    int64_t now_ms = clock_monotonic_ms();

    client->sweep = NULL;
    arm_sweep(client);
    while (transfer && !has_stalled(transfer, now_ms))
        transfer = transfer->next;
    if (transfer) {
        /* One a turn: `done` may cancel any other, or free the client. The rest is still stalled next time. */
        transfer->fault = HTTP_FAULT_STALLED;
        on_done(transfer, CURLE_OPERATION_TIMEDOUT);
    }
}

static void arm_sweep(struct http_client *client)
{
    const struct http_transfer *transfer;
    int64_t wait_ms = LONGEST_SWEEP_MS;

    if (client->sweep || !client->running)
        return;
    for (transfer = client->running; transfer; transfer = transfer->next)
        if (transfer->request.stall_ms / 8 < wait_ms)
            wait_ms = transfer->request.stall_ms / 8;
    if (wait_ms < SHORTEST_SWEEP_MS)
        wait_ms = SHORTEST_SWEEP_MS;
    client->sweep = loop_timer_start(client->loop, wait_ms, on_sweep, client);
}

/* ---- one at a time ---- */

struct perform {
    bool done, failed;
    struct error error;
};

static void on_performed(void *context, const struct error *error)
{
    struct perform *perform = context;

    perform->done = true;
    perform->failed = error;
    if (error)
        perform->error = *error;
}

int http_perform(struct http_client *client, const struct http_request *request, struct http_response *response,
                 struct error *err)
{
    return http_perform_unless(client, request, response, NULL, err);
}

int http_perform_unless(struct http_client *client, const struct http_request *request, struct http_response *response,
                        const bool *stop, struct error *err)
{
    struct perform perform = {0};
    struct http_transfer *transfer = http_start(client, request, response, on_performed, &perform);

    while (!perform.done && !(stop && *stop))
        loop_run_once(client->loop, -1);
    if (!perform.done) {
        http_cancel(transfer);
        error_set(err, CLASS_INTERRUPTED, "interrupted", "stopped before an answer came");
        return error_retryable(err, 0);
    }
    if (!perform.failed)
        return 0;
    if (err)
        *err = perform.error;
    return -1;
}
