#include "git/fetch_error.h"

#include <stdlib.h>
#include <string.h>

#include "core/mem.h"
#include "core/utf8.h"

#define TEXT_MAX 400

/* Parts of libgit2's messages (its error numbers say little), in the order in which they are looked for. */
static const struct rule {
    const char *part;
    enum error_class class;
    const char *reason;
    bool retryable;
    const char *hint;
} rules[] = {
    {"No space left on device", CLASS_DISK_FULL, "disk-full", false, "give the task more ephemeral storage"},
    {"Disk quota exceeded", CLASS_DISK_FULL, "disk-full", false, "give the task more ephemeral storage"},
    {"status code: 401", CLASS_SOURCE_NOT_AUTHORIZED, "not-authorized", false,
     "check source.auth: the token must be allowed to read this repository"},
    {"status code: 403", CLASS_SOURCE_NOT_AUTHORIZED, "not-authorized", false,
     "check source.auth: the token must be allowed to read this repository; some servers answer 403 to too many "
     "requests as well"},
    {"status code: 404", CLASS_REF_NOT_FOUND, "repository-not-found", false,
     "check the URL; a private repository answers 404 without a token that may read it (source.auth)"},
    {"status code: 410", CLASS_REF_NOT_FOUND, "repository-not-found", false, "the repository is gone"},
    {"status code: 429", CLASS_SOURCE_UNREACHABLE, "server-busy", true, "the server limits requests: try again later"},
    {"status code: 407", CLASS_SOURCE_UNREACHABLE, "proxy-refused", false, "check the proxy's user and password"},
    {"too many redirects or authentication replays", CLASS_SOURCE_UNREACHABLE, "redirect-refused", false,
     "use the final URL"},
    {"proxy authentication", CLASS_SOURCE_UNREACHABLE, "proxy-refused", false, "check the proxy's user and password"},
    {"status code: 408", CLASS_SOURCE_UNREACHABLE, "server-error", true, "try again"},
    {"status code: 5", CLASS_SOURCE_UNREACHABLE, "server-error", true, "the server has a problem: try again later"},
    {"proxy returned unexpected status: 5", CLASS_SOURCE_UNREACHABLE, "proxy-failed", true,
     "the proxy could not reach the server"},
    {"proxy returned unexpected status", CLASS_SOURCE_UNREACHABLE, "proxy-refused", false,
     "the proxy does not let us reach the server"},
    {"cannot redirect", CLASS_SOURCE_UNREACHABLE, "redirect-refused", false,
     "the server redirects to where we do not follow: use the final URL"},
    {"unexpected redirect", CLASS_SOURCE_UNREACHABLE, "redirect-refused", false,
     "the server redirects to where we do not follow: use the final URL"},
    {"invalid content-type", CLASS_REF_NOT_FOUND, "not-a-repository", false,
     "the server answered with something else than a Git repository: check the URL"},
    {"no content-type", CLASS_REF_NOT_FOUND, "not-a-repository", false,
     "the server answered with something else than a Git repository: check the URL"},
    {"certificate", CLASS_SOURCE_UNREACHABLE, "tls-certificate", false,
     "the server's certificate is not trusted: name its CA in the operator's ca_bundle, or mend the certificate"},
    {"wrong version number", CLASS_SOURCE_UNREACHABLE, "tls-failed", false,
     "the server does not speak TLS at that port: check the scheme and port of the URL"},
    {"failed to resolve address", CLASS_SOURCE_UNREACHABLE, "name-lookup-failed", true,
     "check the host name, and that the task's subnet has DNS"},
    {"does not support", CLASS_SOURCE_UNREACHABLE, "server-too-old", false,
     "the server speaks no smart HTTP with depth"},
    {"doesn't support", CLASS_SOURCE_UNREACHABLE, "server-too-old", false,
     "the server speaks no smart HTTP with depth"},
    {"unknown remote object format", CLASS_CONTENT_REFUSED, "object-format", false,
     "only SHA-1 repositories are supported"},
    {"remote object format", CLASS_CONTENT_REFUSED, "object-format", false, "only SHA-1 repositories are supported"},
    {"collision", CLASS_CONTENT_REFUSED, "sha1-collision", false, "an object of the repository is an attack on SHA-1"},
    {"too many objects", CLASS_CONTENT_REFUSED, "repository-too-large", false, "the pack has too many objects"},
    {"timed out", CLASS_SOURCE_UNREACHABLE, "timed-out", true,
     "check that the task's subnet and security group let it reach the server"},
    {"failed to connect", CLASS_SOURCE_UNREACHABLE, "connect-failed", true,
     "check that the task's subnet and security group let it reach the server"},
    {"repository not found", CLASS_REF_NOT_FOUND, "repository-not-found", false,
     "check the URL; a private repository is not found without a token that may read it (source.auth)"},
};

static const struct rule other = {"", CLASS_SOURCE_UNREACHABLE, "fetch-failed", true,
                                  "the connection broke or the server sent nonsense: try again"};

/* "http://user:password@host" loses what is before the "@": libgit2 quotes a proxy's URL that it cannot read. */
static void drop_user_info(char *text)
{
    char *at = text;
    char *begin;
    char *end;

    while ((at = strstr(at, "://"))) {
        begin = at + 3;
        end = begin + strcspn(begin, " '\"\n");
        while (end > begin && *end != '@')
            end--;
        if (*end == '@')
            memmove(begin, end + 1, strlen(end + 1) + 1);
        at = begin;
    }
}

/* libgit2's text, made fit for a message: valid UTF-8, no control characters, no user info of a URL. */
static void tell(const char *text, char out[TEXT_MAX])
{
    struct buf repaired;
    char *at;

    buf_init(&repaired, (size_t)3 * 4096);
    utf8_repair((struct view){text, strnlen(text, 4096)}, &repaired);
    snprintf(out, TEXT_MAX, "%.*s", (int)utf8_cut((struct view){buf_text(&repaired), repaired.len}, TEXT_MAX - 1),
             buf_text(&repaired));
    for (at = out; *at; at++)
        if ((unsigned char)*at < 0x20 || *at == 0x7f)
            *at = ' ';
    drop_user_info(out);
    buf_dispose(&repaired);
}

static const char *last_text(void)
{
    const git_error *last = git_error_last();

    return last && last->message ? last->message : "no reason given";
}

static bool holds(const char *text, const char *part)
{
    return strcasestr(text, part) != NULL;
}

static int not_authorized(const struct remote *remote, struct error *err)
{
    const bool has = remote->request->password || remote->request->username;

    switch (remote->refusal) {
    case CREDENTIAL_OTHER_HOST:
        error_set(err, CLASS_SOURCE_NOT_AUTHORIZED, "redirect-wants-credentials",
                  "%s redirects to %s, which wants credentials; ours are for the first host only", remote->shown,
                  remote->refusing_host ? remote->refusing_host : "another host");
        return error_hint(err, "use the final URL in source.repository");
    case CREDENTIAL_REJECTED:
        error_set(err, CLASS_SOURCE_NOT_AUTHORIZED, "not-authorized", "%s refused the credentials of source.auth",
                  remote->shown);
        return error_hint(err, "check that the token has not expired and may read this repository");
    default:
        error_set(err, CLASS_SOURCE_NOT_AUTHORIZED, "not-authorized", "%s %s", remote->shown,
                  has ? "wants a way of authentication that is not supported"
                      : "wants credentials, and source.auth has none");
        return error_hint(err, has ? "the server must take a user name and a password or token (Basic)"
                                   : "set source.auth.token; servers ask for one for repositories that do not exist "
                                     "too: check the URL");
    }
}

static int too_large(const struct remote *remote, struct error *err)
{
    error_set(err, CLASS_CONTENT_REFUSED, "repository-too-large", "%s sent more than the limit of %lld bytes",
              remote->shown, (long long)remote->request->max_bytes);
    return error_hint(err, "raise the limit, or make the repository smaller");
}

static int by_rule(const struct remote *remote, const char *text, struct error *err)
{
    const struct rule *rule = NULL;
    char told[TEXT_MAX];
    size_t i;

    for (i = 0; i < ARRAY_LEN(rules) && !rule; i++)
        if (holds(text, rules[i].part))
            rule = &rules[i];
    if (!rule)
        rule = &other;
    tell(text, told);
    error_set(err, rule->class, rule->reason, "%s: %s", remote->shown, told);
    error_hint(err, "%s", rule->hint);
    return rule->retryable ? error_retryable(err, 0) : -1;
}

int fetch_error(const struct remote *remote, struct error *err)
{
    const struct checkout_request *request = remote->request;
    const char *text = last_text();

    if (remote->too_large)
        too_large(remote, err);
    else if (remote->refusal != CREDENTIAL_FINE ||
             (holds(text, "authenticat") && !holds(text, "proxy") && !holds(text, "too many redirects")))
        not_authorized(remote, err);
    else
        by_rule(remote, text, err);
    if (request->commit)
        return error_context(err, "fetching commit %.40s", request->commit);
    return error_context(err, "fetching %.200s", request->ref ? request->ref : "the default branch");
}

int store_error(const char *doing, const char *where, struct error *err)
{
    const char *text = last_text();
    char told[TEXT_MAX];

    tell(text, told);
    if (holds(text, "No space left") || holds(text, "quota exceeded")) {
        error_set(err, CLASS_DISK_FULL, "disk-full", "%s in %s: %s", doing, where, told);
        return error_hint(err, "give the task more ephemeral storage");
    }
    return error_set(err, CLASS_INTERNAL, "checkout-failed", "%s in %s: %s", doing, where, told);
}
