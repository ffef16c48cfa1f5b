/*
 * Buildah: for a machine without Kaniko. It keeps everything of its own in the request's scratch folder, runs the
 * user's commands in a chroot with namespaces of its own, and needs CAP_SYS_ADMIN, or user namespaces when not root.
 */
#include <fcntl.h>
#include <linux/capability.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "core/fs.h"
#include "core/mem.h"
#include "engine/engine_internal.h"

/*
 * $1: our scratch folder, then the arguments of `buildah build`. As root it gets a mount namespace, so that what it
 * mounts goes with it however it ends. Afterwards it tells which base images it took and, when not root, removes what
 * belongs to the other ids of its user namespace: outside of it nobody could.
 */
static const char script[] =
    "caisson_dir=$1; shift\n"
    "caisson_alone=\n"
    "if [ \"$(id -u)\" = 0 ] && unshare --mount true 2>/dev/null; then\n"
    "  caisson_alone='unshare --mount --propagation private'\n"
    "fi\n"
    "run() { $caisson_alone buildah --root \"$caisson_dir/root\" --runroot \"$caisson_dir/run\""
    " --registries-conf \"$caisson_dir/registries.conf\" \"$@\"; }\n"
    "run build \"$@\"; caisson_code=$?\n"
    /* Where overlay failed its folder is there too, and buildah would not know which one it took. */
    "[ ! -d \"$caisson_dir/root/vfs-images\" ] || export STORAGE_DRIVER=vfs\n"
    "[ $caisson_code != 0 ] ||\n"
    "run images --format 'base={{.Name}}:{{.Tag}}@{{.Digest}}' 2>/dev/null | grep -v '^base=<none>'\n"
    "[ \"$(id -u)\" = 0 ] || buildah unshare rm -rf \"$caisson_dir/root\" \"$caisson_dir/run\" 2>/dev/null\n"
    "exit $caisson_code\n";

static bool is_there(const char *program, const char *path)
{
    char file[4096];

    while (*path) {
        size_t len = strcspn(path, ":");
        struct stat status;

        if (len && snprintf(file, sizeof file, "%.*s/%s", (int)len, path, program) < (int)sizeof file &&
            access(file, X_OK) == 0 && stat(file, &status) == 0 && S_ISREG(status.st_mode))
            return true;
        path += len + (path[len] == ':');
    }
    return false;
}

static bool can_make_namespaces(void)
{
    struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
    struct __user_cap_data_struct sets[_LINUX_CAPABILITY_U32S_3] = {{0}};

    return syscall(SYS_capget, &header, sets) == 0 && (sets[0].effective >> CAP_SYS_ADMIN & 1);
}

static int check(const struct engine_place *place, struct error *err)
{
    if (place->sandbox || (place->container && !can_make_namespaces())) {
        error_set(err, CLASS_USAGE, "engine-missing", "buildah cannot make its namespaces in this container");
        return error_hint(err, "run the job in the builder image kaniko");
    }
    if (!is_there("buildah", place->path ? place->path : COMMAND_DEFAULT_PATH)) {
        error_set(err, CLASS_USAGE, "engine-missing", "there is no program \"buildah\" in PATH");
        return error_hint(err, "install it (Debian: apt install buildah), or run the job in the builder image kaniko");
    }
    return 0;
}

/* A string of TOML. */
static void add_quoted(struct buf *out, const char *text)
{
    buf_addc(out, '"');
    for (; *text; text++) {
        if ((unsigned char)*text < 32 || *text == 127)
            continue;
        if (*text == '"' || *text == '\\')
            buf_addc(out, '\\');
        buf_addc(out, *text);
    }
    buf_addc(out, '"');
}

static bool is_insecure(const struct engine_request *request, const char *registry)
{
    size_t len = strcspn(registry, "/"), i;

    for (i = 0; request->insecure && i < request->insecure->len; i++)
        if (strlen(request->insecure->items[i]) == len && strncmp(request->insecure->items[i], registry, len) == 0)
            return true;
    return false;
}

static void add_registry(const struct engine_request *request, const char *name, const char *location, struct buf *out)
{
    buf_adds(out, "\n[[registry]]\nprefix = ");
    add_quoted(out, name);
    buf_adds(out, "\nlocation = ");
    add_quoted(out, location);
    buf_addf(out, "\ninsecure = %s\n", is_insecure(request, location) ? "true" : "false");
}

/* containers-registries.conf(5) */
static void make_registries(const struct engine_request *request, struct buf *out)
{
    size_t i, k;

    buf_adds(out, "unqualified-search-registries = [\"docker.io\"]\nshort-name-mode = \"disabled\"\n");
    for (i = 0; i < request->mirrors_len; i++)
        add_registry(request, request->mirrors[i].name, request->mirrors[i].value, out);
    for (i = 0; request->insecure && i < request->insecure->len; i++) {
        const char *name = request->insecure->items[i];

        for (k = 0; k < request->mirrors_len && strcmp(request->mirrors[k].name, name) != 0; k++)
            ;
        if (k == request->mirrors_len)
            add_registry(request, name, name, out);
    }
}

static int write_file(const char *folder, const char *name, const char *text, struct error *err)
{
    CLEANUP_FREE char *path = xasprintf("%s/%s", folder, name);
    int status = fs_write_file(path, text, strlen(text), 0644);

    if (status < 0)
        return error_set_errno(err, CLASS_INTERNAL, "scratch-failed", -status, "cannot write %s", path);
    return 0;
}

/* Nothing of the machine's own configuration decides what an image becomes. */
static int write_configuration(const struct engine_request *request, const char *folder, struct error *err)
{
    CLEANUP_FREE char *network = xasprintf("%s/network", folder);
    struct buf registries, containers;
    int status;

    buf_init(&registries, 256 * 1024);
    buf_init(&containers, 16 * 1024);
    make_registries(request, &registries);
    buf_adds(&containers, "[network]\nnetwork_config_dir = ");
    add_quoted(&containers, network);
    buf_adds(&containers, "\ncni_plugin_dirs = [");
    add_quoted(&containers, network);
    buf_adds(&containers, "]\n");
    status = fs_make_folders(network, 0755);
    if (status < 0)
        status = error_set_errno(err, CLASS_INTERNAL, "scratch-failed", -status, "cannot make %s", network);
    else if (registries.overflow || containers.overflow)
        status = error_set(err, CLASS_SPEC_INVALID, "engine-argument", "there are too many registries");
    else
        status = write_file(folder, "registries.conf", buf_text(&registries), err) < 0 ||
                         write_file(folder, "containers.conf", buf_text(&containers), err) < 0 ||
                         /* The driver that this machine can have: overlay, else vfs. */
                         write_file(folder, "storage.conf", "[storage]\ndriver = \"\"\n", err) < 0 ||
                         write_file(folder, "policy.json", "{\"default\":[{\"type\":\"insecureAcceptAnything\"}]}\n",
                                    err) < 0
                     ? -1
                     : 0;
    buf_dispose(&registries);
    buf_dispose(&containers);
    return status;
}

static void add_environment(const struct engine_request *request, const char *folder, struct strings *env)
{
    CLEANUP_FREE char *storage = xasprintf("%s/storage.conf", folder),
                      *containers = xasprintf("%s/containers.conf", folder);

    env_set(env, "PATH", COMMAND_DEFAULT_PATH);
    env_set(env, "HOME", folder);
    env_set(env, "XDG_RUNTIME_DIR", folder);
    env_set(env, "TMPDIR", folder);
    env_set(env, "CONTAINERS_STORAGE_CONF", storage);
    env_set(env, "CONTAINERS_CONF", containers);
    if (request->ca_bundle)
        env_set(env, "SSL_CERT_FILE", request->ca_bundle);
    engine_add_proxies(request, env);
}

static void add_build(const struct engine_request *request, const char *folder, struct strings *argv)
{
    size_t i;

    strings_add(argv, "--isolation=chroot");
    strings_add(argv, "--layers"); /* one an instruction, as everywhere else */
    strings_add(argv, "--network=host");
    strings_add(argv, "--http-proxy=false"); /* it is for pulling */
    strings_add(argv, "--format=oci");
    strings_add(argv, "--identity-label=false");
    strings_add(argv, "--disable-compression=false");
    strings_add(argv, "--retry=0"); /* the step is repeated by us: it would wait for minutes and say nothing */
    strings_addf(argv, "--signature-policy=%s/policy.json", folder);
    strings_addf(argv, "--file=%s", request->dockerfile);
    if (request->ignore)
        strings_addf(argv, "--ignorefile=%s", request->ignore);
    if (request->platform)
        strings_addf(argv, "--platform=%s", request->platform);
    if (request->target)
        strings_addf(argv, "--target=%s", request->target);
    if (request->pull_auth)
        strings_addf(argv, "--authfile=%s/config.json", request->pull_auth);
    if (request->created_s > 0) /* of the image and of all files in its layers: the same input gives the same image */
        strings_addf(argv, "--timestamp=%lld", (long long)request->created_s);
    for (i = 0; i < request->labels_len; i++)
        strings_addf(argv, "--label=%s=%s", request->labels[i].name, request->labels[i].value);
    for (i = 0; i < request->secrets_len; i++)
        strings_addf(argv, "--secret=id=%s,src=%s", request->secrets[i].id, request->secrets[i].file);
}

static int check_arguments(const struct engine_request *request, struct error *err)
{
    size_t i;

    /* Behind a colon it takes the tag to begin. */
    if (strchr(request->layout, ':'))
        return error_set(err, CLASS_SPEC_INVALID, "engine-argument", "the folder \"%s\" has a colon", request->layout);
    for (i = 0; i < request->secrets_len; i++)
        if (engine_check_secret_id(request->secrets[i].id, err) < 0 ||
            engine_check_listed("the file of a secret", request->secrets[i].file, err) < 0)
            return -1;
    return 0;
}

static int command(const struct engine_request *request, struct command *out, struct error *err)
{
    CLEANUP_FREE char *folder = xasprintf("%s/buildah", request->scratch);

    if (check_arguments(request, err) < 0 || write_configuration(request, folder, err) < 0)
        return -1;
    out->directory = "/";
    out->one_stream = true;
    out->contains_itself = true;
    add_environment(request, folder, &out->env);
    strings_add(&out->argv, "/bin/sh");
    strings_add(&out->argv, "-c");
    strings_add(&out->argv, script);
    strings_add(&out->argv, "sh");
    strings_add(&out->argv, folder);
    add_build(request, folder, &out->argv);
    engine_add_args(request, "--build-arg", out);
    strings_addf(&out->argv, "--tag=oci:%s:latest", request->layout);
    strings_add(&out->argv, request->context);
    return 0;
}

const struct engine engine_buildah = {
    .name = "buildah",
    .check = check,
    .command = command,
    .own_words = buildah_own_words,
    .is_last = buildah_is_last,
    .read = buildah_read,
    .command_failed = buildah_command_failed,
};
