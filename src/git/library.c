#include "git/library.h"

#include <git2.h>
#include <unistd.h>

#include "core/mem.h"

#define CONNECT_TIMEOUT_MS 10000
#define SILENCE_TIMEOUT_MS 60000 /* of a connected server; large repositories think for a while before they send */
#define WINDOW_BYTES ((size_t)1 << 20)
#define MAPPED_BYTES ((size_t)16 << 20)
#define OBJECT_BYTES_MAX ((size_t)512 << 20)
#define OBJECTS_MAX ((size_t)5000000)

static const char *find_bundle(void)
{
    static const char *const bundles[] = {"/etc/ssl/certs/ca-certificates.crt", "/etc/pki/tls/certs/ca-bundle.crt",
                                          "/etc/ssl/cert.pem", "/kaniko/ssl/ca-certificates.crt"};
    size_t i;

    for (i = 0; i < ARRAY_LEN(bundles); i++)
        if (access(bundles[i], R_OK) == 0)
            return bundles[i];
    return NULL;
}

static int set_certificates(const struct checkout_request *request, struct error *err)
{
    const char *bundle = request->ca_bundle ? request->ca_bundle : find_bundle();

    if (!bundle || git_libgit2_opts(GIT_OPT_SET_SSL_CERT_LOCATIONS, bundle, NULL) == 0)
        return 0;
    error_set(err, CLASS_SOURCE_UNREACHABLE, "bad-ca-bundle", "%s: not a bundle of certificates in PEM form", bundle);
    return error_hint(err, "check the operator's ca_bundle");
}

int library_open(const struct checkout_request *request, struct error *err)
{
    static const int levels[] = {GIT_CONFIG_LEVEL_PROGRAMDATA, GIT_CONFIG_LEVEL_SYSTEM, GIT_CONFIG_LEVEL_XDG,
                                 GIT_CONFIG_LEVEL_GLOBAL};
    int connect_ms = request->connect_timeout_ms > 0 ? (int)request->connect_timeout_ms : CONNECT_TIMEOUT_MS;
    int count = git_libgit2_init();
    size_t i;

    if (count < 0)
        return error_set(err, CLASS_INTERNAL, "libgit2", "libgit2 does not start: %s", git_error_last()->message);
    if (count > 1)
        git_libgit2_shutdown();
    for (i = 0; i < ARRAY_LEN(levels); i++)
        git_libgit2_opts(GIT_OPT_SET_SEARCH_PATH, levels[i], "");
    git_libgit2_opts(GIT_OPT_SET_TEMPLATE_PATH, "");
    git_libgit2_opts(GIT_OPT_SET_OWNER_VALIDATION, 0);
    git_libgit2_opts(GIT_OPT_SET_USER_AGENT, "caisson " CAISSON_VERSION);
    git_libgit2_opts(GIT_OPT_SET_SERVER_CONNECT_TIMEOUT, connect_ms);
    git_libgit2_opts(GIT_OPT_SET_SERVER_TIMEOUT, SILENCE_TIMEOUT_MS);
    /* It would hash again what the indexer has just hashed; the collision-detecting SHA-1 stays. */
    git_libgit2_opts(GIT_OPT_ENABLE_STRICT_HASH_VERIFICATION, 0);
    git_libgit2_opts(GIT_OPT_SET_MWINDOW_SIZE, WINDOW_BYTES);
    git_libgit2_opts(GIT_OPT_SET_MWINDOW_MAPPED_LIMIT, MAPPED_BYTES);
    git_libgit2_opts(GIT_OPT_ENABLE_CACHING, 0);
    git_libgit2_opts(GIT_OPT_SET_PACK_MAX_OBJECTS, OBJECTS_MAX);
    git_libgit2_opts(GIT_OPT_SET_PACK_MAX_OBJECT_SIZE, OBJECT_BYTES_MAX);
    return set_certificates(request, err);
}
