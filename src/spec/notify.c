/* Whom a job is told to: what is worked out, and the rules between the keys of an entry. */
#include <stdlib.h>
#include <string.h>

#include "core/mem.h"
#include "spec/parse_state.h"
#include "spec/resolve.h"

static const char *text_of(const json_t *entry, const char *key)
{
    return json_string_value(json_object_get(entry, key));
}

/* ---- what is worked out ---- */

/* A key that stands there with a wrong value has had its problem already. */
static void set_default(struct resolution *resolution, json_t *entry, size_t index, const char *key, json_t *value)
{
    CLEANUP_FREE char *path = xasprintf("notify[%zu].%s", index, key);

    if (json_object_get(entry, key) || layer_has(resolution->layer, path)) {
        json_decref(value);
        return;
    }
    json_object_set_new(entry, key, value);
    json_object_set_new(resolution->origins, path, json_string("default"));
}

/* The job's own repository, where that is on GitHub. */
static void resolve_github(struct resolution *resolution, json_t *entry, size_t index)
{
    static const char host[] = "https://github.com/";
    const char *repository = json_string_value(resolved_at(resolution, "source", "repository"));
    CLEANUP_FREE char *path = xasprintf("notify[%zu].github", index);
    CLEANUP_FREE char *name = NULL;
    struct remark remark = {0};
    size_t len;

    if (!repository || strcmp(text_of(entry, "github"), "source") != 0)
        return;
    if (strncasecmp(repository, host, sizeof host - 1) == 0)
        name = xstrdup(repository + sizeof host - 1);
    len = name ? strlen(name) : 0;
    if (len > 4 && strcmp(name + len - 4, ".git") == 0)
        name[len - 4] = '\0';
    if (name && check_github(name, &remark) == 0)
        json_object_set_new(entry, "github", json_string(name));
    else
        resolution_problem(resolution, path, "name one as owner/name", "the job's repository is none of GitHub's");
}

void resolve_notify(struct resolution *resolution)
{
    json_t *entries = resolved_at(resolution, "", "notify");
    size_t i;

    for (i = 0; i < json_array_size(entries); i++) {
        json_t *entry = json_array_get(entries, i);
        const struct rule *target = rule_choice(notify_rules, entry);
        bool lines;

        if (!target)
            continue;
        lines = strcmp(target->name, "file") == 0 || strcmp(target->name, "cloudwatch_logs") == 0;
        set_default(resolution, entry, i, "events", json_pack("[s]", "status"));
        set_default(resolution, entry, i, "format", json_string(lines ? "plain" : "cloudevents"));
        if (strcmp(target->name, "cloudwatch_logs") == 0)
            set_default(resolution, entry, i, "stream", json_string("caisson/${id}"));
        if (strcmp(target->name, "kafka") == 0 && json_object_get(entry, "username"))
            set_default(resolution, entry, i, "sasl", json_string("plain"));
        if (strcmp(target->name, "github") == 0)
            resolve_github(resolution, entry, i);
    }
}

/* ---- rules between keys ---- */

static void complain(struct resolution *resolution, const struct target *target, const char *key, const char *hint,
                     const char *message)
{
    CLEANUP_FREE char *path = path_join(target->path, key);

    if (!has_problem(resolution, path))
        resolution_problem(resolution, path, hint, "%s", message);
}

static void list_words(const char *const *words, struct buf *out)
{
    size_t i;

    for (i = 0; words[i]; i++)
        buf_addf(out, "%s%s", i == 0 ? "" : words[i + 1] ? ", " : " and ", words[i]);
}

static void check_choices(struct resolution *resolution, const struct target *target)
{
    const struct rule *rule;

    for (rule = rule_first(notify_rules); rule; rule = rule_next(rule)) {
        CLEANUP_FREE char *path = path_join(target->path, rule->name);
        struct buf words;

        if (!json_object_get(target->entry, rule->name))
            continue;
        if (rule->choice && strcmp(rule->name, target->type) != 0)
            resolution_problem(resolution, path, "one entry is one target: give it an entry of its own",
                               "%s and %s exclude each other", target->type, rule->name);
        if (rule_goes_with(rule, target->entry))
            continue;
        buf_init(&words, 200);
        list_words(rule->with, &words);
        resolution_problem(resolution, path, NULL, "does not apply to %s: it is for %s", target->type,
                           buf_text(&words));
        buf_dispose(&words);
    }
}

/* Whether what the entry says of its target, or the entry as a whole, has had its problem already. */
static bool is_refused(const struct resolution *resolution, const char *base)
{
    const struct rule *rule;
    size_t i;

    for (i = 0; i < resolution->problems->len; i++)
        if (strcmp(resolution->problems->items[i].path, base) == 0)
            return true;
    for (rule = rule_first(notify_rules); rule; rule = rule_next(rule)) {
        CLEANUP_FREE char *path = path_join(base, rule->name);

        if (rule->choice && has_problem(resolution, path))
            return true;
    }
    return false;
}

static void check_nowhere(struct resolution *resolution, const char *path)
{
    const struct rule *rule;
    struct buf words;

    if (is_refused(resolution, path))
        return;
    buf_init(&words, 200);
    for (rule = rule_first(notify_rules); rule; rule = rule_next(rule))
        if (rule->choice)
            buf_addf(&words, "%s%s", words.len ? ", " : "", rule->name);
    resolution_problem(resolution, path, "for example http: https://ci.example.com/hook",
                       "names no target: one of %s is expected", buf_text(&words));
    buf_dispose(&words);
}

static bool lacks(const struct target *target, const char *key)
{
    return !json_object_get(target->entry, key);
}

static bool is_type(const struct target *target, const char *type)
{
    return strcmp(target->type, type) == 0;
}

static void check_completeness(struct resolution *resolution, const struct target *target)
{
    if (is_type(target, "redis") && lacks(target, "channel") && lacks(target, "stream"))
        complain(resolution, target, "channel", "for example channel: builds", "is missing, or stream");
    if (is_type(target, "amqp") && lacks(target, "exchange") && lacks(target, "routing_key"))
        complain(resolution, target, "exchange", "routing_key alone names a queue", "is missing, or routing_key");
    if (is_type(target, "kafka") && lacks(target, "topic"))
        complain(resolution, target, "topic", "for example topic: builds", "is missing");
    if (is_type(target, "github") && lacks(target, "token"))
        complain(resolution, target, "token", "for example token: { secret: github#token }; it may write statuses",
                 "is missing: GitHub takes statuses of nobody else");
}

static void check_login(struct resolution *resolution, const struct target *target)
{
    bool redis = is_type(target, "redis");

    if (!lacks(target, "username") && lacks(target, "password"))
        complain(resolution, target, "password", "add password", "is missing: a username alone is no credential");
    if (!redis && lacks(target, "username") && !lacks(target, "password"))
        complain(resolution, target, "username", "add username", "is missing: a password alone is for redis");
    if (!lacks(target, "sasl") && lacks(target, "username"))
        complain(resolution, target, "sasl", "add username and password", "there is nobody to log in");
}

static const char *next_format(const struct spec_context *context, size_t index)
{
    return context->format_at ? context->format_at(index) : NULL;
}

static void check_format(struct resolution *resolution, const struct target *target)
{
    const struct spec_context *context = resolution->context;
    const char *format = text_of(target->entry, "format");
    const char *mode = text_of(target->entry, "mode");
    CLEANUP_FREE char *path = path_join(target->path, "format");
    const char *names[32];
    struct buf hint;
    size_t len;

    if (mode && format && strcmp(mode, "binary") == 0 && strcmp(format, "cloudevents") != 0)
        complain(resolution, target, "mode", "leave one of them out", "binary is a mode of the format cloudevents");
    if (!format || !context->format_at)
        return;
    buf_init(&hint, 1000);
    for (len = 0; len + 1 < ARRAY_LEN(names) && (names[len] = next_format(context, len)); len++) {
        if (strcmp(names[len], format) == 0) {
            buf_dispose(&hint);
            return;
        }
        buf_addf(&hint, "%s%s", len ? ", " : "there are ", names[len]);
    }
    names[len] = NULL;
    if (suggest(format, names)) {
        buf_reset(&hint);
        buf_addf(&hint, "did you mean %s?", suggest(format, names));
    }
    resolution_problem(resolution, path, buf_text(&hint), "no format is called %s", format);
    buf_dispose(&hint);
}

void crosscheck_notify(struct resolution *resolution)
{
    const json_t *entries = resolved_at(resolution, "", "notify");
    size_t i;

    for (i = 0; i < json_array_size(entries); i++) {
        CLEANUP_FREE char *path = xasprintf("notify[%zu]", i);
        struct target target = {.entry = json_array_get(entries, i), .path = path};
        const struct rule *rule = rule_choice(notify_rules, target.entry);

        if (!rule) {
            check_nowhere(resolution, path);
            continue;
        }
        target.type = rule->name;
        target.text = text_of(target.entry, rule->name);
        check_choices(resolution, &target);
        check_completeness(resolution, &target);
        check_login(resolution, &target);
        check_format(resolution, &target);
        crosscheck_target(resolution, &target);
    }
}
