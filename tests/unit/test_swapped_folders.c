/*
 * A process of the build's goes on swapping folders and files for links while we read, publish and remove: whatever the
 * moment, nothing outside is read, listed or removed.
 */
#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "core/clock.h"
#include "core/fs.h"
#include "core/mem.h"
#include "detect/detect.h"
#include "job/disk_usage.h"
#include "publish/tree.h"
#include "support/publish_bed.h"
#include "support/skip.h"

#define EXCHANGE 2 /* RENAME_EXCHANGE of renameat2(2) */
#define RACE_MS 400
#define LONGER_MS 20000
#define CANARY "canary, and no word of the project's"

struct race {
    struct publish_bed base;
    char *outside; /* canary.txt and package.json with the canary in it */
    int fd;        /* of base.folder, which is the checkout */
    pid_t swapper;
    int rounds, refused;
    int64_t end_ms;
};

static void swap(int fd, const char *left, const char *right)
{
    (void)!syscall(SYS_renameat2, fd, left, fd, right, EXCHANGE);
}

static int setup(void **state)
{
    struct race *race = xcalloc(1, sizeof *race);
    CLEANUP_FREE char *canary = NULL, *package = NULL;

    publish_bed_init(&race->base);
    race->fd = open(race->base.folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fs_make_temp("/tmp", "test-outside-", &race->outside))
        return -1;
    chmod(race->outside, 0755);
    canary = xasprintf("%s/canary.txt", race->outside);
    package = xasprintf("%s/package.json", race->outside);
    bed_write(&race->base, "checkout/site/a/inside.txt", "inside");
    bed_write(&race->base, "checkout/site/file.txt", "inside");
    bed_write(&race->base, "checkout/package.json", "{\"scripts\":{\"build\":\"true\"}}");
    if (fs_write_file(canary, CANARY, strlen(CANARY), 0644) ||
        fs_write_file(package, "{\"scripts\":{\"build\":\"" CANARY "\"}}", strlen(CANARY) + 24, 0644) ||
        symlinkat(race->outside, race->fd, "checkout/folder-link") ||
        symlinkat(canary, race->fd, "checkout/file-link") || symlinkat(package, race->fd, "checkout/package-link"))
        return -1;
    race->end_ms = clock_monotonic_ms() + RACE_MS;
    *state = race;
    return 0;
}

static int teardown(void **state)
{
    struct race *race = *state;
    int code;

    if (race->swapper > 0) {
        kill(race->swapper, SIGKILL);
        waitpid(race->swapper, NULL, 0);
    }
    close(race->fd);
    code = fs_remove_tree(race->outside);
    free(race->outside);
    publish_bed_dispose(&race->base);
    free(race);
    return code;
}

static void start_swapping(struct race *race, const char *left, const char *right)
{
    swap(race->fd, left, right);
    if (errno == ENOSYS || errno == EINVAL)
        skip_because("files cannot be exchanged here");
    race->swapper = fork();
    if (race->swapper == 0)
        for (;;)
            swap(race->fd, left, right);
    assert_true(race->swapper > 0);
}

/* A race in which one side never won proves nothing: then it goes on for longer. */
static bool both_happened(const struct race *race)
{
    return race->refused > 0 && race->refused < race->rounds;
}

static bool goes_on(struct race *race)
{
    int64_t now_ms = clock_monotonic_ms();
    bool more = now_ms < race->end_ms || (!both_happened(race) && now_ms < race->end_ms + LONGER_MS);

    race->rounds += more;
    return more;
}

static void read_while_swapping(struct race *race,
                                int (*open_it)(int folder_fd, const char *path, int flags, mode_t mode),
                                const char *path)
{
    char text[64] = "";
    int fd;

    while (goes_on(race)) {
        fd = open_it(race->fd, path, O_RDONLY, 0);
        if (fd < 0) {
            race->refused++;
            continue;
        }
        memset(text, 0, sizeof text);
        assert_true(read(fd, text, sizeof text - 1) > 0);
        close(fd);
        assert_string_equal(text, "inside");
    }
    assert_true(both_happened(race));
}

static void test_open_beneath(void **state)
{
    struct race *race = *state;

    bed_write(&race->base, "checkout/site/a/canary.txt", "inside");
    start_swapping(race, "checkout/site/a", "checkout/folder-link");
    read_while_swapping(race, fs_open_beneath, "checkout/site/a/canary.txt");
}

static void test_open_by_steps(void **state)
{
    struct race *race = *state;

    bed_write(&race->base, "checkout/site/a/canary.txt", "inside");
    start_swapping(race, "checkout/site/a", "checkout/folder-link");
    read_while_swapping(race, fs_open_beneath_by_steps, "checkout/site/a/canary.txt");
}

static void test_open_of_a_file(void **state)
{
    struct race *race = *state;

    start_swapping(race, "checkout/site/file.txt", "checkout/file-link");
    read_while_swapping(race, fs_open_beneath_by_steps, "checkout/site/file.txt");
}

/* Only what lies in the folder is listed, hashed and opened; everything else is refused. */
static void publish_while_swapping(struct race *race)
{
    struct publish_request request;

    bed_request(&race->base, &request, "job", BED_TIME, PUBLISH_MIRROR);
    free(request.root);
    free(request.from);
    request.root = xasprintf("%s/checkout", race->base.folder);
    request.from = xasprintf("%s/checkout/site", race->base.folder);
    while (goes_on(race)) {
        struct error err = {0};
        struct tree tree;
        size_t i;

        tree_init(&tree);
        if (tree_open(&tree, &request, &err) || tree_walk(&tree, 10, &err) || tree_hash(&tree, NULL, NULL, &err)) {
            assert_int_equal(err.class, CLASS_OUTPUT_REFUSED);
            race->refused++;
        } else {
            for (i = 0; i < tree.len; i++) {
                assert_int_equal(tree.files[i].content.size, strlen("inside"));
                assert_null(strstr(tree.files[i].path, "canary"));
            }
        }
        tree_dispose(&tree);
    }
    publish_request_dispose(&request);
    assert_true(both_happened(race));
}

static void test_publish_of_a_folder(void **state)
{
    struct race *race = *state;

    start_swapping(race, "checkout/site/a", "checkout/folder-link");
    publish_while_swapping(race);
}

static void test_publish_of_a_file(void **state)
{
    struct race *race = *state;

    start_swapping(race, "checkout/site/file.txt", "checkout/file-link");
    publish_while_swapping(race);
}

static void test_detection(void **state)
{
    struct race *race = *state;
    CLEANUP_FREE char *root = xasprintf("%s/checkout", race->base.folder);
    struct detect_hints hints = {0};

    start_swapping(race, "checkout/package.json", "checkout/package-link");
    while (goes_on(race)) {
        struct detection detection = {0};
        struct error err = {0};

        if (detect_project(root, ".", &hints, &detection, &err)) {
            assert_string_equal(err.reason, "bad-package-json");
            race->refused++;
        } else {
            json_t *json = detection_to_json(&detection);
            char *text = json_dumps(json, 0);

            assert_null(strstr(text, "canary"));
            free(text);
            json_decref(json);
        }
        detection_dispose(&detection);
    }
    assert_true(both_happened(race));
}

static void test_removal_and_measure(void **state)
{
    struct race *race = *state;
    CLEANUP_FREE char *canary = xasprintf("%s/canary.txt", race->outside);
    CLEANUP_FREE char *large = xasprintf("%s/large", race->outside);
    CLEANUP_FREE char *path = xasprintf("%s/checkout", race->base.folder);
    CLEANUP_CLOSE int checkout = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    CLEANUP_FREE char *megabyte = xcalloc(1 << 20, 1);
    struct disk_usage usage;
    struct stat st;
    size_t i;

    memset(megabyte, 1, 1 << 20);
    assert_int_equal(fs_write_file(large, megabyte, 1 << 20, 0644), 0);
    start_swapping(race, "checkout/site/a", "checkout/folder-link");
    while (goes_on(race)) {
        assert_int_equal(disk_usage_of(&usage, checkout), 0);
        for (i = 0; i < usage.len; i++)
            assert_true(usage.folders[i].bytes < 1 << 20);
        race->refused = 1;
        /* The link itself may go, and then there is nothing to swap: make it anew. */
        (void)fs_remove_tree_at(race->fd, race->rounds % 2 ? "checkout/site" : "checkout/folder-link");
        assert_int_equal(stat(canary, &st), 0);
        bed_write(&race->base, "checkout/site/b/inside.txt", "inside");
        (void)!mkdirat(race->fd, "checkout/site/a", 0755);
        (void)!symlinkat(race->outside, race->fd, "checkout/folder-link");
    }
    assert_int_equal(stat(canary, &st) | stat(large, &st), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_open_beneath, setup, teardown),
        cmocka_unit_test_setup_teardown(test_open_by_steps, setup, teardown),
        cmocka_unit_test_setup_teardown(test_open_of_a_file, setup, teardown),
        cmocka_unit_test_setup_teardown(test_publish_of_a_folder, setup, teardown),
        cmocka_unit_test_setup_teardown(test_publish_of_a_file, setup, teardown),
        cmocka_unit_test_setup_teardown(test_detection, setup, teardown),
        cmocka_unit_test_setup_teardown(test_removal_and_measure, setup, teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
