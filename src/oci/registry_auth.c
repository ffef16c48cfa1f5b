/*
 * Who we are for a registry. It is asked once what it wants (GET /v2/), before anything else, so that no body is sent in
 * vain. A bearer token is got from the server that the registry names, with the scopes of this push, and again shortly
 * before it runs out; a call that comes meanwhile waits.
 */
#include <stdlib.h>
#include <string.h>

#include "core/clock.h"
#include "core/mem.h"
#include "core/redact_encode.h"
#include "oci/registry_internal.h"

#define ANSWER_MS 30000
#define GUESS_MS 5000
#define MARGIN_MS 10000
#define REFUSED_MAX 3
#define CREDENTIAL_MAX ((size_t)64 << 10)
#define SCOPES_MAX 16

void registry_auth_init(struct registry *registry)
{
    http_response_init(&registry->auth.response);
    strings_addf(&registry->auth.scopes, "repository:%s:pull,push", registry->name);
}

void registry_auth_dispose(struct registry *registry)
{
    struct registry_auth *auth = &registry->auth;

    http_cancel(auth->transfer);
    loop_timer_stop(auth->timer);
    if (auth->response.body.data)
        wipe(auth->response.body.data, auth->response.body.cap);
    http_response_dispose(&auth->response);
    registry_credentials_dispose(&auth->credentials);
    strings_dispose(&auth->scopes);
    secret_free(auth->header);
}

/* ---- its end ---- */

static struct registry_call *next_due(struct registry *registry)
{
    struct registry_call *call = registry->calls;

    while (call && !call->due)
        call = call->next;
    return call;
}

/* A call that goes on may wait again, and one that ends may cancel others: so they are marked first. */
static void finish(struct registry *registry, const struct error *error)
{
    struct registry_call *call;

    registry->auth.busy = false;
    for (call = registry->calls; call; call = call->next)
        call->due = call->waiting;
    while ((call = next_due(registry)))
        registry_call_resume(call, error);
}

static void fail(struct registry *registry, struct error *error)
{
    if (error->class == CLASS_PLATFORM)
        error->class = CLASS_PUSH_FAILED;
    error_context(error, "logging in to %s", registry->host);
    finish(registry, error);
}

static void fail_unauthorized(struct registry *registry, const char *problem)
{
    struct error error;

    error_set(&error, CLASS_PUSH_FAILED, "registry-unauthorized", "%s", problem);
    error_hint(&error, "give a user and a password (image.auth of the spec, --username and --password-file)");
    fail(registry, &error);
}

static void set_header(struct registry_auth *auth, const char *scheme, const char *value, int64_t lifetime_ms)
{
    int64_t margin_ms = lifetime_ms / 5 < MARGIN_MS ? lifetime_ms / 5 : MARGIN_MS;
    struct buf text;

    buf_init(&text, CREDENTIAL_MAX * 2);
    buf_addf(&text, "%s %s", scheme, value);
    secret_free(auth->header);
    auth->header = secret_dup(buf_text(&text));
    buf_wipe(&text);
    auth->generation++;
    auth->fresh_until_ms = lifetime_ms ? clock_monotonic_ms() + lifetime_ms - margin_ms : 0;
}

/* ---- user and password ---- */

static int get_credentials(struct registry *registry, struct error *err)
{
    struct registry_auth *auth = &registry->auth;
    struct registry_credentials credentials = {0};

    if (!registry->credentials || (auth->has_credentials && !auth->renew))
        return 0;
    if (registry->credentials(registry->context, auth->renew, &credentials, err))
        return -1;
    registry_credentials_dispose(&auth->credentials);
    auth->credentials = credentials;
    auth->has_credentials = true;
    auth->renew = auth->credentials_worked = false;
    return 0;
}

/* RFC 7617. */
static void encode_basic(const struct registry_credentials *credentials, struct buf *out)
{
    struct buf text;

    buf_init(&text, CREDENTIAL_MAX);
    buf_addf(&text, "%s:%s", credentials->username, credentials->password ? credentials->password : "");
    encode_base64(out, (struct view){text.data, text.len}, base64_standard);
    while (out->len % 4)
        buf_addc(out, '=');
    buf_wipe(&text);
}

static void make_basic(struct registry *registry)
{
    struct buf encoded;

    if (!registry->auth.credentials.username) {
        fail_unauthorized(registry, "it wants a user and a password");
        return;
    }
    buf_init(&encoded, CREDENTIAL_MAX * 2);
    encode_basic(&registry->auth.credentials, &encoded);
    set_header(&registry->auth, "Basic", buf_text(&encoded), 0);
    buf_wipe(&encoded);
    finish(registry, NULL);
}

/* ---- a bearer token ---- */

static void step(void *context);
static void on_token(void *context, const struct error *error);

/* The registry chooses who gets the password: by https alone, as the registry's own. */
static char *token_url(const struct registry *registry, struct error *err)
{
    const struct registry_auth *auth = &registry->auth;
    struct buf text;
    char *realm;
    size_t i;

    if (!strstr(auth->challenge.realm, "://")) {
        error_set(err, CLASS_PUSH_FAILED, "registry-error", "it names no address to get a token from");
        return NULL;
    }
    if (registry_location(registry, auth->challenge.realm, auth->challenge.realm, &realm, err)) {
        error_context(err, "getting a token");
        return NULL;
    }
    buf_init(&text, (size_t)64 << 10);
    buf_addf(&text, "%s%cservice=", realm, strchr(realm, '?') ? '&' : '?');
    url_encode(auth->challenge.service, false, &text);
    for (i = 0; i < auth->scopes.len; i++) {
        buf_adds(&text, "&scope=");
        url_encode(auth->scopes.items[i], false, &text);
    }
    free(realm);
    return buf_take(&text);
}

static void get_token(struct registry *registry)
{
    struct registry_auth *auth = &registry->auth;
    struct error error;
    CLEANUP_FREE char *url = token_url(registry, &error);
    struct http_request request;
    struct buf encoded;

    if (!url) {
        fail(registry, &error);
        return;
    }
    http_request_init(&request, "GET", url);
    if (auth->credentials.username) {
        buf_init(&encoded, CREDENTIAL_MAX * 2);
        encode_basic(&auth->credentials, &encoded);
        http_request_header(&request, "Authorization", "");
        free(request.headers.items[0]);
        request.headers.items[0] = xasprintf("Authorization: Basic %s", buf_text(&encoded));
        buf_wipe(&encoded);
    }
    request.timeout_ms = ANSWER_MS;
    auth->transfer = http_start(registry->client, &request, &auth->response, on_token, registry);
    http_request_dispose(&request);
}

static void take_token(struct registry *registry)
{
    struct registry_auth *auth = &registry->auth;
    char *token = NULL;
    int64_t lifetime_ms = 0;
    struct error error;

    if (token_parse((struct view){buf_text(&auth->response.body), auth->response.body.len}, &token, &lifetime_ms)) {
        error_set(&error, CLASS_PUSH_FAILED, "registry-error", "the token server's answer holds no token");
        fail(registry, &error);
        return;
    }
    wipe(auth->response.body.data, auth->response.body.cap);
    auth->credentials_worked = true;
    set_header(auth, "Bearer", token, lifetime_ms);
    secret_free(token);
    finish(registry, NULL);
}

static void refuse_token(struct registry *registry)
{
    const struct http_response *response = &registry->auth.response;
    bool denied = response->status == 401 || response->status == 403;
    struct registry_failure failure;
    struct error error;

    registry_failure_parse((struct view){buf_text(&response->body), response->body.len}, &failure);
    error_set(&error, CLASS_PUSH_FAILED, denied ? "registry-unauthorized" : "registry-error",
              "the token server answers %ld%s%s%s%s", response->status, *failure.code ? " " : "", failure.code,
              *failure.message ? ": " : "", failure.message);
    if (denied)
        error_hint(&error, "check user and password (image.auth of the spec, --username and --password-file)");
    else if (response->status == 429 || response->status >= 500)
        error_retryable(&error, http_response_retry_after(response));
    fail(registry, &error);
}

/* Some refuse a token for everything where one part is not allowed: what is for mounting alone is given up then. */
static bool drop_scopes(struct registry_auth *auth)
{
    bool dropped = auth->scopes.len > 1;

    while (auth->scopes.len > 1) {
        auth->scopes.len--;
        free(auth->scopes.items[auth->scopes.len]);
        auth->scopes.items[auth->scopes.len] = NULL;
    }
    return dropped;
}

static void on_token(void *context, const struct error *error)
{
    struct registry *registry = context;
    struct registry_auth *auth = &registry->auth;
    struct error own;

    auth->transfer = NULL;
    if (error) {
        own = *error;
        fail(registry, &own);
    } else if (auth->response.status == 200) {
        take_token(registry);
    } else if ((auth->response.status == 401 || auth->response.status == 403) && drop_scopes(auth)) {
        get_token(registry);
    } else if (auth->response.status == 401 && auth->credentials_worked && registry->credentials) {
        auth->renew = true;
        auth->credentials_worked = false;
        step(registry);
    } else {
        refuse_token(registry);
    }
}

/* ---- what the registry wants ---- */

static void on_ping(void *context, const struct error *error);

static void ping(struct registry *registry)
{
    CLEANUP_FREE char *url = registry_url(registry, "/v2/");
    struct http_request request;

    http_request_init(&request, "GET", url);
    /* Who speaks http alone may take the beginning of TLS for a request that is not whole yet. */
    request.timeout_ms = registry->https && !registry->https_certain ? GUESS_MS : ANSWER_MS;
    registry->auth.transfer = http_start(registry->client, &request, &registry->auth.response, on_ping, registry);
    http_request_dispose(&request);
}

/* Where http is allowed a registry may speak TLS alone all the same: then it refuses the other, in words or without. */
static bool try_https(struct registry *registry, const struct error *error)
{
    bool unclear = error ? strcmp(error->reason, "connection-lost") == 0 || strcmp(error->reason, "bad-response") == 0
                         : registry->auth.response.status == 400;

    if (registry->https || !unclear)
        return false;
    if (error)
        registry->auth.plain_error = *error;
    registry->https = true;
    ping(registry);
    return true;
}

/* It does not: what went wrong before was something else, and may pass. */
static void back_to_http(struct registry *registry)
{
    struct error error = registry->auth.plain_error;

    registry->https = false;
    if (!*error.reason)
        error_set(&error, CLASS_PUSH_FAILED, "registry-error", "it answers 400");
    fail(registry, &error);
}

static void on_ping(void *context, const struct error *error)
{
    struct registry *registry = context;
    struct registry_auth *auth = &registry->auth;
    struct error own;

    auth->transfer = NULL;
    if (try_https(registry, error))
        return;
    if (error && registry->https && !registry->https_certain) {
        back_to_http(registry);
        return;
    }
    if (error) {
        own = *error;
        if (strcmp(own.reason, "tls-failed") == 0)
            error_hint(&own, "check its certificate and the CA bundle; plain http must be allowed (insecure)");
        fail(registry, &own);
        return;
    }
    registry->https_certain = registry->https;
    if (auth->response.status == 429 || auth->response.status >= 500) {
        error_set(&own, CLASS_PUSH_FAILED, auth->response.status == 429 ? "rate-limited" : "registry-error",
                  "it answers %ld", auth->response.status);
        error_retryable(&own, http_response_retry_after(&auth->response));
        fail(registry, &own);
        return;
    }
    auth->scheme = AUTH_NONE;
    if (auth->response.status == 401) {
        challenge_of(&auth->response, &auth->challenge);
        auth->scheme = auth->challenge.scheme;
    }
    step(registry);
}

static void step(void *context)
{
    struct registry *registry = context;
    struct registry_auth *auth = &registry->auth;
    struct error error;

    auth->timer = NULL;
    switch (auth->scheme) {
    case AUTH_UNKNOWN: ping(registry); return;
    case AUTH_NONE: finish(registry, NULL); return;
    case AUTH_OTHER:
        fail_unauthorized(registry, "it wants a way of logging in that is neither basic nor bearer");
        return;
    case AUTH_BASIC:
    case AUTH_BEARER: break;
    }
    if (get_credentials(registry, &error))
        fail(registry, &error);
    else if (auth->scheme == AUTH_BASIC)
        make_basic(registry);
    else
        get_token(registry);
}

/* ---- for calls ---- */

bool registry_auth_ready(struct registry *registry)
{
    const struct registry_auth *auth = &registry->auth;

    if (auth->busy || auth->scheme == AUTH_UNKNOWN || auth->scheme == AUTH_OTHER)
        return false;
    if (auth->scheme == AUTH_NONE)
        return true;
    return auth->header && (!auth->fresh_until_ms || clock_monotonic_ms() < auth->fresh_until_ms);
}

void registry_auth_begin(struct registry *registry)
{
    if (registry->auth.busy)
        return;
    registry->auth.busy = true;
    /* From the loop: nobody is told of an end while he still begins. */
    registry->auth.timer = loop_timer_start(registry->loop, 0, step, registry);
}

static void drop_header(struct registry_auth *auth)
{
    secret_free(auth->header);
    auth->header = NULL;
}

bool registry_auth_refused(struct registry_call *call)
{
    struct registry_auth *auth = &call->registry->auth;
    struct challenge challenge;

    if (++call->refused > REFUSED_MAX)
        return false;
    if (auth->busy || call->generation != auth->generation)
        return true; /* somebody was refused before, and it is being met */
    challenge_of(&call->response, &challenge);
    if (auth->scheme == AUTH_NONE) {
        auth->challenge = challenge;
        auth->scheme = challenge.scheme;
        return challenge.scheme != AUTH_NONE;
    }
    if (auth->scheme == AUTH_BEARER && call->refused < REFUSED_MAX) {
        if (*challenge.scope && !strings_has(&auth->scopes, challenge.scope) && auth->scopes.len < SCOPES_MAX)
            strings_add(&auth->scopes, challenge.scope);
        auth->renew = call->refused > 1 && call->registry->credentials != NULL;
        drop_header(auth);
        return true;
    }
    if (auth->scheme != AUTH_BASIC || !auth->credentials_worked || !call->registry->credentials)
        return false;
    auth->renew = true;
    drop_header(auth);
    return true;
}
