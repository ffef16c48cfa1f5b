#include "support/vectors.h"

#include <dirent.h>
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "core/fs.h"
#include "core/mem.h"

#define VECTOR_MAX ((size_t)8 << 20)

static bool ends_in(const char *name, const char *suffix)
{
    size_t len = strlen(name);
    size_t suffix_len = strlen(suffix);

    return len > suffix_len && strcmp(name + len - suffix_len, suffix) == 0;
}

void vectors_list(const char *folder, const char *const *suffixes, const char *except, struct strings *names)
{
    CLEANUP_FREE char *path = xasprintf("%s/%s", TEST_DATA_DIR, folder);
    DIR *dir = opendir(path);
    struct dirent *entry;
    size_t i;

    assert_non_null(dir);
    while ((entry = readdir(dir))) {
        for (i = 0; suffixes[i]; i++)
            if (ends_in(entry->d_name, suffixes[i]) && !(except && ends_in(entry->d_name, except)))
                strings_add(names, entry->d_name);
    }
    closedir(dir);
    strings_sort(names);
    assert_true(names->len > 0);
}

bool vectors_read(const char *folder, const char *name, struct buf *out)
{
    CLEANUP_FREE char *path = xasprintf("%s/%s/%s", TEST_DATA_DIR, folder, name);
    int rc;

    buf_init(out, VECTOR_MAX);
    rc = fs_read_file(path, VECTOR_MAX, out);
    if (rc && rc != -ENOENT)
        fail_msg("%s: %s", path, strerror(-rc));
    return rc == 0;
}

static void show_difference(const char *name, const char *expected, const char *actual)
{
    int line = 1;

    while (*expected && *expected == *actual) {
        line += *expected == '\n';
        expected++;
        actual++;
    }
    while (line > 1 && expected[-1] != '\n') {
        expected--;
        actual--;
    }
    fail_msg("%s, line %d:\n  expected: %.*s\n  actual:   %.*s\n(UPDATE_VECTORS=1 writes it anew)", name, line,
             (int)strcspn(expected, "\n"), expected, (int)strcspn(actual, "\n"), actual);
}

void vectors_expect(const char *folder, const char *name, const char *actual)
{
    CLEANUP_FREE char *path = xasprintf("%s/%s/%s", TEST_DATA_DIR, folder, name);
    struct buf expected;

    if (getenv("UPDATE_VECTORS")) {
        assert_int_equal(fs_write_file(path, actual, strlen(actual), 0644), 0);
        return;
    }
    if (!vectors_read(folder, name, &expected))
        fail_msg("%s is missing (UPDATE_VECTORS=1 writes it)", path);
    if (strcmp(buf_text(&expected), actual) != 0)
        show_difference(name, buf_text(&expected), actual);
    buf_dispose(&expected);
}
