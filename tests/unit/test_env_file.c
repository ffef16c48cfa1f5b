/* Captured environments: JSON and lines mean the same, what is neither is told. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/env_file.h"
#include "core/fs.h"
#include "core/mem.h"

/* What a file of this text gives, joined with '|'; the failure's reason and message where there is one. */
static char *load(const char *text, size_t len)
{
    char path[] = "/tmp/caisson-env-file.XXXXXX";
    int fd = mkstemp(path);
    struct strings env = {0};
    struct error err = {0};
    struct buf told;
    size_t i;

    assert_true(fd >= 0);
    assert_int_equal(fs_write_all(fd, text, len), 0);
    close(fd);
    buf_init(&told, 4096);
    if (env_file_load(path, &env, &err)) {
        assert_int_equal(err.class, CLASS_USAGE);
        assert_true(*err.hint != '\0');
        buf_addf(&told, "%s:%s", err.reason, strstr(err.message, path) + strlen(path));
    } else {
        for (i = 0; i < env.len; i++)
            buf_addf(&told, "%s%s", i ? "|" : "", env.items[i]);
    }
    unlink(path);
    strings_dispose(&env);
    return buf_take(&told);
}

static void assert_loads(const char *text, const char *expected)
{
    CLEANUP_FREE char *told = load(text, strlen(text));

    assert_string_equal(told, expected);
}

static void test_forms(void **state)
{
    (void)state;
    assert_loads("[{\"name\": \"A\", \"value\": \"1\"}, {\"value\": \"\", \"name\": \"B\"}]", "A=1|B=");
    assert_loads(" \n{\"A\": \"x=y\", \"B\": \"\\u00e9\\ud83d\\ude00\"}", "A=x=y|B=\u00e9\U0001F600");
    assert_loads("A=1\n# B=2\nnot a variable\nC=3=4\n\nD=\n", "A=1|C=3=4|D=");
    assert_loads("[{\"name\": \"KEY\", \"value\": \"two\\nlines\"}]", "KEY=two\nlines");
}

static void test_a_name_that_stands_twice_stays_so(void **state)
{
    (void)state;
    assert_loads("[{\"name\": \"A\", \"value\": \"1\"}, {\"name\": \"B\", \"value\": \"2\"},"
                 " {\"name\": \"A\", \"value\": \"3\"}]",
                 "A=1|B=2|A=3");
    assert_loads("A=1\nA=3\n", "A=1|A=3");
    assert_loads("{\"A\": \"1\", \"A\": \"3\"}", "bad-json:: not valid JSON: line 1, column 14: duplicate object key");
}

static void test_what_is_no_environment(void **state)
{
    (void)state;
    assert_loads("", "env-file-invalid:: no variable is in it");
    assert_loads("  \n", "env-file-invalid:: no variable is in it");
    assert_loads("# nothing\n", "env-file-invalid:: no variable is in it");
    assert_loads("[]", "env-file-invalid:: no variable is in it");
    assert_loads("{}", "env-file-invalid:: no variable is in it");
    assert_loads("[{\"name\": \"A\", \"value\": \"s3cret\"",
                 "bad-json:: not valid JSON: line 1, column 32: '}' expected");
    assert_loads("[1]", "env-file-invalid:: an entry has no name, or one with \"=\" in it");
    assert_loads("[{\"value\": \"1\"}]", "env-file-invalid:: an entry has no name, or one with \"=\" in it");
    assert_loads("[{\"name\": \"A=B\", \"value\": \"1\"}]",
                 "env-file-invalid:: an entry has no name, or one with \"=\" in it");
    assert_loads("[{\"name\": \"\", \"value\": \"1\"}]",
                 "env-file-invalid:: an entry has no name, or one with \"=\" in it");
    assert_loads("[{\"name\": \"PORT\", \"value\": 3000}]", "env-file-invalid:: the value of PORT is no text");
    assert_loads("[{\"name\": \"PORT\"}]", "env-file-invalid:: the value of PORT is no text");
    /* The whole of what DescribeTasks says. */
    assert_loads("{\"tasks\": [], \"failures\": []}", "env-file-invalid:: the value of tasks is no text");
}

static void test_no_file(void **state)
{
    struct strings env = {0};
    struct error err = {0};

    (void)state;
    assert_int_equal(env_file_load("/nonexistent/captured.json", &env, &err), -1);
    assert_string_equal(err.reason, "env-file-unreadable");
    assert_non_null(strstr(err.message, "/nonexistent/captured.json"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_forms),
        cmocka_unit_test(test_a_name_that_stands_twice_stays_so),
        cmocka_unit_test(test_what_is_no_environment),
        cmocka_unit_test(test_no_file),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
