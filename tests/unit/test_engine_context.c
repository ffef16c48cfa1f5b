/* What makes a checkout ready for an engine, over trees that nobody should have made. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/fs.h"
#include "core/mem.h"
#include "engine/context.h"
#include "engine/ignore.h"
#include "support/executor_fixture.h"

#define PLAIN "FROM debian:12 AS first\nRUN true\nFROM first\n"

static struct executor_fixture *f;
static struct spool *spool;
static struct redactor *redactor;
static struct log *logger;
static struct build_context_request request;
static struct build_context context;
static struct error err;
static char *folder, *repository, *scratch;
static struct strings warnings;

static void keep_warning(void *data, const char *text)
{
    (void)data;
    strings_add(&warnings, text);
}

/* ---- the tree ---- */

/* The worker is another user than root. */
static void give(const char *path)
{
    if (geteuid() == 0)
        assert_int_equal(lchown(path, BUILD_UID, BUILD_GID), 0);
}

static void make_folder(const char *name)
{
    CLEANUP_FREE char *path = xasprintf("%s/%s", repository, name);

    assert_int_equal(mkdir(path, 0755), 0);
    give(path);
}

static void put(const char *name, const char *text)
{
    CLEANUP_FREE char *path = xasprintf("%s/%s", repository, name);

    assert_int_equal(fs_write_file(path, text, strlen(text), 0644), 0);
    give(path);
}

static void put_link(const char *name, const char *target)
{
    CLEANUP_FREE char *path = xasprintf("%s/%s", repository, name);

    assert_int_equal(symlink(target, path), 0);
    give(path);
}

static void drop(const char *name)
{
    CLEANUP_FREE char *path = xasprintf("%s/%s", repository, name);

    assert_int_equal(unlink(path), 0);
}

static char *text_of(const char *path)
{
    struct buf text;

    buf_init(&text, 1 << 20);
    assert_int_equal(fs_read_file(path, 1 << 20, &text), 0);
    return buf_take(&text);
}

static bool there(const char *name)
{
    CLEANUP_FREE char *path = xasprintf("%s/%s", repository, name);

    return access(path, F_OK) == 0;
}

static int setup(void **state)
{
    if (executor_setup((void **)&f))
        return -1;
    *state = f;
    spool = spool_new(NULL, 1 << 20);
    redactor = redactor_new();
    logger = log_new(spool, redactor);
    log_on_warning(logger, keep_warning, NULL);
    assert_int_equal(fs_make_temp("/tmp", "context-", &folder), 0);
    assert_int_equal(chmod(folder, 0755), 0);
    repository = xasprintf("%s/repository", folder);
    scratch = xasprintf("%s/scratch", folder);
    assert_int_equal(mkdir(repository, 0755), 0);
    assert_int_equal(mkdir(scratch, 0700), 0);
    give(repository);
    request = (struct build_context_request){.source = repository, .scratch = scratch};
    return 0;
}

static int teardown(void **state)
{
    build_context_dispose(&context);
    strings_dispose(&warnings);
    assert_int_equal(fs_remove_tree(folder), 0);
    free(folder);
    free(repository);
    free(scratch);
    log_free(logger);
    redactor_free(redactor);
    spool_free(spool);
    return executor_teardown(state);
}

static void expect_ok(const char *context_folder, const char *dockerfile)
{
    build_context_dispose(&context);
    if (build_context_prepare(f->executor, logger, &request, &context, &err))
        fail_msg("%s: %s", err.reason, err.message);
    assert_string_equal(context.folder, context_folder);
    if (dockerfile) {
        CLEANUP_FREE char *path = xasprintf("%s/%s", repository, dockerfile);

        assert_string_equal(context.dockerfile, dockerfile);
        assert_string_equal(context.dockerfile_path, path);
    } else {
        assert_null(context.dockerfile);
    }
}

static void expect_error(enum error_class class, const char *reason, const char *message)
{
    build_context_dispose(&context);
    assert_int_equal(build_context_prepare(f->executor, logger, &request, &context, &err), -1);
    if (err.class != class || strcmp(err.reason, reason) != 0 || !strstr(err.message, message))
        fail_msg("%d %s: %s", (int)err.class, err.reason, err.message);
    assert_null(context.folder);
}

/* ---- where things are ---- */

static void test_the_usual_places(void **state)
{
    (void)state;
    put("Dockerfile", PLAIN);
    expect_ok(".", "Dockerfile");
    assert_string_equal(context.folder_path, repository);
    assert_int_equal(context.parsed.instructions_len, 3);
    assert_int_equal(context.parsed.stages_len, 2);
    assert_null(context.template);
    make_folder("app");
    make_folder("app/docker");
    put("app/docker/prod.Dockerfile", PLAIN);
    put("app/Dockerfile", PLAIN);
    request.directory = "app";
    expect_ok("app", "app/Dockerfile");
    request.dockerfile = "docker/prod.Dockerfile";
    expect_ok("app", "app/docker/prod.Dockerfile");
    request.context = "./docker//";
    request.dockerfile = NULL;
    expect_error(CLASS_BUILD_FAILED, "dockerfile-missing", "no app/docker/Dockerfile");
    request.context = "/";
    expect_ok(".", "Dockerfile");
    request.dockerfile = "/app/./Dockerfile";
    expect_ok(".", "app/Dockerfile");
}

static void test_what_is_missing(void **state)
{
    (void)state;
    expect_error(CLASS_BUILD_FAILED, "dockerfile-missing", "no Dockerfile");
    assert_non_null(strstr(err.hint, "build.template"));
    assert_non_null(strstr(err.hint, "node18, node20, node22, node24"));
    put("file", "x");
    request.dockerfile = "file/Dockerfile";
    expect_error(CLASS_BUILD_FAILED, "dockerfile-missing", "no file/Dockerfile");
    request.context = "nowhere";
    expect_error(CLASS_BUILD_FAILED, "context-missing", "nowhere");
    request.context = "file";
    expect_error(CLASS_BUILD_FAILED, "context-missing", "file");
}

static void test_a_broken_dockerfile(void **state)
{
    (void)state;
    put("Dockerfile", "FROM a\nFORM b\n");
    expect_error(CLASS_BUILD_FAILED, "dockerfile-invalid", "Dockerfile: line 2: unknown instruction \"FORM\"");
}

static void test_targets(void **state)
{
    (void)state;
    put("Dockerfile", "FROM a AS build\nFROM b AS run\n");
    request.target = "BUILD";
    expect_ok(".", "Dockerfile");
    request.target = "rnu";
    expect_error(CLASS_BUILD_FAILED, "target-missing", "no stage rnu");
    assert_non_null(strstr(err.hint, "build, run"));
    put("Dockerfile", "FROM a\n");
    expect_error(CLASS_BUILD_FAILED, "target-missing", "no stage rnu");
    assert_non_null(strstr(err.hint, "none of the Dockerfile's stages has a name"));
}

/* ---- ways out ---- */

static void test_paths_that_leave(void **state)
{
    static const char *const paths[] = {"..", "../x", "app/../../x", "/..", "/../etc", "app/.."};
    size_t i;

    (void)state;
    put("Dockerfile", PLAIN);
    make_folder("app");
    for (i = 0; i < ARRAY_LEN(paths); i++) {
        request.context = paths[i];
        request.dockerfile = NULL;
        expect_error(CLASS_CONTENT_REFUSED, "path-outside", "the context, ");
        request.context = NULL;
        request.dockerfile = paths[i];
        expect_error(CLASS_CONTENT_REFUSED, "path-outside", "the Dockerfile, ");
    }
    request.dockerfile = "/etc/passwd";
    expect_error(CLASS_BUILD_FAILED, "dockerfile-missing", "/etc/passwd");
}

static void test_links_that_leave(void **state)
{
    static const char *const targets[] = {"/etc/passwd", "../Dockerfile", "a/../../x", "loop", "up/../x"};
    size_t i;

    (void)state;
    put_link("up", "..");
    put_link("loop", "Dockerfile");
    make_folder("a");
    for (i = 0; i < ARRAY_LEN(targets); i++) {
        put_link("Dockerfile", targets[i]);
        expect_error(CLASS_CONTENT_REFUSED, "path-outside", "the Dockerfile, Dockerfile, ");
        drop("Dockerfile");
    }
    put_link("out", "/tmp");
    put("Dockerfile", PLAIN);
    request.context = "out";
    expect_error(CLASS_CONTENT_REFUSED, "path-outside", "the context, out, ");
    request.context = "up";
    expect_error(CLASS_CONTENT_REFUSED, "path-outside", "the context, up, ");
    request.context = NULL;
    request.dockerfile = "out/Dockerfile";
    expect_error(CLASS_CONTENT_REFUSED, "path-outside", "the Dockerfile, out/Dockerfile, ");
    request.dockerfile = NULL;
    put_link(".dockerignore", "/etc/passwd");
    expect_error(CLASS_CONTENT_REFUSED, "path-outside", "the ignore file, .dockerignore, ");
    drop(".dockerignore");
    put_link(".dockerignore", "nothing");
    expect_error(CLASS_CONTENT_REFUSED, "dockerfile-refused", "a link to nothing");
}

/* They are common in repositories of several projects. */
static void test_links_that_stay(void **state)
{
    (void)state;
    make_folder("docker");
    make_folder("apps");
    make_folder("apps/one");
    put("docker/base", PLAIN);
    put_link("apps/one/Dockerfile", "../../docker/current");
    put_link("docker/current", "./base");
    put_link("one", "apps/one/");
    request.directory = "apps/one";
    expect_ok("apps/one", "docker/base");
    request.directory = ".";
    request.context = "one";
    expect_ok("apps/one", "docker/base");
    put("docker/base.dockerignore", "x\n");
    expect_ok("apps/one", "docker/base");
    assert_non_null(strstr(context.ignore_path, "/docker/base.dockerignore"));
}

static void test_what_is_no_file(void **state)
{
    CLEANUP_FREE char *fifo = xasprintf("%s/Dockerfile", repository);
    CLEANUP_FREE char *ignore = xasprintf("%s/.dockerignore", repository);
    int fd;

    (void)state;
    assert_int_equal(mkfifo(fifo, 0666), 0);
    expect_error(CLASS_CONTENT_REFUSED, "dockerfile-refused", "Dockerfile is not a regular file");
    drop("Dockerfile");
    make_folder("Dockerfile");
    expect_error(CLASS_CONTENT_REFUSED, "dockerfile-refused", "Dockerfile is not a regular file");
    assert_int_equal(rmdir(fifo), 0);
    put("Dockerfile", PLAIN);
    assert_int_equal(mkfifo(ignore, 0666), 0);
    expect_error(CLASS_CONTENT_REFUSED, "dockerfile-refused", ".dockerignore is not a regular file");
    drop(".dockerignore");
    fd = open(fifo, O_WRONLY | O_CLOEXEC);
    assert_int_equal(ftruncate(fd, (off_t)5 << 40), 0);
    close(fd);
    expect_error(CLASS_BUILD_FAILED, "dockerfile-invalid", "Dockerfile is larger than 1 MiB");
}

/* ---- the ignore file ---- */

static void test_an_ignore_file_is_written(void **state)
{
    CLEANUP_FREE char *path = xasprintf("%s/app/.dockerignore", repository);
    CLEANUP_FREE char *text = NULL;
    CLEANUP_FREE char *again = NULL;

    (void)state;
    make_folder("app");
    put("app/Dockerfile", PLAIN);
    put("app/.env", "A=1\n");
    put("app/.env.production", "A=1\n");
    put("app/.env.example", "A=\n");
    put("app/server.pem", "");
    put("app/ca-bundle.pem", "");
    request.directory = "app";
    expect_ok("app", "app/Dockerfile");
    assert_true(context.ignore_written);
    assert_string_equal(context.ignore_path, path);
    text = text_of(path);
    assert_non_null(strstr(text, "\n**/.git\n**/.git/**\n"));
    assert_non_null(strstr(text, "\n**/node_modules\n"));
    assert_non_null(strstr(text, "\n**/.env\n"));
    assert_null(strstr(text, "\n!.env\n"));
    assert_non_null(strstr(text, "\n**/id_ed25519\n"));
    assert_int_equal(warnings.len, 3);
    assert_non_null(strstr(warnings.items[0], ".env is not in the build's context"));
    assert_non_null(strstr(warnings.items[1], ".env.production is not"));
    assert_non_null(strstr(warnings.items[2], "server.pem is not"));
    assert_false(there(".dockerignore"));
    /* The next one finds it there. */
    expect_ok("app", "app/Dockerfile");
    assert_false(context.ignore_written);
    again = text_of(path);
    assert_string_equal(text, again);
}

static void test_a_dotenv_of_ours_stays(void **state)
{
    CLEANUP_FREE char *text = NULL;

    (void)state;
    put("Dockerfile", PLAIN);
    put(".env", "A=1\n");
    request.dotenv = true;
    expect_ok(".", "Dockerfile");
    text = text_of(context.ignore_path);
    assert_non_null(strstr(strstr(text, "\n**/.env.*\n"), "\n!.env\n"));
    assert_int_equal(warnings.len, 0);
    put(".dockerignore", "dist\n**/.env\r\n");
    expect_ok(".", "Dockerfile");
    assert_int_equal(warnings.len, 1);
    assert_non_null(strstr(warnings.items[0], ".dockerignore leaves out .env"));
}

static void test_an_ignore_file_of_the_user_stays(void **state)
{
    CLEANUP_FREE char *text = NULL;

    (void)state;
    put("Dockerfile", PLAIN);
    put(".dockerignore", "mine\n");
    expect_ok(".", "Dockerfile");
    assert_false(context.ignore_written);
    text = text_of(context.ignore_path);
    assert_string_equal(text, "mine\n");
    put("Dockerfile.dockerignore", "also mine\n");
    expect_ok(".", "Dockerfile");
    assert_non_null(strstr(context.ignore_path, "/Dockerfile.dockerignore"));
    drop(".dockerignore");
    expect_ok(".", "Dockerfile");
    assert_false(there(".dockerignore"));
}

/* ---- templates ---- */

static void expect_template(const char *name)
{
    CLEANUP_FREE char *path = xasprintf("%s/Dockerfile", scratch);
    CLEANUP_FREE char *text = NULL;

    expect_ok(".", NULL);
    assert_string_equal(context.template, name);
    assert_string_equal(context.dockerfile_path, path);
    text = text_of(path);
    assert_non_null(strstr(text, "docker.io/library/node:"));
    assert_true(context.parsed.stages_len >= 1);
    assert_true(context.ignore_written);
}

static void test_templates(void **state)
{
    (void)state;
    request.template = "node20";
    expect_error(CLASS_BUILD_FAILED, "no-package-json", "there is no package.json");
    put("package.json", "{}");
    expect_template("node20");
    assert_false(there("Dockerfile"));
    put("Dockerfile", PLAIN);
    expect_ok(".", "Dockerfile");
    assert_null(context.template);
    request.template_always = true;
    drop(".dockerignore");
    expect_template("node20");
    request.template = "node19";
    expect_error(CLASS_SPEC_INVALID, "unknown-template", "node19");
    assert_non_null(strstr(err.hint, "node18, node20"));
    /* A Dockerfile that is refused is not one that is missing. */
    request.template = "node20";
    request.template_always = false;
    drop("Dockerfile");
    put_link("Dockerfile", "/etc/passwd");
    expect_error(CLASS_CONTENT_REFUSED, "path-outside", "Dockerfile");
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_the_usual_places, setup, teardown),
        cmocka_unit_test_setup_teardown(test_what_is_missing, setup, teardown),
        cmocka_unit_test_setup_teardown(test_a_broken_dockerfile, setup, teardown),
        cmocka_unit_test_setup_teardown(test_targets, setup, teardown),
        cmocka_unit_test_setup_teardown(test_paths_that_leave, setup, teardown),
        cmocka_unit_test_setup_teardown(test_links_that_leave, setup, teardown),
        cmocka_unit_test_setup_teardown(test_links_that_stay, setup, teardown),
        cmocka_unit_test_setup_teardown(test_what_is_no_file, setup, teardown),
        cmocka_unit_test_setup_teardown(test_an_ignore_file_is_written, setup, teardown),
        cmocka_unit_test_setup_teardown(test_a_dotenv_of_ours_stays, setup, teardown),
        cmocka_unit_test_setup_teardown(test_an_ignore_file_of_the_user_stays, setup, teardown),
        cmocka_unit_test_setup_teardown(test_templates, setup, teardown),
    };

    if (argc == 3 && strcmp(argv[1], "--worker") == 0)
        return worker_main(&build_context_worker, 0, 1);
    if (argc == 3 && strcmp(argv[1], "--say") == 0)
        return 0;
    if (!executor_runs_self()) {
        printf("NOT EMULATED: test_engine_context: exec of this very binary\n");
        return 0;
    }
    return cmocka_run_group_tests(tests, NULL, NULL);
}
