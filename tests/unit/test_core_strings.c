#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "core/mem.h"
#include "core/strings.h"

static void test_lists(void **state)
{
    struct strings list = {0};
    struct strings copy = {0};
    int i;

    (void)state;
    strings_sort(&list);
    assert_false(strings_has(&list, "x"));
    strings_add(&list, "pear");
    strings_addf(&list, "%s%d", "apple", 1);
    strings_take(&list, xstrdup("fig"));
    assert_int_equal(list.len, 3);
    assert_null(list.items[3]);
    strings_sort(&list);
    assert_string_equal(list.items[0], "apple1");
    assert_string_equal(list.items[1], "fig");
    assert_string_equal(list.items[2], "pear");
    assert_null(list.items[3]);
    assert_true(strings_has(&list, "fig"));
    assert_false(strings_has(&list, "fi"));
    strings_copy(&copy, &list);
    strings_copy(&copy, &list);
    assert_int_equal(copy.len, 6);
    assert_ptr_not_equal(copy.items[0], list.items[0]);
    for (i = 0; i < 1000; i++)
        strings_addf(&copy, "%d", i);
    assert_string_equal(copy.items[1005], "999");
    assert_null(copy.items[1006]);
    strings_dispose(&list);
    assert_int_equal(list.len, 0);
    assert_null(list.items);
    strings_dispose(&list);
    strings_wipe(&copy);
    assert_null(copy.items);
}

static void test_environment(void **state)
{
    struct strings env = {0};

    (void)state;
    assert_null(env_get(&env, "A"));
    env_unset(&env, "A");
    env_set(&env, "A", "1");
    env_set(&env, "AB", "2=3");
    env_set(&env, "EMPTY", "");
    assert_string_equal(env_get(&env, "A"), "1");
    assert_string_equal(env_get(&env, "AB"), "2=3");
    assert_string_equal(env_get(&env, "EMPTY"), "");
    assert_null(env_get(&env, "ABC"));
    assert_null(env_get(&env, ""));
    env_set(&env, "A", "new");
    assert_int_equal(env.len, 3);
    assert_string_equal(env.items[0], "A=new");
    env_unset(&env, "A");
    env_unset(&env, "MISSING");
    assert_int_equal(env.len, 2);
    assert_null(env_get(&env, "A"));
    assert_string_equal(env.items[0], "AB=2=3");
    assert_null(env.items[2]);
    env_unset(&env, "AB");
    env_unset(&env, "EMPTY");
    assert_int_equal(env.len, 0);
    assert_null(env.items[0]);
    env_set(&env, "B", "again");
    assert_string_equal(env_get(&env, "B"), "again");
    strings_wipe(&env);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_lists),
        cmocka_unit_test(test_environment),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
