/* A message of a system's queue. What the profile does not know in it is another's, and is not looked at. */
#include <stdlib.h>
#include <string.h>

#include "core/json.h"
#include "core/mem.h"
#include "profiles/draft.h"

#define MESSAGE_MAX ((size_t)1 << 20)

static int refuse(const struct profile_draft *draft, const struct profile_input *input, struct error *err)
{
    const char *name = draft->profile->name;

    if (input->message) {
        error_set(err, CLASS_USAGE, "no-queue-message", "the system of profile %s has no queue messages", name);
        return error_hint(err, "leave %s out: the environment says all", input->message_name);
    }
    error_set(err, CLASS_USAGE, "no-queue-message", "profile %s takes its job from a queue message, and there is none",
              name);
    return error_hint(err, "caisson run --profile %s FILE, or - for standard input, or --message-env NAME", name);
}

int message_parse(struct profile_draft *draft, const struct profile_input *input, struct error *err)
{
    CLEANUP_FREE char *what = NULL;
    size_t len;

    if (!input->message && draft->profile->takes != MESSAGE_ONLY)
        return 0;
    if (!input->message || draft->profile->takes == MESSAGE_NEVER)
        return refuse(draft, input, err);
    what = xasprintf("the message in %s", input->message_name);
    len = strlen(input->message);
    if (len > MESSAGE_MAX)
        return error_set(err, CLASS_SPEC_INVALID, "profile-message-invalid", "%s has %zu bytes, more than %zu", what,
                         len, MESSAGE_MAX);
    draft->message = json_parse(input->message, len, CLASS_SPEC_INVALID, what, err);
    if (!draft->message)
        return -1;
    if (!json_is_object(draft->message))
        return error_set(err, CLASS_SPEC_INVALID, "profile-message-invalid", "%s is no JSON object", what);
    return 0;
}

bool profile_has_message(const struct profile_draft *draft)
{
    return draft->message != NULL;
}

/* "a.b.c" */
static json_t *find(json_t *at, const char *path)
{
    const char *dot;

    for (; at && (dot = strchr(path, '.')); path = dot + 1)
        at = json_object_getn(at, path, (size_t)(dot - path));
    return json_object_get(at, path);
}

static void read_field(struct profile_draft *draft, const char *path)
{
    const json_t *value = find(draft->message, path);
    char *text = value ? json_as_text(value) : NULL;

    if (text && *text)
        json_object_set_new(draft->fields, path, json_string(text));
    else if (value && !text && !json_is_null(value))
        profile_problem(draft, "profile-message-invalid", "%s of the message is no text", path);
    wipe_free(text);
}

void message_read(struct profile_draft *draft)
{
    const char *const *path;
    const struct profile_role *role;

    if (!draft->message)
        return;
    for (role = draft->profile->roles; role->key; role++)
        if (role->message)
            read_field(draft, role->message);
    for (path = draft->profile->message_env; path && *path; path++) {
        json_t *list = find(draft->message, *path);

        /* A system that has none sends none, null, or an empty text. */
        if (!list || json_is_null(list) || (json_is_string(list) && json_string_length(list) == 0))
            continue;
        json_object_set_new(draft->fields, *path, json_true());
        profile_user_list(draft, list, *path);
    }
}
