#include "aws/credentials_parse.h"

#include <string.h>

#include "core/clock.h"
#include "core/json.h"
#include "core/mem.h"

/* Beyond what AWS issues (128, 40, and session tokens that grow with session policies). */
#define KEY_MAX 256
#define TOKEN_MAX 16384

bool credentials_is_value(const char *text, size_t max)
{
    size_t len = 0;

    for (; text[len]; len++)
        if (text[len] <= ' ' || text[len] > '~' || len >= max)
            return false;
    return len > 0;
}

/* The key's value or NULL; -1 when it is not what such a value can be. */
static int take_value(const json_t *document, const char *key, size_t max, char **value, struct error *err)
{
    const char *text = json_text(document, key, NULL);

    *value = NULL;
    if (!text || !*text)
        return 0;
    if (!credentials_is_value(text, max))
        return error_set(err, CLASS_CREDENTIALS, "bad-credentials",
                         "the credential endpoint's answer: %s is longer than %zu bytes or holds blanks or control "
                         "characters",
                         key, max);
    *value = secret_dup(text);
    return 0;
}

static int take_expiration(const json_t *document, int64_t *expires_ms, struct error *err)
{
    const char *text = json_text(document, "Expiration", NULL);

    *expires_ms = 0;
    if (!text || !*text)
        return 0;
    if (clock_parse(text, expires_ms) == 0)
        return 0;
    return error_set(err, CLASS_CREDENTIALS, "bad-credentials",
                     "the credential endpoint's answer: Expiration is not a time as 2026-01-09T12:00:00Z");
}

int credentials_parse_document(struct view text, struct credentials *credentials, struct error *err)
{
    struct credentials found = {0};
    CLEANUP_JSON json_t *document = NULL;

    if (text.len > CREDENTIALS_DOCUMENT_MAX)
        return error_set(err, CLASS_CREDENTIALS, "bad-credentials",
                         "the credential endpoint's answer is larger than %zu bytes", CREDENTIALS_DOCUMENT_MAX);
    document = json_parse(text.data, text.len, CLASS_CREDENTIALS, "the credential endpoint's answer", err);
    if (!document)
        return -1;
    if (take_value(document, "AccessKeyId", KEY_MAX, &found.access_key, err) ||
        take_value(document, "SecretAccessKey", KEY_MAX, &found.secret_key, err) ||
        take_value(document, "Token", TOKEN_MAX, &found.session_token, err) ||
        take_expiration(document, &found.expires_ms, err)) {
        credentials_dispose(&found);
        return -1;
    }
    if (!found.access_key || !found.secret_key) {
        credentials_dispose(&found);
        return error_set(err, CLASS_CREDENTIALS, "bad-credentials",
                         "the credential endpoint's answer has no AccessKeyId and SecretAccessKey");
    }
    *credentials = found;
    return 0;
}

/* ---- shared credentials file ---- */

static struct view trim(struct view text)
{
    while (text.len && strchr(" \t\r", text.data[0]) && text.data[0]) {
        text.data++;
        text.len--;
    }
    while (text.len && strchr(" \t\r", text.data[text.len - 1]) && text.data[text.len - 1])
        text.len--;
    return text;
}

static bool next_line(struct view *rest, struct view *line)
{
    const char *end;

    if (!rest->len)
        return false;
    end = memchr(rest->data, '\n', rest->len);
    line->data = rest->data;
    line->len = end ? (size_t)(end - rest->data) : rest->len;
    rest->data += line->len + (end != NULL);
    rest->len -= line->len + (end != NULL);
    return true;
}

/* "[name]", also with white space inside and a comment behind. */
static bool is_section(struct view line, const char *name, bool *ours)
{
    const char *end;

    if (!line.len || line.data[0] != '[')
        return false;
    end = memchr(line.data, ']', line.len);
    *ours = end && view_is(trim((struct view){line.data + 1, (size_t)(end - line.data) - 1}), name);
    return true;
}

static void set_value(char **to, struct view value)
{
    secret_free(*to);
    *to = secret_new(value.data, value.len);
}

/* Notes in *elsewhere a key that says that the credentials come from somewhere else. */
static void take_pair(struct view line, struct credentials *found, const char **elsewhere)
{
    static const char *const other_ways[] = {"role_arn", "credential_process", "sso_session", "sso_start_url",
                                             "web_identity_token_file"};
    const char *equals = memchr(line.data, '=', line.len);
    struct view name, value;
    size_t i;

    if (!equals)
        return;
    name = trim((struct view){line.data, (size_t)(equals - line.data)});
    value = trim((struct view){equals + 1, line.len - (size_t)(equals - line.data) - 1});
    if (view_is(name, "aws_access_key_id"))
        set_value(&found->access_key, value);
    else if (view_is(name, "aws_secret_access_key"))
        set_value(&found->secret_key, value);
    else if (view_is(name, "aws_session_token"))
        set_value(&found->session_token, value);
    for (i = 0; i < ARRAY_LEN(other_ways); i++)
        if (view_is(name, other_ways[i]))
            *elsewhere = other_ways[i];
}

static int check_profile(const struct credentials *found, bool seen, const char *elsewhere, const char *file,
                         const char *profile, struct error *err)
{
    if (!seen) {
        error_set(err, CLASS_CREDENTIALS, "profile-not-found", "%s has no section [%s]", file, profile);
        return error_hint(err, "name one that it has in AWS_PROFILE");
    }
    if ((!found->access_key || !found->secret_key) && elsewhere) {
        error_set(err, CLASS_CREDENTIALS, "profile-not-supported",
                  "section [%s] of %s gets its credentials by %s, which caisson does not do", profile, file, elsewhere);
        return error_hint(err,
                          "let the AWS CLI do it: eval \"$(aws configure export-credentials --profile %s --format "
                          "env)\"",
                          profile);
    }
    if (!found->access_key || !found->secret_key || !credentials_is_value(found->access_key, KEY_MAX) ||
        !credentials_is_value(found->secret_key, KEY_MAX) ||
        (found->session_token && !credentials_is_value(found->session_token, TOKEN_MAX))) {
        error_set(err, CLASS_CREDENTIALS, "bad-credentials",
                  "section [%s] of %s has no usable aws_access_key_id and aws_secret_access_key", profile, file);
        return error_hint(err, "each stands on a line of its own as name = value, without quotes");
    }
    return 0;
}

int credentials_parse_profile(struct view text, const char *file, const char *profile, struct credentials *credentials,
                              struct error *err)
{
    struct credentials found = {0};
    const char *elsewhere = NULL;
    bool inside = false, seen = false, ours;
    struct view line;

    while (next_line(&text, &line)) {
        line = trim(line);
        if (!line.len || line.data[0] == '#' || line.data[0] == ';')
            continue;
        if (is_section(line, profile, &ours)) {
            inside = ours;
            seen = seen || ours;
        } else if (inside) {
            take_pair(line, &found, &elsewhere);
        }
    }
    if (found.session_token && !*found.session_token) {
        secret_free(found.session_token);
        found.session_token = NULL;
    }
    if (check_profile(&found, seen, elsewhere, file, profile, err)) {
        credentials_dispose(&found);
        return -1;
    }
    *credentials = found;
    return 0;
}
