/* Whom a system wants to be told: entries of the spec's notify, and what becomes of those that are not permitted. */
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "core/json.h"
#include "core/mem.h"
#include "net/http.h"
#include "profiles/draft.h"

#define WARNING_MAX 2000

json_t *profile_notify(struct profile_draft *draft, const char *type, const char *target, const char *variable,
                       const char *format, const char *event)
{
    json_t *entries = json_object_get(draft->job->document, "notify");
    json_t *entry = json_object();
    CLEANUP_FREE char *path = NULL;

    if (!entries) {
        entries = json_array();
        json_object_set_new(draft->job->document, "notify", entries);
    }
    path = xasprintf("notify[%zu].%s", json_array_size(entries), type);
    json_array_append_new(entries, entry);
    json_put_text(entry, type, target);
    json_put_text(entry, "format", format);
    json_object_set_new(entry, "events", json_pack("[s]", event));
    profile_note(draft, path, variable);
    return entry;
}

void profile_notify_value(struct profile_draft *draft, json_t *entry, const char *name, const char *key)
{
    const char *variable = NULL;

    if (profile_text(draft, key, &variable))
        json_object_set_new(entry, name, json_pack("{s:s}", "env", variable));
}

/* ---- servers ---- */

void profile_server_init(struct profile_server *server, const char *url)
{
    const char *scheme = strstr(url, "://");
    const char *host = scheme ? scheme + 3 : url;
    size_t len = strcspn(host, "/?#");
    const char *at = memrchr(host, '@', len);
    const char *colon = at ? memchr(host, ':', (size_t)(at - host)) : NULL;
    CLEANUP_FREE char *username = NULL;

    *server = (struct profile_server){0};
    if (!at) {
        server->url = xstrdup(url);
        return;
    }
    server->url = xasprintf("%.*s%s", (int)(host - url), url, at + 1);
    username = xstrndup(host, (size_t)((colon ? colon : at) - host));
    server->username = *username ? url_decode(username) : NULL;
    if (colon) {
        char *password = xstrndup(colon + 1, (size_t)(at - colon - 1));

        server->password = url_decode(password);
        wipe_free(password);
    }
}

void profile_server_dispose(struct profile_server *server)
{
    wipe_free(server->url);
    wipe_free(server->username);
    wipe_free(server->password);
}

void profile_server_login(const struct profile_server *server, json_t *entry)
{
    json_put_text(entry, "username", server->username);
    json_put_text(entry, "password", server->password);
}

/* ---- what may not be ---- */

/* The number of "notify[3].redis"; -1: of something else. */
static long entry_of(const char *path)
{
    return strncmp(path, "notify[", 7) == 0 ? strtol(path + 7, NULL, 10) : -1;
}

static const char *type_of(const json_t *entry)
{
    return json_object_iter_key(json_object_iter((json_t *)entry));
}

static bool is_below(const struct problem *problem, const char *path)
{
    return strncmp(problem->path, path, strlen(path)) == 0;
}

/* "redis: what is wrong (what helps)". Nothing where the same was said of another entry. */
static void describe(const char *type, const struct problems *problems, const char *path, struct buf *out)
{
    struct buf text;
    size_t i;

    buf_init(&text, WARNING_MAX);
    for (i = 0; i < problems->len; i++) {
        const struct problem *problem = &problems->items[i];

        if (!is_below(problem, path))
            continue;
        buf_addf(&text, "%s%s", text.len ? ", and " : "", problem->message);
        if (problem->hint)
            buf_addf(&text, ": %s", problem->hint);
    }
    if (!strstr(buf_text(out), buf_text(&text)))
        buf_addf(out, "%s%s: %s", out->len ? "; " : "", type, buf_text(&text));
    buf_dispose(&text);
}

static void remove_entry(struct profile_job *job, long index)
{
    json_t *entries = json_object_get(job->document, "notify");
    json_t *moved = json_object();
    const char *path;
    json_t *origin;

    json_object_foreach(job->origins, path, origin)
    {
        long at = entry_of(path);
        CLEANUP_FREE char *now = at > index ? xasprintf("notify[%ld]%s", at - 1, strchr(path, ']') + 1) : xstrdup(path);

        if (at != index)
            json_object_set(moved, now, origin);
    }
    json_decref(job->origins);
    job->origins = moved;
    json_array_remove(entries, (size_t)index);
    if (!json_array_size(entries))
        json_object_del(job->document, "notify");
}

static bool are_below(const struct problems *problems, const char *path)
{
    size_t i;

    for (i = 0; i < problems->len; i++)
        if (is_below(&problems->items[i], path))
            return true;
    return false;
}

/* Where a cancel would be heard. */
static bool leave_out_channel(struct profile_job *job, const struct problems *problems)
{
    struct buf text;

    if (!json_object_get(job->document, "cancel") || !are_below(problems, "cancel["))
        return false;
    buf_init(&text, WARNING_MAX);
    describe("redis", problems, "cancel[", &text);
    strings_addf(&job->warnings, "nobody can cancel the job by its system's channel: %s%s", buf_text(&text),
                 text.overflow ? "…" : "");
    buf_dispose(&text);
    json_object_del(job->document, "cancel");
    json_object_del(job->origins, "cancel");
    json_object_del(job->origins, "cancel[0].redis");
    return true;
}

bool profile_leave_out(struct profile_job *job, const struct problems *problems)
{
    const json_t *entries = json_object_get(job->document, "notify");
    long index = (long)json_array_size(entries);
    bool any = leave_out_channel(job, problems), untold = false;
    struct buf text;

    buf_init(&text, WARNING_MAX);
    while (index-- > 0) {
        CLEANUP_FREE char *path = xasprintf("notify[%ld]", index);

        if (!are_below(problems, path))
            continue;
        describe(type_of(json_array_get(entries, (size_t)index)), problems, path, &text);
        remove_entry(job, index);
        untold = true;
    }
    if (untold)
        strings_addf(&job->warnings, "the job is not told where its system wants it: %s%s", buf_text(&text),
                     text.overflow ? "…" : "");
    buf_dispose(&text);
    return any || untold;
}

static bool is_plain(const struct spec_notify *notify)
{
    static const char *const schemes[] = {"http://", "redis://", "amqp://", "kafka://"};
    size_t i;

    for (i = 0; i < ARRAY_LEN(schemes); i++)
        if (strncasecmp(notify->target, schemes[i], strlen(schemes[i])) == 0)
            return true;
    return false;
}

void profile_warn_plain(struct profile_job *job, const struct spec *spec)
{
    struct buf types;
    size_t i;

    buf_init(&types, 200);
    for (i = 0; i < spec->notify_len; i++)
        if (is_plain(&spec->notify[i]) && !strstr(buf_text(&types), spec->notify[i].type))
            buf_addf(&types, "%s%s", types.len ? ", " : "", spec->notify[i].type);
    if (types.len)
        strings_addf(&job->warnings,
                     "the job is told in plain text, as the operator's file allows (%s): the build shares the task's "
                     "network",
                     buf_text(&types));
    buf_dispose(&types);
}
