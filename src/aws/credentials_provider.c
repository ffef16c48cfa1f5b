#include <stdlib.h>
#include <string.h>

#include "aws/credentials_endpoint.h"
#include "aws/credentials_parse.h"
#include "core/clock.h"
#include "core/fs.h"
#include "core/mem.h"

#define RENEW_BEFORE_MS ((int64_t)5 * 60 * 1000)
/* After a renewal that failed, or that brought credentials about to end, the next one waits while they still serve. */
#define RENEW_AGAIN_MS ((int64_t)30 * 1000)

struct credentials_wait {
    struct credentials_provider *provider;
    struct credentials_wait *next;
    uint64_t round; /* the renewal that answers it */
    void (*done)(void *context, const struct credentials *credentials, const struct error *error);
    void *context;
};

struct credentials_provider {
    const struct credentials_source *source; /* borrowed */
    struct loop *loop;
    struct credentials_endpoint *endpoint; /* CREDENTIALS_ENDPOINT only */
    struct credentials current;            /* access_key NULL: none so far */
    int64_t expires_at_ms;                 /* their end, monotonic: a wall clock may be set meanwhile */
    uint64_t generation;
    uint64_t round; /* of the renewal under way, or of the next */
    bool renewing;
    int64_t next_renewal_ms;          /* monotonic; not before, while `current` serves */
    struct loop_timer *timer;         /* tells the end of a renewal that was done at once */
    struct credentials_wait *waiting; /* oldest first */
    bool failed;
    struct error failure;
    void (*secret)(void *context, const char *value);
    void *secret_context;
};

static void tell_secrets(const struct credentials_provider *provider)
{
    if (!provider->secret)
        return;
    if (provider->current.secret_key)
        provider->secret(provider->secret_context, provider->current.secret_key);
    if (provider->current.session_token)
        provider->secret(provider->secret_context, provider->current.session_token);
    if (provider->endpoint)
        credentials_endpoint_secrets(provider->endpoint, provider->secret, provider->secret_context);
}

static bool is_same(const char *a, const char *b)
{
    return a == b || (a && b && strcmp(a, b) == 0);
}

/* Takes over what `found` holds. */
static void set_current(struct credentials_provider *provider, struct credentials *found)
{
    struct credentials *current = &provider->current;

    if (!is_same(current->access_key, found->access_key) || !is_same(current->secret_key, found->secret_key) ||
        !is_same(current->session_token, found->session_token))
        provider->generation++;
    credentials_dispose(current);
    *current = *found;
    provider->expires_at_ms = clock_monotonic_ms() + (found->expires_ms - clock_wall_ms());
    tell_secrets(provider);
}

static int64_t left_ms(const struct credentials_provider *provider)
{
    if (!provider->current.access_key)
        return 0;
    return provider->current.expires_ms ? provider->expires_at_ms - clock_monotonic_ms() : INT64_MAX;
}

/* ---- the end of a renewal ---- */

static void serve_waiting(struct credentials_provider *provider, uint64_t round)
{
    /* A `done` may cancel another wait, or begin a new one: look at the list afresh each time. */
    while (provider->waiting && provider->waiting->round == round) {
        struct credentials_wait *wait = provider->waiting;
        void (*done)(void *, const struct credentials *, const struct error *) = wait->done;
        void *context = wait->context;
        /* Credentials that still live are better than none. */
        bool serves = left_ms(provider) > 0;

        provider->waiting = wait->next;
        free(wait);
        done(context, serves ? &provider->current : NULL, serves ? NULL : &provider->failure);
    }
}

static void settle(struct credentials_provider *provider, const struct error *error)
{
    uint64_t round = provider->round++;
    int64_t left = left_ms(provider);
    int64_t again_ms = left / 2 < RENEW_AGAIN_MS ? left / 2 : RENEW_AGAIN_MS;

    provider->renewing = false;
    provider->next_renewal_ms = clock_monotonic_ms() + (left > 0 ? again_ms : 0);
    if (error) {
        provider->failure = *error;
    } else if (left <= 0) {
        error_set(&provider->failure, CLASS_CREDENTIALS, "credentials-expired",
                  "the credentials from %s have expired already", credentials_source_name(provider->source));
        error_hint(&provider->failure, "check the clock of this machine, or get new credentials");
    }
    serve_waiting(provider, round);
}

static void on_settled(void *context)
{
    struct credentials_provider *provider = context;

    provider->timer = NULL;
    settle(provider, provider->failed ? &provider->failure : NULL);
}

static void on_endpoint(void *context, struct credentials *found, const struct error *error)
{
    struct credentials_provider *provider = context;

    if (found)
        set_current(provider, found);
    settle(provider, error);
}

/* ---- its beginning ---- */

static int read_profile(struct credentials_provider *provider, struct error *err)
{
    const struct credentials_source *source = provider->source;
    struct credentials found = {0};
    struct buf text;
    int failed;

    buf_init(&text, CREDENTIALS_FILE_MAX);
    failed = fs_read_file(source->file, CREDENTIALS_FILE_MAX, &text);
    if (failed)
        error_set_errno(err, CLASS_CREDENTIALS, "credentials-file", -failed, "%s", source->file);
    else
        failed = credentials_parse_profile((struct view){buf_text(&text), text.len}, source->file, source->profile,
                                           &found, err);
    buf_wipe(&text);
    if (failed)
        return -1;
    set_current(provider, &found);
    return 0;
}

static int take_fixed(struct credentials_provider *provider, struct error *err)
{
    const struct credentials *fixed = &provider->source->fixed;
    struct credentials copy;

    if (!credentials_is_value(fixed->access_key, 256) || !credentials_is_value(fixed->secret_key, 256) ||
        (fixed->session_token && !credentials_is_value(fixed->session_token, 16384))) {
        error_set(err, CLASS_CREDENTIALS, "bad-credentials",
                  "AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY or AWS_SESSION_TOKEN holds blanks or control characters");
        return error_hint(err, "look for a line break at the end of the value");
    }
    copy = (struct credentials){secret_dup(fixed->access_key), secret_dup(fixed->secret_key),
                                secret_dup(fixed->session_token), fixed->expires_ms};
    set_current(provider, &copy);
    return 0;
}

static int find_none(struct error *err)
{
    error_set(err, CLASS_CREDENTIALS, "no-credentials", "found no AWS credentials");
    return error_hint(err, "give the task a task role; on your own machine set AWS_ACCESS_KEY_ID and "
                           "AWS_SECRET_ACCESS_KEY, or AWS_PROFILE");
}

static void begin_renewal(struct credentials_provider *provider)
{
    if (provider->renewing)
        return;
    provider->renewing = true;
    switch (provider->source->kind) {
    case CREDENTIALS_ENDPOINT: credentials_endpoint_ask(provider->endpoint, on_endpoint, provider); return;
    case CREDENTIALS_FILE: provider->failed = read_profile(provider, &provider->failure) != 0; break;
    case CREDENTIALS_STATIC: provider->failed = take_fixed(provider, &provider->failure) != 0; break;
    case CREDENTIALS_NONE: provider->failed = find_none(&provider->failure) != 0; break;
    }
    provider->timer = loop_timer_start(provider->loop, 0, on_settled, provider);
}

/* ---- asking ---- */

const struct credentials *credentials_now(struct credentials_provider *provider)
{
    int64_t left = left_ms(provider);

    if (left <= 0)
        return NULL;
    if (left < RENEW_BEFORE_MS && clock_monotonic_ms() >= provider->next_renewal_ms)
        return NULL;
    return &provider->current;
}

uint64_t credentials_generation(const struct credentials_provider *provider)
{
    return provider->generation;
}

struct credentials_wait *credentials_renew(struct credentials_provider *provider,
                                           void (*done)(void *context, const struct credentials *credentials,
                                                        const struct error *error),
                                           void *context)
{
    struct credentials_wait *wait = xcalloc(1, sizeof *wait);
    struct credentials_wait **end = &provider->waiting;

    while (*end)
        end = &(*end)->next;
    *wait = (struct credentials_wait){.provider = provider, .round = provider->round, .done = done, .context = context};
    *end = wait;
    begin_renewal(provider);
    return wait;
}

void credentials_cancel(struct credentials_wait *wait)
{
    struct credentials_wait **at;

    if (!wait)
        return;
    for (at = &wait->provider->waiting; *at && *at != wait; at = &(*at)->next)
        ;
    if (*at)
        *at = wait->next;
    free(wait);
}

struct get {
    bool done, failed;
    struct error error;
};

static void on_got(void *context, const struct credentials *credentials, const struct error *error)
{
    struct get *get = context;

    get->done = true;
    get->failed = !credentials;
    if (error)
        get->error = *error;
}

int credentials_get(struct credentials_provider *provider, bool renew, const struct credentials **credentials,
                    struct error *err)
{
    struct get get = {0};

    *credentials = renew ? NULL : credentials_now(provider);
    if (*credentials)
        return 0;
    credentials_renew(provider, on_got, &get);
    loop_run_until(provider->loop, &get.done);
    if (get.failed) {
        if (err)
            *err = get.error;
        return -1;
    }
    *credentials = &provider->current;
    return 0;
}

void credentials_on_secret(struct credentials_provider *provider, void (*call)(void *context, const char *value),
                           void *context)
{
    provider->secret = call;
    provider->secret_context = context;
    if (!provider->current.access_key && provider->source->kind == CREDENTIALS_STATIC) {
        call(context, provider->source->fixed.secret_key);
        if (provider->source->fixed.session_token)
            call(context, provider->source->fixed.session_token);
    }
    tell_secrets(provider);
}

/* ---- life cycle ---- */

struct credentials_provider *credentials_provider_new(const struct credentials_source *source,
                                                      struct http_client *client)
{
    struct credentials_provider *provider = xcalloc(1, sizeof *provider);

    provider->source = source;
    provider->loop = http_client_loop(client);
    if (source->kind == CREDENTIALS_ENDPOINT)
        provider->endpoint = credentials_endpoint_new(source, provider->loop);
    return provider;
}

void credentials_provider_free(struct credentials_provider *provider)
{
    if (!provider)
        return;
    while (provider->waiting)
        credentials_cancel(provider->waiting);
    loop_timer_stop(provider->timer);
    credentials_endpoint_free(provider->endpoint);
    credentials_dispose(&provider->current);
    free(provider);
}
