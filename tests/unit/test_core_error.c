#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include <errno.h>

#include "core/error.h"

static void test_set_fills_all(void **state)
{
    struct error err;

    (void)state;
    memset(&err, 0xAA, sizeof err);
    assert_int_equal(error_set(&err, CLASS_REF_NOT_FOUND, "ref-not-found", "no branch \"%s\"", "main"), -1);
    assert_int_equal(err.class, CLASS_REF_NOT_FOUND);
    assert_string_equal(err.reason, "ref-not-found");
    assert_string_equal(err.message, "no branch \"main\"");
    assert_string_equal(err.hint, "");
    assert_false(err.retryable);
    assert_int_equal(err.retry_after_ms, 0);
    assert_int_equal(err.child_exit, -1);
    assert_int_equal(err.child_signal, 0);
}

static void test_without_an_error(void **state)
{
    (void)state;
    assert_int_equal(error_set(NULL, CLASS_INTERNAL, "x", "y"), -1);
    assert_int_equal(error_set_errno(NULL, CLASS_INTERNAL, "x", ENOENT, "y"), -1);
    assert_int_equal(error_hint(NULL, "x"), -1);
    assert_int_equal(error_context(NULL, "x"), -1);
    assert_int_equal(error_retryable(NULL, 1), -1);
}

static void test_errno_context_and_hint(void **state)
{
    struct error err;

    (void)state;
    assert_int_equal(error_set_errno(&err, CLASS_INTERNAL, "open", ENOENT, "open %s", "/x"), -1);
    assert_string_equal(err.message, "open /x: No such file or directory");
    assert_int_equal(error_context(&err, "loading %s", "spec"), -1);
    assert_string_equal(err.message, "loading spec: open /x: No such file or directory");
    assert_int_equal(error_hint(&err, "try %d", 1), -1);
    assert_int_equal(error_hint(&err, "try %d", 2), -1);
    assert_string_equal(err.hint, "try 2");
    assert_int_equal(error_retryable(&err, 1500), -1);
    assert_true(err.retryable);
    assert_int_equal(err.retry_after_ms, 1500);
    /* A new error takes nothing over. */
    error_set(&err, CLASS_INTERNAL, "x", "y");
    assert_false(err.retryable);
    assert_string_equal(err.hint, "");
}

static void test_long_texts_are_cut(void **state)
{
    struct error err;
    char big[4000];

    (void)state;
    memset(big, 'x', sizeof big - 1);
    big[sizeof big - 1] = '\0';
    error_set(&err, CLASS_INTERNAL, big, "%s", big);
    assert_int_equal(strlen(err.reason), sizeof err.reason - 1);
    assert_int_equal(strlen(err.message), sizeof err.message - 1);
    assert_string_equal(err.message + sizeof err.message - 5, "x...");
    error_set_errno(&err, CLASS_INTERNAL, "x", ENOENT, "%s", big);
    error_context(&err, "%s", "context");
    assert_ptr_equal(strstr(err.message, "context: xxx"), err.message);
    error_context(&err, "%s", big);
    assert_int_equal(strlen(err.message), sizeof err.message - 1);
    error_hint(&err, "%s", big);
    assert_int_equal(strlen(err.hint), sizeof err.hint - 1);
}

static void test_classes(void **state)
{
    enum error_class class;
    enum error_class other;
    size_t i;
    size_t j;

    (void)state;
    for (i = 0; error_class_at(i, &class); i++) {
        assert_int_equal(error_class_from((int)class), class);
        assert_true(strlen(error_class_name(class)) > 0);
        assert_int_equal(strspn(error_class_name(class), "abcdefghijklmnopqrstuvwxyz-"),
                         strlen(error_class_name(class)));
        assert_true(strlen(error_class_summary(class)) > 0);
        for (j = 0; j < i; j++) {
            assert_true(error_class_at(j, &other));
            assert_string_not_equal(error_class_name(class), error_class_name(other));
            assert_true(other < class);
        }
    }
    assert_int_equal(i, 27);
    assert_string_equal(error_class_name(CLASS_SPEC_INVALID), "spec-invalid");
    assert_int_equal(error_class_from(1), CLASS_INTERNAL);
    assert_int_equal(error_class_from(-1), CLASS_INTERNAL);
    assert_string_equal(error_class_name((enum error_class)99), "internal");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_set_fills_all),
        cmocka_unit_test(test_without_an_error),
        cmocka_unit_test(test_errno_context_and_hint),
        cmocka_unit_test(test_long_texts_are_cut),
        cmocka_unit_test(test_classes),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
