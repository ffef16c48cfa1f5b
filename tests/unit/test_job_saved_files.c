/* What a root build may have made of the files that our connections go by. */
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "core/fs.h"
#include "core/mem.h"
#include "job/saved_files.h"

#define HOSTS "127.0.0.1 localhost\n"
#define RESOLV "nameserver 192.0.2.1\n"
#define CAS "-----BEGIN CERTIFICATE-----\n"

struct world {
    char *root;
    struct saved_files *files;
};

static char *at(const struct world *world, const char *name)
{
    return xasprintf("%s/%s", world->root, name);
}

static void lay(const struct world *world, const char *name, const char *text)
{
    CLEANUP_FREE char *path = at(world, name);

    assert_int_equal(fs_write_file(path, text, strlen(text), 0644), 0);
}

static void make_folder(const struct world *world, const char *name)
{
    CLEANUP_FREE char *path = at(world, name);

    assert_int_equal(fs_make_folders(path, 0755), 0);
}

static void assert_holds(const struct world *world, const char *name, const char *text)
{
    CLEANUP_FREE char *path = at(world, name);
    struct stat status;
    struct buf content;

    assert_int_equal(lstat(path, &status), 0);
    assert_true(S_ISREG(status.st_mode));
    buf_init(&content, 1024);
    assert_int_equal(fs_read_file(path, 1024, &content), 0);
    assert_string_equal(buf_text(&content), text);
    buf_dispose(&content);
}

static int set_up(void **state)
{
    struct world *world = xcalloc(1, sizeof *world);
    CLEANUP_FREE char *bundle = NULL;
    struct error err;

    assert_int_equal(fs_make_temp("/tmp", "saved-files-", &world->root), 0);
    make_folder(world, "etc/ssl");
    lay(world, "etc/hosts", HOSTS);
    lay(world, "etc/resolv.conf", RESOLV);
    lay(world, "etc/ssl/cas.pem", CAS);
    bundle = at(world, "etc/ssl/cas.pem");
    assert_int_equal(saved_files_read_in(&world->files, world->root, bundle, &err), 0);
    *state = world;
    return 0;
}

static int tear_down(void **state)
{
    struct world *world = *state;

    saved_files_free(world->files);
    fs_remove_tree(world->root);
    free(world->root);
    free(world);
    return 0;
}

static void assert_restored(const struct world *world)
{
    struct error err = {0};

    if (saved_files_restore(world->files, &err))
        fail_msg("%s", err.message);
    assert_holds(world, "etc/hosts", HOSTS);
    assert_holds(world, "etc/resolv.conf", RESOLV);
    assert_holds(world, "etc/ssl/cas.pem", CAS);
}

static void test_what_nobody_touched_stays(void **state)
{
    assert_restored(*state);
}

static void test_edits_are_undone_in_place(void **state)
{
    CLEANUP_FREE char *path = at(*state, "etc/hosts");
    struct stat before, after;

    lay(*state, "etc/resolv.conf", "nameserver 6.6.6.6\n# and more than there was\n# and more\n");
    assert_int_equal(truncate(path, 0), 0);
    assert_int_equal(chmod(path, 0600), 0);
    assert_int_equal(stat(path, &before), 0);
    assert_restored(*state);
    assert_int_equal(stat(path, &after), 0);
    assert_int_equal(before.st_ino, after.st_ino); /* it may be mounted */
    assert_int_equal(after.st_mode & 07777, 0644);
}

static void test_links_are_replaced_and_not_followed(void **state)
{
    CLEANUP_FREE char *hosts = at(*state, "etc/hosts"), *evil = at(*state, "evil"),
                      *bundle = at(*state, "etc/ssl/cas.pem");

    lay(*state, "evil", "6.6.6.6 s3.test\n");
    assert_int_equal(unlink(hosts), 0);
    assert_int_equal(symlink("../evil", hosts), 0);
    assert_int_equal(unlink(bundle), 0);
    assert_int_equal(link(evil, bundle), 0);
    assert_restored(*state);
    assert_holds(*state, "evil", "6.6.6.6 s3.test\n");
}

static void test_a_link_to_the_same_text_counts_as_replaced(void **state)
{
    CLEANUP_FREE char *hosts = at(*state, "etc/hosts");

    lay(*state, "later", HOSTS);
    assert_int_equal(unlink(hosts), 0);
    assert_int_equal(symlink("../later", hosts), 0);
    assert_restored(*state);
}

static void test_folders_and_fifos_go(void **state)
{
    CLEANUP_FREE char *hosts = at(*state, "etc/hosts"), *resolv = at(*state, "etc/resolv.conf");

    assert_int_equal(unlink(hosts), 0);
    make_folder(*state, "etc/hosts/deep/er");
    assert_int_equal(unlink(resolv), 0);
    assert_int_equal(mkfifo(resolv, 0666), 0);
    assert_restored(*state);
}

static void test_a_folder_on_the_way_that_is_a_link_goes(void **state)
{
    CLEANUP_FREE char *etc = at(*state, "etc"), *old = at(*state, "old");

    make_folder(*state, "evil");
    lay(*state, "evil/hosts", "6.6.6.6 s3.test\n");
    assert_int_equal(rename(etc, old), 0);
    assert_int_equal(symlink("evil", etc), 0);
    assert_restored(*state);
    assert_holds(*state, "evil/hosts", "6.6.6.6 s3.test\n");
}

static void test_all_of_it_gone_comes_back(void **state)
{
    CLEANUP_FREE char *etc = at(*state, "etc");

    assert_int_equal(fs_remove_tree(etc), 0);
    assert_restored(*state);
}

static void test_what_was_not_there_is_removed(void **state)
{
    struct world *world = *state;
    CLEANUP_FREE char *hosts = at(world, "etc/hosts"), *cas = at(world, "etc/ssl/cert.pem");
    struct error err;

    saved_files_free(world->files);
    assert_int_equal(unlink(hosts), 0);
    assert_int_equal(saved_files_read_in(&world->files, world->root, NULL, &err), 0);
    lay(world, "etc/hosts", "6.6.6.6 s3.test\n");
    /* Nor was there a bundle of CAs. */
    lay(world, "etc/ssl/cert.pem", CAS);
    assert_int_equal(saved_files_restore(world->files, &err), 0);
    assert_int_equal(access(hosts, F_OK), -1);
    assert_int_equal(access(cas, F_OK), -1);
    assert_holds(world, "etc/resolv.conf", RESOLV);
}

/* Root writes everywhere, but a mount cannot be taken away. */
static void test_what_cannot_be_put_back_is_an_error(void **state)
{
    struct world *world = *state;
    CLEANUP_FREE char *hosts = NULL;
    struct error err;

    if (geteuid() != 0 || unshare(CLONE_NEWNS) != 0 || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) != 0)
        skip();
    hosts = at(world, "etc/hosts");
    assert_int_equal(unlink(hosts), 0);
    make_folder(world, "etc/hosts");
    assert_int_equal(mount("none", hosts, "tmpfs", 0, NULL), 0);
    assert_int_equal(saved_files_restore(world->files, &err), -1);
    assert_int_equal(err.class, CLASS_OUTPUT_REFUSED);
    assert_string_equal(err.reason, "files-replaced");
    assert_non_null(strstr(err.message, "/etc/hosts"));
    assert_int_equal(umount(hosts), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_what_nobody_touched_stays, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_edits_are_undone_in_place, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_links_are_replaced_and_not_followed, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_a_link_to_the_same_text_counts_as_replaced, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_folders_and_fifos_go, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_a_folder_on_the_way_that_is_a_link_goes, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_all_of_it_gone_comes_back, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_what_was_not_there_is_removed, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_what_cannot_be_put_back_is_an_error, set_up, tear_down),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
