/* WWW-Authenticate (RFC 9110, 11.6.1; RFC 6750, 3) and the answers of token servers, as hostile text. */
#include <ctype.h>
#include <string.h>
#include <strings.h>

#include "core/json.h"
#include "core/mem.h"
#include "oci/registry_internal.h"

#define DEFAULT_LIFETIME_S 60 /* of a token that does not say, as its specification has it */
#define LONGEST_LIFETIME_S 86400

struct cursor {
    const char *at, *end;
};

static bool is_token_char(char c)
{
    return isalnum((unsigned char)c) || (c && strchr("!#$%&'*+-.^_`|~", c));
}

static void skip(struct cursor *cursor, const char *set)
{
    while (cursor->at < cursor->end && *cursor->at && strchr(set, *cursor->at))
        cursor->at++;
}

static struct view take_token(struct cursor *cursor)
{
    struct view token = {cursor->at, 0};

    while (cursor->at < cursor->end && is_token_char(*cursor->at))
        cursor->at++;
    token.len = (size_t)(cursor->at - token.data);
    return token;
}

/* A quoted string without its quotes and escapes, or a token. What does not fit is not taken: a cut address is another. */
static void take_value(struct cursor *cursor, char *out, size_t size)
{
    size_t len = 0;
    bool quoted = cursor->at < cursor->end && *cursor->at == '"';

    cursor->at += quoted;
    while (cursor->at < cursor->end && (quoted ? *cursor->at != '"' : is_token_char(*cursor->at))) {
        if (quoted && *cursor->at == '\\' && cursor->at + 1 < cursor->end)
            cursor->at++;
        if (len < size)
            out[len++] = *cursor->at;
        cursor->at++;
    }
    cursor->at += cursor->at < cursor->end && quoted;
    out[len < size ? len : 0] = '\0';
}

static bool is_printable(const char *text)
{
    for (; *text; text++)
        if ((unsigned char)*text < 0x20 || (unsigned char)*text > 0x7e)
            return false;
    return true;
}

static bool is_name(struct view name, const char *text)
{
    return name.len == strlen(text) && strncasecmp(name.data, text, name.len) == 0;
}

static void take_parameter(struct cursor *cursor, struct view name, struct challenge *one)
{
    char other[2];

    if (is_name(name, "realm"))
        take_value(cursor, one->realm, sizeof one->realm);
    else if (is_name(name, "service"))
        take_value(cursor, one->service, sizeof one->service);
    else if (is_name(name, "scope"))
        take_value(cursor, one->scope, sizeof one->scope);
    else
        take_value(cursor, other, sizeof other);
}

/* Bearer is better than Basic: the password goes to the token server alone. */
static void keep_better(struct challenge *challenge, const struct challenge *one)
{
    bool usable = one->scheme == AUTH_BEARER && *one->realm && is_printable(one->realm) && is_printable(one->service) &&
                  is_printable(one->scope);

    if (one->scheme == AUTH_NONE || challenge->scheme == AUTH_BEARER)
        return;
    if (usable)
        *challenge = *one;
    else if (one->scheme == AUTH_BASIC || challenge->scheme == AUTH_NONE)
        challenge->scheme = one->scheme == AUTH_BASIC ? AUTH_BASIC : AUTH_OTHER;
}

void challenge_parse(struct view value, struct challenge *challenge)
{
    struct cursor cursor = {value.data, value.data + value.len};
    struct challenge one = {.scheme = AUTH_NONE};

    while (cursor.at < cursor.end) {
        struct view name;

        skip(&cursor, " \t,");
        name = take_token(&cursor);
        skip(&cursor, " \t");
        if (name.len && cursor.at < cursor.end && *cursor.at == '=') {
            cursor.at++;
            skip(&cursor, " \t");
            take_parameter(&cursor, name, &one);
        } else if (name.len) {
            keep_better(challenge, &one);
            one = (struct challenge){.scheme = is_name(name, "bearer")  ? AUTH_BEARER
                                               : is_name(name, "basic") ? AUTH_BASIC
                                                                        : AUTH_OTHER};
        } else if (cursor.at < cursor.end) {
            cursor.at++; /* what belongs to a scheme that we do not speak */
        }
    }
    keep_better(challenge, &one);
}

void challenge_of(const struct http_response *response, struct challenge *challenge)
{
    static const char name[] = "www-authenticate: ";
    size_t i;

    *challenge = (struct challenge){.scheme = AUTH_NONE};
    for (i = 0; i < response->headers.len; i++)
        if (strncmp(response->headers.items[i], name, sizeof name - 1) == 0)
            challenge_parse(view_of(response->headers.items[i] + sizeof name - 1), challenge);
}

/* What may stand in a header: RFC 6750's b64token and a little more. */
static bool is_token(const char *text)
{
    if (!*text)
        return false;
    for (; *text; text++)
        if ((unsigned char)*text <= 0x20 || (unsigned char)*text > 0x7e)
            return false;
    return true;
}

int token_parse(struct view body, char **token, int64_t *lifetime_ms)
{
    CLEANUP_JSON json_t *document = json_parse(body.data, body.len, CLASS_PUSH_FAILED, "", NULL);
    const char *text = json_text(document, "token", json_text(document, "access_token", ""));
    int64_t lifetime_s = json_int(document, "expires_in", DEFAULT_LIFETIME_S);

    if (!is_token(text))
        return -1;
    if (lifetime_s <= 0)
        lifetime_s = DEFAULT_LIFETIME_S;
    *lifetime_ms = (lifetime_s < LONGEST_LIFETIME_S ? lifetime_s : LONGEST_LIFETIME_S) * 1000;
    *token = secret_dup(text);
    return 0;
}
