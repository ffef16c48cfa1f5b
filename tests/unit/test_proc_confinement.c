/* What is hidden from commands stays hidden, whatever the build leaves behind or the job's env says. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <sys/stat.h>
#include <unistd.h>

#include "core/fs.h"
#include "core/mem.h"
#include "proc/landlock.h"
#include "support/executor_fixture.h"
#include "support/skip.h"

#define TOKEN "canary-of-the-task"

struct place {
    struct executor_fixture *fixture;
    struct strings hidden;
    char *folder, *workspace;
};

static char *within(const struct place *place, const char *name)
{
    return xasprintf("%s/%s", place->folder, name);
}

static void make_folder(const struct place *place, const char *name)
{
    CLEANUP_FREE char *path = within(place, name);

    assert_int_equal(mkdir(path, 0755), 0);
}

static void make_file(const struct place *place, const char *name)
{
    CLEANUP_FREE char *path = within(place, name);

    assert_int_equal(fs_write_file(path, TOKEN, strlen(TOKEN), 0644), 0);
}

static void make_link(const struct place *place, const char *target, const char *name)
{
    CLEANUP_FREE char *path = within(place, name), *to = within(place, target);

    assert_int_equal(symlink(to, path), 0);
}

/* What lies in temporary folders is the build's whatever is hidden, so the test's own must lie elsewhere. */
static int setup(void **state)
{
    static const char *const folders[] = {"secrets",      "home",   "home/tools",      "home/tools/bin",
                                          "home/private", "source", "source/packages", "image"};
    struct place *place = xcalloc(1, sizeof *place);
    CLEANUP_FREE char *made = NULL;
    void *fixture;
    size_t i;

    assert_int_equal(fs_make_temp(getuid() == 0 ? "/run" : ".", "confinement-", &made), 0);
    place->folder = realpath(made, NULL);
    assert_int_equal(chmod(place->folder, 0755), 0);
    place->workspace = within(place, "source");
    for (i = 0; i < ARRAY_LEN(folders); i++)
        make_folder(place, folders[i]);
    make_file(place, "secrets/token");
    make_file(place, "home/private/key");
    make_file(place, "home/tools/bin/tool");
    strings_take(&place->hidden, within(place, "secrets"));
    strings_take(&place->hidden, within(place, "home"));
    if (executor_setup(&fixture))
        return -1;
    place->fixture = fixture;
    executor_free(place->fixture->executor);
    place->fixture->options.hidden = &place->hidden;
    *state = place;
    return executor_new(&place->fixture->executor, "local", &place->fixture->options, &place->fixture->err);
}

static int teardown(void **state)
{
    struct place *place = *state;
    void *fixture = place->fixture;

    executor_teardown(&fixture);
    fs_remove_tree(place->folder);
    strings_dispose(&place->hidden);
    free(place->workspace);
    free(place->folder);
    free(place);
    return 0;
}

/* Whether a command of the build can read the file, with this folder at the front of its PATH and NAME=<folder>/value in
 * its environment. */
static bool reads(const struct place *place, const char *file, const char *path_folder, const char *name,
                  const char *value)
{
    struct executor_fixture *f = place->fixture;
    CLEANUP_FREE char *script = xasprintf("cat '%s/%s'", place->folder, file);
    CLEANUP_FREE char *path = xasprintf("%s/%s:/usr/bin:/bin", place->folder, path_folder);
    CLEANUP_FREE char *given = within(place, value ? value : "");

    executor_shell(f, script);
    env_set(&f->command.env, "PATH", path);
    if (name)
        env_set(&f->command.env, name, given);
    f->command.workspace = place->workspace;
    executor_run_prepared(f);
    return strstr(buf_text(&f->output), TOKEN) != NULL;
}

static void need_landlock(const struct place *place)
{
    if (!landlock_version())
        skip_emulated("Landlock");
    if (strncmp(place->folder, "/tmp/", 5) == 0)
        skip_because("the tests are run in /tmp, where nothing is hidden");
}

static void test_links_of_the_image_are_followed(void **state)
{
    struct place *place = *state;

    need_landlock(place);
    assert_false(reads(place, "home/tools/bin/tool", "image", NULL, NULL));
    make_link(place, "home/tools/bin/tool", "image/tool");
    assert_true(reads(place, "home/tools/bin/tool", "image", NULL, NULL));
    assert_false(reads(place, "home/private/key", "image", NULL, NULL));
}

static void test_links_of_the_build_open_nothing(void **state)
{
    struct place *place = *state;

    need_landlock(place);
    make_folder(place, "source/bin");
    make_link(place, "secrets/token", "source/bin/tool");
    assert_false(reads(place, "secrets/token", "source/bin", NULL, NULL));
    /* the folder itself */
    make_link(place, "home/private", "source/shims");
    assert_false(reads(place, "home/private/key", "source/shims", NULL, NULL));
    /* a link of the image that leads there */
    make_link(place, "source/bin/tool", "image/tool");
    assert_false(reads(place, "secrets/token", "image", NULL, NULL));
    /* a folder of PATH that is one */
    make_link(place, "source/shims", "image/shims");
    assert_false(reads(place, "home/private/key", "image/shims", NULL, NULL));
}

static void test_names_of_files(void **state)
{
    struct place *place = *state;

    need_landlock(place);
    assert_true(reads(place, "home/private/key", "image", "SSL_CERT_FILE", "home/private/key"));
    make_link(place, "secrets/token", "source/ca.pem");
    assert_false(reads(place, "secrets/token", "image", "SSL_CERT_FILE", "source/ca.pem"));
    /* a name that a job's env may use */
    assert_false(reads(place, "secrets/token", "image", "GIT_SSL_CAINFO", "secrets"));
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_links_of_the_image_are_followed, setup, teardown),
        cmocka_unit_test_setup_teardown(test_links_of_the_build_open_nothing, setup, teardown),
        cmocka_unit_test_setup_teardown(test_names_of_files, setup, teardown),
    };

    (void)argv;
    if (argc > 1)
        return 0;
    return cmocka_run_group_tests(tests, NULL, NULL);
}
