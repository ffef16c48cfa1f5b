/*
 * Kaniko (the maintained fork, module github.com/osscontainertools/kaniko): builds as root within its own container,
 * whose file system becomes the image's, stage by stage. It deletes everything there but /kaniko, what is mounted, and
 * the paths that it is told to spare, and so runs in throw-away containers only.
 */
#include <stddef.h>
#include <string.h>
#include <unistd.h>

#include "core/mem.h"
#include "engine/engine_internal.h"

#define EXECUTOR "/kaniko/executor"
#define CERTIFICATES "/kaniko/ssl/ca-certificates.crt"

static int check(const struct engine_place *place, struct error *err)
{
    if (!place->container && !place->sandbox) {
        error_set(err, CLASS_USAGE, "engine-needs-container",
                  "kaniko wipes the file system that it runs in, and this is not a container's");
        return error_hint(err, "run the job in the builder image kaniko, or use `--engine buildah`");
    }
    if (!place->root) {
        error_set(err, CLASS_USAGE, "engine-needs-root", "kaniko unpacks images as root, and the build is not root");
        return error_hint(err, "start the container as root, with `--build-uid 0`");
    }
    if (!place->sandbox && access(EXECUTOR, X_OK) < 0) {
        error_set(err, CLASS_USAGE, "engine-missing", "there is no kaniko in this container (" EXECUTOR ")");
        return error_hint(err, "run the job in the builder image kaniko");
    }
    return 0;
}

/*
 * Switches of Kaniko, which its next release makes the default or which make it do what the Dockerfile reference says.
 * One that another release does not know costs a warning.
 */
static const char *const switches[] = {
    /* As the reference: COPY is root's after USER; WORKDIR and COPY treat the parents that they make like the last
     * folder; USER user:group means the group too; ${…} in a heredoc of COPY; ADD leaves its target's mode alone. */
    "FF_KANIKO_COPY_AS_ROOT",
    "FF_KANIKO_CHOWN_ON_IMPLICIT_DIRS",
    "FF_KANIKO_COPY_CHMOD_ON_IMPLICIT_DIRS",
    "FF_KANIKO_RUN_HONOR_GROUP",
    "FF_KANIKO_EXPAND_HEREDOC",
    "FF_KANIKO_UNTAR_SKIP_ROOT",
    /* .dockerignore is for the context: else one that begins with "*" hides what COPY --from takes from a stage. */
    "FF_KANIKO_SCOPED_DOCKERIGNORE",
    "FF_KANIKO_PRECOMPILE_DOCKERIGNORE", /* … and is not compiled again for each file */
    /* Base layers go as they are into an OCI image, not through gzip again: quicker, and with the base's digests. */
    "FF_KANIKO_SKIP_RELABEL_RECOMPRESS",
    /* A base image is downloaded once, not once for each stage and once more for the layout. */
    "FF_KANIKO_SHARED_BASE_CACHE",
    NULL,
};
static const char *const cache_switches[] = {
    /* Keys that change with all that they stand for: values in COPY and WORKDIR, the bodies of heredocs, names beside
     * hashes. Without them a layer of another build may be taken for this one's. */
    "FF_KANIKO_ROLLING_CACHE_KEY",
    "FF_KANIKO_RESOLVE_CACHE_KEY",
    "FF_KANIKO_HASH_DIR_FRAMING",
    /* A layer's deletions are not written down as files, which a later COPY --from would take for deletions again. */
    "FF_KANIKO_SKIP_WRITE_WHITEOUTS",
    /* Stages whose every instruction is in the cache are not unpacked at all. Each needs the ones before it, and
     * ROLLING_CACHE_KEY; without all four a cache saves next to nothing in a build of several stages. */
    "FF_KANIKO_INFER_CROSS_STAGE_CACHE_KEY",
    "FF_KANIKO_CACHE_LOOKAHEAD",
    "FF_KANIKO_SKIP_CACHED_STAGES",
    NULL,
};

static void switch_on(const char *const *names, struct strings *env)
{
    for (; *names; names++)
        env_set(env, *names, "1");
}

static void add_environment(const struct engine_request *request, struct strings *env)
{
    env_set(env, "PATH", COMMAND_DEFAULT_PATH);
    env_set(env, "HOME", "/root"); /* FROM scratch with a chown fails without these two */
    env_set(env, "USER", "root");
    env_set(env, "container", "docker"); /* it refuses to run where it sees no container */
    env_set(env, "SSL_CERT_FILE", request->ca_bundle ? request->ca_bundle : CERTIFICATES);
    /* The folder is read beside the file: with a bundle of the caller's nothing else is to be trusted. */
    env_set(env, "SSL_CERT_DIR", request->ca_bundle ? "/dev/null" : "/kaniko/ssl");
    if (request->pull_auth)
        env_set(env, "DOCKER_CONFIG", request->pull_auth);
    engine_add_proxies(request, env);
    switch_on(switches, env);
    if (request->cache)
        switch_on(cache_switches, env);
}

/*
 * Not --reproducible, and so `created_s` is not honoured: it holds every layer in memory (1.1 GB instead of 57 MB for one
 * of 200 MB), takes three times as long, sets the times of all files to zero, and gives Docker's media types.
 */
static void add_output(const struct engine_request *request, struct strings *argv)
{
    strings_add(argv, "--no-push");
    strings_addf(argv, "--oci-layout-path=%s", request->layout);
    strings_add(argv, "--image-format=oci");
    strings_add(argv, "--log-format=text");
    /* Or files of the builder image become part of the user's. */
    strings_add(argv, "--pre-cleanup");
    strings_addf(argv, "--ignore-path=%s", request->workspace);
    /* Or Debian's /var/run -> /run is not made, and what is written there is lost. */
    strings_add(argv, "--ignore-var-run=false");
    /* Or compressed layers are kept in memory: a gigabyte for a layer of 200 MB. */
    strings_add(argv, "--compressed-caching=false");
}

static void add_cache(const struct engine_request *request, struct strings *argv)
{
    if (!request->cache)
        return;
    strings_add(argv, "--cache=true");
    strings_add(argv, "--cache-copy-layers");
    strings_addf(argv, "--cache-repo=oci:%s/l", request->cache);
    /* What is too old is the business of whoever keeps the cache. */
    strings_add(argv, "--cache-ttl=87600h");
    strings_add(argv, "--cache-dir=");
}

static void add_registries(const struct engine_request *request, struct strings *argv)
{
    size_t i;

    /* None of the helpers that look for credentials in the environment and at metadata services. */
    strings_add(argv, "--credential-helpers=");
    for (i = 0; i < request->mirrors_len; i++) {
        const char *name = request->mirrors[i].name;

        /* As Kaniko calls it. */
        if (strcmp(name, "docker.io") == 0)
            name = "index.docker.io";
        strings_addf(argv, "--registry-map=%s=%s", name, request->mirrors[i].value);
    }
    if (request->mirrors_len)
        strings_add(argv, "--skip-default-registry-fallback"); /* "in its place" */
    for (i = 0; request->insecure && i < request->insecure->len; i++)
        strings_addf(argv, "--insecure-registry=%s", request->insecure->items[i]);
    /* A download that breaks off is taken up by Kaniko; the whole step is repeated by us. */
    strings_add(argv, "--image-fs-extract-retry=2");
}

static int check_arguments(const struct engine_request *request, struct error *err)
{
    size_t i;

    if (request->target && engine_check_listed("the target", request->target, err) < 0)
        return -1;
    for (i = 0; i < request->secrets_len; i++)
        if (engine_check_secret_id(request->secrets[i].id, err) < 0 ||
            engine_check_listed("the file of a secret", request->secrets[i].file, err) < 0)
            return -1;
    for (i = 0; i < request->mirrors_len; i++)
        if (strpbrk(request->mirrors[i].name, ";=") || strchr(request->mirrors[i].value, ';'))
            return error_set(err, CLASS_SPEC_INVALID, "engine-argument", "\"%s\" cannot be a registry",
                             request->mirrors[i].name);
    return 0;
}

static int command(const struct engine_request *request, struct command *out, struct error *err)
{
    size_t i;

    if (check_arguments(request, err) < 0)
        return -1;
    out->directory = "/"; /* or it looks for paths in its working folder first */
    out->one_stream = true;
    add_environment(request, &out->env);
    strings_add(&out->argv, EXECUTOR);
    strings_addf(&out->argv, "--context=dir://%s", request->context);
    strings_addf(&out->argv, "--dockerfile=%s", request->dockerfile);
    add_output(request, &out->argv);
    add_cache(request, &out->argv);
    add_registries(request, &out->argv);
    if (request->platform)
        strings_addf(&out->argv, "--custom-platform=%s", request->platform);
    if (request->target)
        strings_addf(&out->argv, "--target=%s", request->target);
    for (i = 0; i < request->labels_len; i++)
        strings_addf(&out->argv, "--label=%s=%s", request->labels[i].name, request->labels[i].value);
    for (i = 0; i < request->secrets_len; i++)
        strings_addf(&out->argv, "--secret=id=%s,type=file,src=%s", request->secrets[i].id, request->secrets[i].file);
    engine_add_args(request, "--build-arg", out);
    return 0;
}

const struct engine engine_kaniko = {
    .name = "kaniko",
    .check = check,
    .command = command,
    .own_words = kaniko_own_words,
    .is_last = kaniko_is_last,
    .read = kaniko_read,
    .command_failed = kaniko_command_failed,
};
