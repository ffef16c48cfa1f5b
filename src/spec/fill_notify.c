/* Whom the job is told to, as the program works with it. */
#include <stdlib.h>
#include <string.h>

#include "core/mem.h"
#include "spec/resolve.h"
#include "spec/values.h"

static struct value_source source_at(const struct resolution *resolution, const json_t *entry, const char *path,
                                     const char *key)
{
    CLEANUP_FREE char *at = xasprintf("%s.%s", path, key);

    return value_source_of(json_object_get(entry, key), layer_position(resolution->layer, at));
}

static void fill_texts(struct spec_notify *notify, const json_t *entry)
{
    notify->channel = value_text(entry, "channel");
    notify->stream = value_text(entry, "stream");
    notify->exchange = value_text(entry, "exchange");
    notify->routing_key = value_text(entry, "routing_key");
    notify->topic = value_text(entry, "topic");
    notify->key = value_text(entry, "key");
    notify->sasl = value_text(entry, "sasl");
    notify->context = value_text(entry, "context");
    notify->link = value_text(entry, "link");
    notify->ca_bundle = value_text(entry, "ca_bundle");
    notify->format = value_text(entry, "format");
}

static void fill_entry(struct spec_notify *notify, const struct resolution *resolution, const json_t *entry,
                       size_t index)
{
    CLEANUP_FREE char *path = xasprintf("notify[%zu]", index);
    const char *type = rule_choice(notify_rules, entry)->name;
    const char *mode = json_string_value(json_object_get(entry, "mode"));
    CLEANUP_FREE char *target_path = xasprintf("%s.%s", path, type);

    notify->index = index;
    notify->type = xstrdup(type);
    notify->target = value_text(entry, type);
    notify->at = layer_position(resolution->layer, target_path);
    notify->secret = source_at(resolution, entry, path, "secret");
    notify->token = source_at(resolution, entry, path, "token");
    notify->api_key = source_at(resolution, entry, path, "api_key");
    notify->username = source_at(resolution, entry, path, "username");
    notify->password = source_at(resolution, entry, path, "password");
    value_pairs(&notify->headers, json_object_get(entry, "headers"));
    value_list(&notify->events, json_object_get(entry, "events"));
    notify->binary = mode && strcmp(mode, "binary") == 0;
    notify->plain = target_may_be_plain(resolution, notify->target);
    notify->private_http = target_may_be_private(resolution, notify->target);
    fill_texts(notify, entry);
}

/* Nothing is wrong but in a document that is refused, of which the rest is told all the same. */
static bool leave_out(struct spec *spec, const struct resolution *resolution, size_t index)
{
    CLEANUP_FREE char *path = xasprintf("notify[%zu]", index);
    const char *key;
    json_t *value;

    if (!resolution->problems->len)
        return false;
    if (has_problem(resolution, path)) {
        strings_addf(&spec->untold, "%s: what the spec says of it is wrong", path);
        return true;
    }
    json_object_foreach(resolution->waiting, key, value)
    {
        if (strncmp(key, path, strlen(path)) != 0)
            continue;
        strings_addf(&spec->untold, "%s: the id or the project that it names is not known", path);
        return true;
    }
    return false;
}

void fill_notify(struct spec *spec, const struct resolution *resolution)
{
    const json_t *entries = resolved_at(resolution, "", "notify");
    size_t i;

    spec->notify = xcalloc(json_array_size(entries) + 1, sizeof *spec->notify);
    for (i = 0; i < json_array_size(entries); i++)
        if (!leave_out(spec, resolution, i))
            fill_entry(&spec->notify[spec->notify_len++], resolution, json_array_get(entries, i), i);
}

static void dispose_entry(struct spec_notify *notify)
{
    char *const texts[] = {notify->type,    notify->channel, notify->stream, notify->exchange,
                           notify->topic,   notify->key,     notify->sasl,   notify->routing_key,
                           notify->context, notify->link,    notify->format, notify->ca_bundle};
    char *const secrets[] = {notify->target,       notify->secret.text,   notify->token.text,
                             notify->api_key.text, notify->username.text, notify->password.text};
    size_t i;

    for (i = 0; i < ARRAY_LEN(texts); i++)
        free(texts[i]);
    for (i = 0; i < ARRAY_LEN(secrets); i++)
        wipe_free(secrets[i]);
    spec_pairs_dispose(&notify->headers);
    strings_dispose(&notify->events);
}

void spec_notify_dispose(struct spec *spec)
{
    size_t i;

    for (i = 0; i < spec->notify_len; i++)
        dispose_entry(&spec->notify[i]);
    free(spec->notify);
}
