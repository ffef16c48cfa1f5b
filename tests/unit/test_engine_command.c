/* Which engine runs where, and its command line and environment: exactly these, and nothing secret where ps shows it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "core/fs.h"
#include "core/mem.h"
#include "engine/engine.h"

#define SECRET "do-not-show"

struct folder {
    char path[64];
};

static int make_folder(void **state)
{
    struct folder *folder = xcalloc(1, sizeof *folder);

    snprintf(folder->path, sizeof folder->path, "/tmp/caisson-engine-XXXXXX");
    assert_non_null(mkdtemp(folder->path));
    *state = folder;
    return 0;
}

static int remove_folder(void **state)
{
    struct folder *folder = *state;

    assert_int_equal(fs_remove_tree(folder->path), 0);
    free(folder);
    return 0;
}

static void join(const struct strings *list, struct buf *out)
{
    size_t i;

    buf_init(out, 1 << 16);
    for (i = 0; i < list->len; i++)
        buf_addf(out, "%s\n", list->items[i]);
}

static void expect_list(const struct strings *list, const char *expected)
{
    struct buf text;

    join(list, &text);
    assert_string_equal(buf_text(&text), expected);
    buf_dispose(&text);
}

static const struct engine_request smallest = {
    .context = "/w/src",
    .dockerfile = "/w/src/Dockerfile",
    .layout = "/w/layout",
    .scratch = "/w/scratch",
    .workspace = "/w",
};

static void test_kaniko_smallest(void **state)
{
    struct command command;
    struct error err;

    (void)state;
    command_init(&command, "kaniko");
    assert_int_equal(engine_command(engine_find("kaniko"), &smallest, &command, &err), 0);
    expect_list(&command.argv, "/kaniko/executor\n"
                               "--context=dir:///w/src\n"
                               "--dockerfile=/w/src/Dockerfile\n"
                               "--no-push\n"
                               "--oci-layout-path=/w/layout\n"
                               "--image-format=oci\n"
                               "--log-format=text\n"
                               "--pre-cleanup\n"
                               "--ignore-path=/w\n"
                               "--ignore-var-run=false\n"
                               "--compressed-caching=false\n"
                               "--credential-helpers=\n"
                               "--image-fs-extract-retry=2\n");
    expect_list(&command.env, "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin\n"
                              "HOME=/root\n"
                              "USER=root\n"
                              "container=docker\n"
                              "SSL_CERT_FILE=/kaniko/ssl/ca-certificates.crt\n"
                              "SSL_CERT_DIR=/kaniko/ssl\n"
                              "FF_KANIKO_COPY_AS_ROOT=1\n"
                              "FF_KANIKO_CHOWN_ON_IMPLICIT_DIRS=1\n"
                              "FF_KANIKO_COPY_CHMOD_ON_IMPLICIT_DIRS=1\n"
                              "FF_KANIKO_RUN_HONOR_GROUP=1\n"
                              "FF_KANIKO_EXPAND_HEREDOC=1\n"
                              "FF_KANIKO_UNTAR_SKIP_ROOT=1\n"
                              "FF_KANIKO_SCOPED_DOCKERIGNORE=1\n"
                              "FF_KANIKO_PRECOMPILE_DOCKERIGNORE=1\n"
                              "FF_KANIKO_SKIP_RELABEL_RECOMPRESS=1\n"
                              "FF_KANIKO_SHARED_BASE_CACHE=1\n");
    assert_string_equal(command.directory, "/");
    assert_true(command.one_stream);
    assert_false(command.contains_itself);
    command_dispose(&command);
}

/* Everything that a request can say. */
static void fill(struct engine_request *request, struct strings *insecure, const char *scratch)
{
    static const struct engine_pair args[] = {
        {"TOKEN", SECRET "\nline, \"two\"=2"}, {"EMPTY", ""}, {"PATH", "/of/the/build"}, {"https_proxy", "http://p:1"}};
    static const struct engine_pair labels[] = {{"a.b", "v, \"w\"\nx=y"}};
    static const struct engine_pair mirrors[] = {{"docker.io", "m.example/hub"}, {"ghcr.io", "localhost:5000"}};
    static const struct engine_secret secrets[] = {{"NPM_TOKEN", "/w/secrets/NPM TOKEN"}};

    strings_add(insecure, "localhost:5000");
    *request = smallest;
    request->scratch = scratch;
    request->ignore = "/w/scratch/ignore";
    request->target = "runtime";
    request->platform = "linux/arm64";
    request->args = args;
    request->args_len = ARRAY_LEN(args);
    request->labels = labels;
    request->labels_len = ARRAY_LEN(labels);
    request->mirrors = mirrors;
    request->mirrors_len = ARRAY_LEN(mirrors);
    request->secrets = secrets;
    request->secrets_len = ARRAY_LEN(secrets);
    request->insecure = insecure;
    request->pull_auth = "/w/auth";
    request->ca_bundle = "/w/ca.pem";
    request->proxy = "http://user:" SECRET "@proxy:3128";
    request->http_proxy = "http://proxy:3129";
    request->no_proxy = "169.254.170.2";
    request->cache = "/w/cache";
    request->created_s = 1700000000;
}

static void expect_no_secret(const struct strings *argv)
{
    size_t i;

    for (i = 0; i < argv->len; i++)
        assert_null(strstr(argv->items[i], SECRET));
}

static void test_kaniko_full(void **state)
{
    struct strings insecure = {0};
    struct engine_request request;
    struct command command;
    struct error err;
    struct buf text;

    (void)state;
    fill(&request, &insecure, "/w/scratch");
    command_init(&command, "kaniko");
    assert_int_equal(engine_command(engine_find("kaniko"), &request, &command, &err), 0);
    expect_no_secret(&command.argv);
    join(&command.argv, &text);
    assert_non_null(strstr(buf_text(&text), "--cache=true\n"
                                            "--cache-copy-layers\n"
                                            "--cache-repo=oci:/w/cache/l\n"
                                            "--cache-ttl=87600h\n"
                                            "--cache-dir=\n"
                                            "--credential-helpers=\n"
                                            "--registry-map=index.docker.io=m.example/hub\n"
                                            "--registry-map=ghcr.io=localhost:5000\n"
                                            "--skip-default-registry-fallback\n"
                                            "--insecure-registry=localhost:5000\n"
                                            "--image-fs-extract-retry=2\n"
                                            "--custom-platform=linux/arm64\n"
                                            "--target=runtime\n"
                                            "--label=a.b=v, \"w\"\nx=y\n"
                                            "--secret=id=NPM_TOKEN,type=file,src=/w/secrets/NPM TOKEN\n"
                                            "--build-arg=TOKEN\n"
                                            "--build-arg=EMPTY=\n"
                                            "--build-arg=PATH=/of/the/build\n"
                                            "--build-arg=https_proxy=http://p:1\n"));
    assert_string_equal(env_get(&command.env, "TOKEN"), SECRET "\nline, \"two\"=2");
    assert_string_equal(env_get(&command.env, "PATH"), COMMAND_DEFAULT_PATH);
    assert_string_equal(env_get(&command.env, "HTTPS_PROXY"), request.proxy);
    assert_string_equal(env_get(&command.env, "HTTP_PROXY"), request.http_proxy);
    assert_string_equal(env_get(&command.env, "NO_PROXY"), "169.254.170.2");
    assert_string_equal(env_get(&command.env, "DOCKER_CONFIG"), "/w/auth");
    assert_string_equal(env_get(&command.env, "SSL_CERT_FILE"), "/w/ca.pem");
    assert_string_equal(env_get(&command.env, "SSL_CERT_DIR"), "/dev/null");
    assert_string_equal(env_get(&command.env, "FF_KANIKO_SKIP_CACHED_STAGES"), "1");
    assert_null(env_get(&command.env, "https_proxy"));
    assert_null(env_get(&command.env, "EMPTY"));
    buf_dispose(&text);
    command_dispose(&command);
    strings_dispose(&insecure);
}

static void expect_file(const char *folder, const char *name, const char *expected)
{
    CLEANUP_FREE char *path = xasprintf("%s/buildah/%s", folder, name);
    struct buf text;

    buf_init(&text, 1 << 16);
    assert_int_equal(fs_read_file(path, 1 << 16, &text), 0);
    assert_string_equal(buf_text(&text), expected);
    buf_dispose(&text);
}

static void test_buildah_full(void **state)
{
    const struct folder *folder = *state;
    CLEANUP_FREE char *own = xasprintf("%s/buildah", folder->path);
    CLEANUP_FREE char *policy = xasprintf("--signature-policy=%s/policy.json\n", own);
    struct strings insecure = {0};
    struct engine_request request;
    struct command command;
    struct error err;
    struct buf text;

    fill(&request, &insecure, folder->path);
    command_init(&command, "buildah");
    assert_int_equal(engine_command(engine_find("buildah"), &request, &command, &err), 0);
    expect_no_secret(&command.argv);
    assert_string_equal(command.argv.items[0], "/bin/sh");
    assert_string_equal(command.argv.items[1], "-c");
    assert_null(strstr(command.argv.items[2], folder->path)); /* nothing is put into the script */
    assert_string_equal(command.argv.items[4], own);
    join(&command.argv, &text);
    assert_non_null(strstr(buf_text(&text), policy));
    assert_non_null(strstr(buf_text(&text), "--isolation=chroot\n--layers\n--network=host\n--http-proxy=false\n"));
    assert_non_null(strstr(buf_text(&text), "--file=/w/src/Dockerfile\n"
                                            "--ignorefile=/w/scratch/ignore\n"
                                            "--platform=linux/arm64\n"
                                            "--target=runtime\n"
                                            "--authfile=/w/auth/config.json\n"
                                            "--timestamp=1700000000\n"
                                            "--label=a.b=v, \"w\"\nx=y\n"
                                            "--secret=id=NPM_TOKEN,src=/w/secrets/NPM TOKEN\n"
                                            "--build-arg=TOKEN\n"
                                            "--build-arg=EMPTY=\n"
                                            "--build-arg=PATH=/of/the/build\n"
                                            "--build-arg=https_proxy=http://p:1\n"
                                            "--tag=oci:/w/layout:latest\n"
                                            "/w/src\n"));
    assert_string_equal(env_get(&command.env, "TOKEN"), SECRET "\nline, \"two\"=2");
    assert_string_equal(env_get(&command.env, "HOME"), own);
    assert_string_equal(env_get(&command.env, "SSL_CERT_FILE"), "/w/ca.pem");
    assert_true(command.contains_itself);
    assert_true(command.one_stream);
    expect_file(folder->path, "registries.conf",
                "unqualified-search-registries = [\"docker.io\"]\nshort-name-mode = \"disabled\"\n"
                "\n[[registry]]\nprefix = \"docker.io\"\nlocation = \"m.example/hub\"\ninsecure = false\n"
                "\n[[registry]]\nprefix = \"ghcr.io\"\nlocation = \"localhost:5000\"\ninsecure = true\n"
                "\n[[registry]]\nprefix = \"localhost:5000\"\nlocation = \"localhost:5000\"\ninsecure = true\n");
    buf_dispose(&text);
    command_dispose(&command);
    strings_dispose(&insecure);
}

static void expect_refused(const char *engine, const struct engine_request *request, const char *word)
{
    struct command command;
    struct error err;

    command_init(&command, engine);
    assert_int_equal(engine_command(engine_find(engine), request, &command, &err), -1);
    assert_int_equal(err.class, CLASS_SPEC_INVALID);
    assert_string_equal(err.reason, "engine-argument");
    assert_non_null(strstr(err.message, word));
    command_dispose(&command);
}

/* What an engine would read as something else than it is. */
static void test_refused(void **state)
{
    const struct folder *folder = *state;
    static const char *const ids[] = {"", ".", "../x", "a/b", "a,b", "a=b", "a b", "ü"};
    static const struct engine_pair mirror = {"docker.io", "a;b"};
    struct engine_secret secret = {"id", "/w/a,src=/etc/shadow"};
    struct engine_request request = smallest;
    size_t i;

    request.scratch = folder->path;
    request.secrets = &secret;
    request.secrets_len = 1;
    expect_refused("kaniko", &request, "src=/etc/shadow");
    expect_refused("buildah", &request, "src=/etc/shadow");
    secret.file = "/w/x";
    for (i = 0; i < ARRAY_LEN(ids); i++) {
        secret.id = ids[i];
        expect_refused("kaniko", &request, ids[i]);
        expect_refused("buildah", &request, ids[i]);
    }
    request.secrets_len = 0;
    request.target = "a,b";
    expect_refused("kaniko", &request, "a,b");
    request.target = NULL;
    request.mirrors = &mirror;
    request.mirrors_len = 1;
    expect_refused("kaniko", &request, "docker.io");
    request.mirrors_len = 0;
    request.layout = "/w/a:b";
    expect_refused("buildah", &request, "a:b");
}

static void test_steering_names(void **state)
{
    static const char *const steering[] = {"PATH",
                                           "path",
                                           "HOME",
                                           "HTTP_PROXY",
                                           "https_proxy",
                                           "NO_PROXY",
                                           "SSL_CERT_FILE",
                                           "FF_KANIKO_RUN_VIA_TINI",
                                           "KANIKO_DIR",
                                           "DOCKER_CONFIG",
                                           "DOCKER_AUTH_CONFIG",
                                           "AWS_ACCESS_KEY_ID",
                                           "GODEBUG",
                                           "GOMEMLIMIT",
                                           "container",
                                           "CONTAINERS_CONF",
                                           "BUILDAH_ISOLATION",
                                           "STORAGE_DRIVER",
                                           "XDG_RUNTIME_DIR",
                                           "REGISTRY_AUTH_FILE",
                                           "TMPDIR",
                                           "LD_PRELOAD",
                                           "OTEL_EXPORTER_OTLP_ENDPOINT",
                                           "caisson_dir",
                                           "_BUILDAH_STARTED_IN_USERNS",
                                           "REQUEST_METHOD"};
    static const char *const harmless[] = {"NODE_ENV", "VERSION", "NPM_TOKEN", "A", "PATHS", "MY_HOME", "API_URL"};
    size_t i;

    (void)state;
    for (i = 0; i < ARRAY_LEN(steering); i++)
        assert_true(engine_steers(steering[i]));
    for (i = 0; i < ARRAY_LEN(harmless); i++)
        assert_false(engine_steers(harmless[i]));
}

static void make_program(const char *folder, const char *name, mode_t mode)
{
    CLEANUP_FREE char *path = xasprintf("%s/%s", folder, name);

    assert_int_equal(fs_write_file(path, "#!/bin/sh\n", 10, mode), 0);
    assert_int_equal(chmod(path, mode), 0);
}

static void expect_choice(const char *name, const struct engine_place *place, const char *expected, const char *reason)
{
    const struct engine *engine = NULL;
    struct error err = {.class = CLASS_SUCCEEDED};

    if (expected) {
        assert_int_equal(engine_choose(name, place, &engine, &err), 0);
        assert_string_equal(engine_name(engine), expected);
        return;
    }
    assert_int_equal(engine_choose(name, place, &engine, &err), -1);
    assert_null(engine);
    assert_int_equal(err.class, CLASS_USAGE);
    assert_string_equal(err.reason, reason);
    assert_true(*err.hint != '\0');
}

static void test_choose(void **state)
{
    const struct folder *folder = *state;
    CLEANUP_FREE char *path = xasprintf("::/nonexistent:%s", folder->path);
    const struct engine_place machine = {.root = true, .path = path};
    const struct engine_place nothing = {.root = true, .path = "/nonexistent"};
    const struct engine_place sandbox = {.container = true, .sandbox = true, .root = true, .path = "/nonexistent"};
    const struct engine_place not_root = {.container = true, .sandbox = true, .path = "/nonexistent"};

    make_program(folder->path, "buildah", 0644); /* not executable: not there */
    expect_choice("auto", &machine, NULL, "engine-missing");
    make_program(folder->path, "buildah", 0755);
    expect_choice("auto", &machine, "buildah", NULL);
    expect_choice("buildah", &machine, "buildah", NULL);
    /* Kaniko wipes the file system that it runs in: not here, whoever asks. */
    expect_choice("kaniko", &machine, NULL, "engine-needs-container");
    expect_choice("auto", &nothing, NULL, "engine-missing");
    expect_choice("buildah", &nothing, NULL, "engine-missing");
    expect_choice("auto", &sandbox, "kaniko", NULL);
    expect_choice("kaniko", &sandbox, "kaniko", NULL);
    expect_choice("buildah", &sandbox, NULL, "engine-missing");
    expect_choice("kaniko", &not_root, NULL, "engine-needs-root");
    expect_choice("auto", &not_root, NULL, "engine-missing");
    expect_choice("docker", &machine, NULL, "engine-unknown");
}

static void test_table(void **state)
{
    size_t i;

    (void)state;
    assert_string_equal(engine_name(engine_at(0)), "kaniko");
    for (i = 0; engine_at(i); i++)
        assert_ptr_equal(engine_find(engine_name(engine_at(i))), engine_at(i));
    assert_int_equal(i, 2);
    assert_null(engine_find("auto"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_table),
        cmocka_unit_test(test_kaniko_smallest),
        cmocka_unit_test(test_kaniko_full),
        cmocka_unit_test_setup_teardown(test_buildah_full, make_folder, remove_folder),
        cmocka_unit_test_setup_teardown(test_refused, make_folder, remove_folder),
        cmocka_unit_test(test_steering_names),
        cmocka_unit_test_setup_teardown(test_choose, make_folder, remove_folder),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
