#include "git/remote.h"

#include <git2/sys/errors.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "core/mem.h"
#include "git/fetch_error.h"
#include "git/local.h"

#define DEFAULT_USERNAME "x-access-token" /* GitHub's word; others take any name with a token */

/* ---- proxy ---- */

static bool host_matches(const char *pattern, size_t len, const char *host, const char *port)
{
    const char *colon = memchr(pattern, ':', len);
    size_t host_len = strlen(host);

    /* A second colon makes it an IPv6 address. */
    if (colon && !memchr(colon + 1, ':', len - (size_t)(colon + 1 - pattern))) {
        size_t port_len = len - (size_t)(colon + 1 - pattern);

        if (strlen(port) != port_len || strncmp(colon + 1, port, port_len) != 0)
            return false;
        len = (size_t)(colon - pattern);
    }
    if (len > 0 && *pattern == '.') {
        pattern++;
        len--;
    }
    if (len == 0 || len > host_len || strncasecmp(host + host_len - len, pattern, len) != 0)
        return false;
    return len == host_len || host[host_len - len - 1] == '.';
}

bool no_proxy_has(const char *no_proxy, const char *host, const char *port)
{
    const char *at = no_proxy ? no_proxy : "";
    size_t len;

    while (*(at += strspn(at, ", \t"))) {
        len = strcspn(at, ", \t");
        if ((len == 1 && *at == '*') || host_matches(at, len, host, port))
            return true;
        at += len;
    }
    return false;
}

/* ---- the server asks for credentials ---- */

static const char *port_of(const struct url *url)
{
    if (url->port)
        return url->port;
    return strcmp(url->scheme, "https") == 0 ? "443" : "80";
}

/* The same server, or the same one over TLS at the usual port. libgit2 follows no redirect from https to http. */
static bool is_ours(const struct remote *remote, const struct url *asking)
{
    if (!asking->host || !asking->scheme || strcasecmp(asking->host, remote->url.host) != 0)
        return false;
    if (strcmp(asking->scheme, remote->url.scheme) == 0)
        return strcmp(port_of(asking), port_of(&remote->url)) == 0;
    return strcmp(asking->scheme, "https") == 0 && strcmp(port_of(asking), "443") == 0 &&
           strcmp(port_of(&remote->url), "80") == 0;
}

static int refuse(struct remote *remote, enum credential_refusal why)
{
    remote->refusal = why;
    git_error_set_str(GIT_ERROR_HTTP, "no credentials to give");
    return GIT_EAUTH;
}

static int give_credentials(git_credential **credential, const char *url, const char *username, unsigned allowed,
                            void *payload)
{
    struct remote *remote = payload;
    const struct checkout_request *request = remote->request;
    struct url asking;
    bool ours;

    (void)username;
    if (url_parse(url, &asking, NULL))
        return refuse(remote, CREDENTIAL_OTHER_HOST);
    ours = is_ours(remote, &asking);
    if (!ours) {
        free(remote->refusing_host);
        remote->refusing_host = xstrdup(asking.host);
    }
    url_dispose(&asking);
    if (!ours)
        return refuse(remote, CREDENTIAL_OTHER_HOST);
    if (!request->password && !request->username)
        return refuse(remote, CREDENTIAL_MISSING);
    /* libgit2 would ask up to fifteen times. */
    if (remote->credentials_given++ > 0)
        return refuse(remote, CREDENTIAL_REJECTED);
    if (!(allowed & GIT_CREDENTIAL_USERPASS_PLAINTEXT))
        return refuse(remote, CREDENTIAL_REJECTED);
    return git_credential_userpass_plaintext_new(credential, request->username ? request->username : DEFAULT_USERNAME,
                                                 request->password ? request->password : "");
}

/* ---- progress ---- */

static int on_transfer(const git_indexer_progress *stats, void *payload)
{
    struct remote *remote = payload;
    unsigned percent = stats->total_objects ? (unsigned)(100.0 * stats->received_objects / stats->total_objects) : 0;

    remote->objects = stats->total_objects;
    remote->bytes_received = (int64_t)stats->received_bytes;
    if (remote->request->max_bytes && remote->bytes_received > remote->request->max_bytes) {
        remote->too_large = true;
        return -1;
    }
    if (remote->worker)
        worker_progress(remote->worker, "receiving objects %u %%", percent);
    return 0;
}

static void fill_callbacks(struct remote *remote, git_remote_callbacks *callbacks)
{
    callbacks->credentials = give_credentials;
    callbacks->transfer_progress = on_transfer;
    callbacks->payload = remote;
}

static void fill_proxy(const struct remote *remote, git_proxy_options *proxy)
{
    proxy->type = remote->use_proxy ? GIT_PROXY_SPECIFIED : GIT_PROXY_NONE;
    proxy->url = remote->use_proxy ? remote->request->proxy : NULL;
}

/* ---- life ---- */

static int parse_repository(struct remote *remote, struct error *err)
{
    const char *text = remote->request->repository;

    remote->path = local_path(text);
    remote->local = remote->path != NULL;
    if (!remote->local) {
        if (url_parse(text, &remote->url, err))
            return -1;
        remote->shown = xasprintf("%s://%s%s%s%s", remote->url.scheme, remote->url.host, remote->url.port ? ":" : "",
                                  remote->url.port ? remote->url.port : "", remote->url.path ? remote->url.path : "");
    } else {
        remote->shown = xstrdup(text);
    }
    if (!remote->local && strcmp(remote->url.scheme, "https") != 0 && strcmp(remote->url.scheme, "http") != 0) {
        error_set(err, CLASS_SPEC_INVALID, "unsupported-scheme", "source.repository: \"%.40s\" is not supported",
                  remote->url.scheme);
        return error_hint(err, "use an https, http or file URL");
    }
    remote->use_proxy = !remote->local && remote->request->proxy && remote->request->proxy[0] &&
                        !no_proxy_has(remote->request->no_proxy, remote->url.host, port_of(&remote->url));
    /* libgit2 1.9 tunnels https through a proxy, but sends what it means for a proxy of plain http to the server
     * itself: better no connection than one past the proxy. */
    if (remote->use_proxy && strcmp(remote->url.scheme, "http") == 0) {
        error_set(err, CLASS_SOURCE_UNREACHABLE, "proxy-needs-https",
                  "%s: a proxy is set, and plain http does not go "
                  "through it",
                  remote->shown);
        return error_hint(err, "use https, or name %s in no_proxy when it is reached directly", remote->url.host);
    }
    return 0;
}

/* libgit2 has nothing better to say of a folder that is no repository than that it does not know the protocol. */
static int check_local(const struct remote *remote, struct error *err)
{
    git_repository *source = NULL;

    if (git_repository_open_ext(&source, remote->path, GIT_REPOSITORY_OPEN_NO_SEARCH, NULL)) {
        error_set(err, CLASS_REF_NOT_FOUND, "repository-not-found", "no Git repository in %s", remote->path);
        return error_hint(err, "check the path in source.repository, and that the build's user may read it");
    }
    git_repository_free(source);
    return 0;
}

int remote_open(struct remote *remote, git_repository *repository, const struct checkout_request *request,
                struct worker *worker, struct error *err)
{
    git_remote_connect_options options;

    *remote = (struct remote){.request = request, .worker = worker};
    if (parse_repository(remote, err) || (remote->local && check_local(remote, err)))
        return -1;
    git_remote_connect_options_init(&options, GIT_REMOTE_CONNECT_OPTIONS_VERSION);
    fill_callbacks(remote, &options.callbacks);
    fill_proxy(remote, &options.proxy_opts);
    options.follow_redirects = GIT_REMOTE_REDIRECT_INITIAL;
    /* Anonymous: nothing of it goes into .git/config. */
    if (git_remote_create_anonymous(&remote->remote, repository, remote->local ? remote->path : request->repository) ||
        git_remote_connect_ext(remote->remote, GIT_DIRECTION_FETCH, &options) ||
        git_remote_ls(&remote->heads, &remote->head_count, remote->remote))
        return fetch_error(remote, err);
    return 0;
}

void remote_close(struct remote *remote)
{
    if (remote->remote)
        git_remote_disconnect(remote->remote);
    git_remote_free(remote->remote);
    url_dispose(&remote->url);
    free(remote->path);
    free(remote->shown);
    free(remote->refusing_host);
    *remote = (struct remote){.request = NULL};
}

int remote_fetch(struct remote *remote, const char *refspec, int depth)
{
    git_fetch_options options;
    char *copy = xstrdup(refspec);
    git_strarray refspecs = {&copy, 1};
    int result;

    git_fetch_options_init(&options, GIT_FETCH_OPTIONS_VERSION);
    fill_callbacks(remote, &options.callbacks);
    fill_proxy(remote, &options.proxy_opts);
    options.follow_redirects = GIT_REMOTE_REDIRECT_INITIAL;
    options.download_tags = GIT_REMOTE_DOWNLOAD_TAGS_NONE;
    options.prune = GIT_FETCH_NO_PRUNE;
    options.update_fetchhead = 0;
    options.depth = depth;
    result = git_remote_download(remote->remote, &refspecs, &options);
    free(copy);
    return result;
}
