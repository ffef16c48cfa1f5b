#include "cli/image_login.h"

#include <openssl/evp.h>
#include <stdlib.h>
#include <string.h>

#include "core/fs.h"
#include "core/json.h"
#include "core/mem.h"

#define PASSWORD_MAX ((size_t)64 << 10)
#define CONFIG_MAX ((size_t)1 << 20)

static int read_password(struct image_login *login, const char *path, struct error *err)
{
    struct buf text;
    int code;

    buf_init(&text, PASSWORD_MAX);
    code = fs_read_file(path, PASSWORD_MAX, &text);
    if (code) {
        buf_wipe(&text);
        return error_set_errno(err, CLASS_USAGE, "password-unreadable", -code, "reading the password from %s", path);
    }
    while (text.len && (text.data[text.len - 1] == '\n' || text.data[text.len - 1] == '\r'))
        text.data[--text.len] = '\0';
    login->password = xstrdup(buf_text(&text));
    buf_wipe(&text);
    return 0;
}

static int take_options(struct image_login *login, struct error *err)
{
    const char *path = cli_value(login->setup->call, "password-file");
    const char *password = env_get(&login->setup->env, "CAISSON_REGISTRY_PASSWORD");

    login->username = cli_value(login->setup->call, "username");
    if (path && !login->username) {
        error_set(err, CLASS_USAGE, "no-username", "--password-file is of no use without --username");
        return error_hint(err, "--username NAME --password-file FILE");
    }
    if (!login->username)
        return 0;
    if (path)
        return read_password(login, path, err);
    if (password) {
        login->password = xstrdup(password);
        return 0;
    }
    error_set(err, CLASS_USAGE, "no-password", "no password for %s", login->username);
    return error_hint(err, "--password-file FILE, or set CAISSON_REGISTRY_PASSWORD");
}

int image_login_init(struct image_login *login, struct setup *setup, const char *registry, struct error *err)
{
    struct ecr_options options = {
        .client = setup->client,
        .provider = setup->credentials,
        .host = registry,
        .endpoint = setup->platform.ecr_endpoint,
    };
    struct ecr_host host;

    *login = (struct image_login){.setup = setup, .registry = registry};
    if (take_options(login, err))
        return -1;
    if (!login->username && ecr_host_parse(registry, &host))
        return ecr_new(&login->ecr, &options, err);
    return 0;
}

void image_login_dispose(struct image_login *login)
{
    ecr_free(login->ecr);
    wipe_free(login->password);
    *login = (struct image_login){0};
}

/* ---- what docker login leaves ---- */

/* "https://ghcr.io/v2/", "ghcr.io", and Docker Hub's own old address. */
static bool is_key_of(const char *key, const char *registry)
{
    const char *scheme = strstr(key, "://");
    const char *host = scheme ? scheme + 3 : key;
    size_t len = strcspn(host, "/");

    if (strcmp(registry, "docker.io") == 0)
        registry = "index.docker.io";
    return len == strlen(registry) && strncmp(host, registry, len) == 0;
}

/* "user:password" in base64. */
static void take_auth(const char *auth, struct registry_credentials *credentials)
{
    size_t len = strlen(auth);
    char *text = xcalloc(1, len + 1);
    char *colon;

    if (len <= PASSWORD_MAX && EVP_DecodeBlock((unsigned char *)text, (const unsigned char *)auth, (int)len) > 0) {
        colon = strchr(text, ':');
        if (colon && colon != text) {
            credentials->username = xstrndup(text, (size_t)(colon - text));
            credentials->password = xstrdup(colon + 1);
        }
    }
    wipe(text, len);
    free(text);
}

static void read_docker_config(const struct image_login *login, struct registry_credentials *credentials)
{
    const struct strings *env = &login->setup->env;
    const char *folder = env_get(env, "DOCKER_CONFIG"), *home = env_get(env, "HOME");
    CLEANUP_FREE char *path =
        folder ? xasprintf("%s/config.json", folder) : xasprintf("%s/.docker/config.json", home ? home : "");
    CLEANUP_JSON json_t *document = NULL;
    const char *key;
    const json_t *entry;
    struct buf text;

    buf_init(&text, CONFIG_MAX);
    if (!fs_read_file(path, CONFIG_MAX, &text))
        document = json_parse(text.data, text.len, CLASS_USAGE, path, NULL);
    buf_wipe(&text);
    json_object_foreach(json_object_get(document, "auths"), key, entry)
    {
        if (!credentials->username && is_key_of(key, login->registry))
            take_auth(json_text(entry, "auth", ""), credentials);
    }
}

int image_login_credentials(void *context, bool renew, struct registry_credentials *credentials, struct error *err)
{
    struct image_login *login = context;
    int64_t expires_ms;

    (void)renew;
    if (login->username) {
        credentials->username = xstrdup(login->username);
        credentials->password = xstrdup(login->password);
    } else if (login->ecr) {
        return ecr_login(login->ecr, &credentials->username, &credentials->password, &expires_ms, err);
    } else if (!login->setup->platform.task_metadata && !login->setup->pid1) {
        /* Within a task whatever lies there is the image's or the build's, not a person's. */
        read_docker_config(login, credentials);
    }
    return 0;
}
