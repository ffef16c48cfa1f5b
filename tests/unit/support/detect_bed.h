/* A project in a temporary folder, and what the detection concludes of it. For one test program. */
#ifndef CAISSON_TESTS_DETECT_BED_H
#define CAISSON_TESTS_DETECT_BED_H

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
#include "core/json.h"
#include "core/mem.h"
#include "detect/detect.h"

/* A project's files: name, text, name, text, …, NULL. Removed again by the test's teardown. */
static char *root;

static inline void put(const char *name, const char *text)
{
    CLEANUP_FREE char *path = xasprintf("%s/%s", root, name);
    char *slash = strrchr(path, '/');

    *slash = '\0';
    assert_int_equal(fs_make_folders(path, 0755), 0);
    *slash = '/';
    assert_int_equal(fs_write_file(path, text, strlen(text), 0644), 0);
}

static inline int setup(void **state)
{
    const char *parent = getenv("TMPDIR");

    (void)state;
    return fs_make_temp(parent ? parent : "/tmp", "detect-", &root);
}

static inline int teardown(void **state)
{
    int result = fs_remove_tree(root);

    (void)state;
    free(root);
    return result;
}

static struct detection detected;
static struct error failure;

static inline void detect_in(const char *directory, const struct detect_hints *hints)
{
    detection_dispose(&detected);
    memset(&failure, 0, sizeof failure);
    if (detect_project(root, directory, hints, &detected, &failure))
        fail_msg("%s", failure.message);
    assert_string_equal(failure.message, "");
}

static inline void expect(const char *what, const struct conclusion *conclusion, const char *value, const char *from)
{
    const char *got = conclusion->value ? conclusion->value : "(nothing)";
    const char *got_from = conclusion->from ? conclusion->from : "(nothing)";

    if (strcmp(got, value) != 0 || (from && strcmp(got_from, from) != 0))
        fail_msg("%s: \"%s\" from \"%s\", wanted \"%s\" from \"%s\"", what, got, got_from, value, from ? from : "*");
}

#define EXPECT(field, value, from) expect(#field, &detected.field, value, from)

static inline bool warned(const char *part)
{
    size_t i;

    for (i = 0; i < detected.warnings.len; i++)
        if (strstr(detected.warnings.items[i], part))
            return true;
    return false;
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

#endif
