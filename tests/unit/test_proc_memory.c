/* The memory that a control group may use, has in use and was killed for, from recorded trees of both versions. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "core/mem.h"
#include "proc/memory_group.h"
#include "proc/memory_watch.h"

static char *tree(const char *name)
{
    return xasprintf(TEST_DATA_DIR "/fixtures/cgroups/%s", name);
}

struct wanted {
    const char *tree;
    int version;
    int64_t limit, used, kills, machine;
};

static const struct wanted trees[] = {
    /* A container with a cgroup namespace: its own group is the whole tree that it sees. */
    {"v2-container", 2, INT64_C(536870912), INT64_C(432013312) - 101711872 + 4096 - 5242880, 2, INT64_C(16384) << 20},
    /* memory.high is reached before memory.max; a group around ours is smaller than ours. */
    {"v2-nested", 2, INT64_C(314572800), INT64_C(104857600), 0, INT64_C(8192) << 20},
    /* A task of Fargate whose own group says nothing. */
    {"v2-unlimited", 2, 0, INT64_C(62914560), 0, INT64_C(4096) << 20},
    /* Docker's first version: the path is the host's, the mount shows our group alone. */
    {"v1-container", 1, INT64_C(268435456), INT64_C(200000000) - 50000000 + 1000000, 3, INT64_C(4096) << 20},
    /* "Unlimited" as a number, but a limit of a group around ours that only the statistics know. */
    {"v1-hierarchy", 1, INT64_C(2147483648), INT64_C(1000000), 0, INT64_C(4096) << 20},
    /* A kernel whose counter of kills is missing, and nothing but zeros in what there is. */
    {"v1-old", 1, 0, 0, -1, INT64_C(1024) << 20},
    {"hybrid", 1, INT64_C(134217728), INT64_C(5000000), 0, INT64_C(2048) << 20},
    {"none", 0, 0, -1, -1, INT64_C(512) << 20},
    {"hostile", 2, 0, -1, -1, 0},
};

static void test_trees(void **state)
{
    size_t i;

    (void)state;
    for (i = 0; i < ARRAY_LEN(trees); i++) {
        const struct wanted *wanted = &trees[i];
        CLEANUP_FREE char *root = tree(wanted->tree);
        struct memory_group group;

        memory_group_find(&group, root);
        if (group.version != wanted->version || memory_group_limit(&group) != wanted->limit ||
            memory_group_used(&group) != wanted->used || memory_group_kills(&group) != wanted->kills ||
            memory_of_machine(root) != wanted->machine)
            fail_msg("%s: version %d, limit %lld, used %lld, kills %lld, machine %lld", wanted->tree, group.version,
                     (long long)memory_group_limit(&group), (long long)memory_group_used(&group),
                     (long long)memory_group_kills(&group), (long long)memory_of_machine(root));
        memory_group_dispose(&group);
    }
}

static bool is_own(const char *name, bool alone)
{
    CLEANUP_FREE char *root = tree(name);
    struct memory_group group;
    bool own;

    memory_group_find(&group, root);
    own = memory_group_is_own(&group, alone);
    memory_group_dispose(&group);
    return own;
}

/* Kills in a developer's session, or on the whole machine, are no evidence about a build. */
static void test_whose_group_it_is(void **state)
{
    (void)state;
    assert_true(is_own("v2-container", false));
    assert_true(is_own("v1-hierarchy", false));
    assert_true(is_own("v2-unlimited", true));
    assert_false(is_own("v2-unlimited", false));
    assert_false(is_own("v1-old", true));
    assert_false(is_own("v1-old", false));
    assert_false(is_own("none", true));
}

static void test_smallest_limit_wins(void **state)
{
    CLEANUP_FREE char *v2 = tree("v2-container");
    CLEANUP_FREE char *unlimited = tree("v2-unlimited");

    (void)state;
    assert_int_equal(memory_limit(0, v2), INT64_C(536870912));
    assert_int_equal(memory_limit(INT64_C(1) << 30, v2), INT64_C(536870912));
    assert_int_equal(memory_limit(INT64_C(100) << 20, v2), INT64_C(100) << 20);
    assert_int_equal(memory_limit(INT64_C(2) << 30, unlimited), INT64_C(2) << 30);
    assert_int_equal(memory_limit(0, unlimited), INT64_C(4) << 30);
}

static void test_threshold(void **state)
{
    const int64_t limit = INT64_C(1000) << 20;

    (void)state;
    assert_int_equal(memory_threshold(&(struct command_memory){.percent = 90}, limit), INT64_C(900) << 20);
    assert_int_equal(memory_threshold(&(struct command_memory){.percent = 100}, limit), 0);
    assert_int_equal(memory_threshold(&(struct command_memory){.percent = 90}, 0), 0);
    assert_int_equal(memory_threshold(&(struct command_memory){.bytes = 77}, limit), 77);
    assert_int_equal(memory_threshold(&(struct command_memory){.bytes = 77, .percent = 90}, limit), 77);
    assert_int_equal(memory_threshold(&(struct command_memory){.bytes = limit, .percent = 50}, limit), limit / 2);
    assert_int_equal(memory_threshold(&(struct command_memory){0}, limit), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_trees),
        cmocka_unit_test(test_whose_group_it_is),
        cmocka_unit_test(test_smallest_limit_wins),
        cmocka_unit_test(test_threshold),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
