#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "core/mem.h"
#include "support/skip.h"

static void test_blocks(void **state)
{
    char *block = xmalloc(0);
    char *zeros = xcalloc(10, 10);
    char *none = xcalloc(0, 10);
    int i;

    (void)state;
    assert_non_null(block);
    assert_non_null(none);
    for (i = 0; i < 100; i++)
        assert_int_equal(zeros[i], 0);
    zeros = xrealloc(zeros, 20, 10);
    memset(zeros, 'x', 200);
    block = xrealloc(block, 0, 8);
    assert_non_null(block);
    free(block);
    free(zeros);
    free(none);
}

static void test_strings(void **state)
{
    char *copy = xstrdup("hello");
    char *part = xstrndup("hello", 3);
    char *whole = xstrndup("hello", 100);
    char *printed = xasprintf("%s-%d", "a", 7);

    (void)state;
    assert_string_equal(copy, "hello");
    assert_string_equal(part, "hel");
    assert_string_equal(whole, "hello");
    assert_string_equal(printed, "a-7");
    assert_null(xstrdup(NULL));
    wipe_free(copy);
    wipe_free(NULL);
    free(part);
    free(whole);
    free(printed);
}

/* The flags of the mapping that `at` lies in, as the kernel says them; "" when there is none. */
static void flags_of(const void *at, char flags[256])
{
    CLEANUP_FCLOSE FILE *maps = fopen("/proc/self/smaps", "re");
    unsigned long begin, end;
    bool inside = false;
    char line[512];

    flags[0] = '\0';
    while (maps && fgets(line, sizeof line, maps)) {
        if (sscanf(line, "%lx-%lx ", &begin, &end) == 2)
            inside = (uintptr_t)at >= begin && (uintptr_t)at < end;
        else if (inside && strncmp(line, "VmFlags:", 8) == 0)
            snprintf(flags, 256, "%s", line);
    }
}

/* Whether a mapping that is kept from dumps says so here. */
static bool dumps_are_chosen(void)
{
    void *page = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    char flags[256];

    assert_true(page != MAP_FAILED);
    assert_int_equal(madvise(page, 4096, MADV_DONTDUMP), 0);
    flags_of(page, flags);
    munmap(page, 4096);
    return strstr(flags, " dd ") != NULL;
}

static void test_secrets(void **state)
{
    char *secret = secret_dup("s3cr3t"), *part = secret_new("s3cr3t", 2), *other = malloc(100);
    char flags[256];

    (void)state;
    assert_string_equal(secret, "s3cr3t");
    assert_string_equal(part, "s3");
    assert_null(secret_dup(NULL));
    flags_of(other, flags);
    assert_null(strstr(flags, " dd "));
    flags_of(secret, flags);
    free(other);
    secret_free(part);
    secret_free(NULL);
    secret_free(secret);
    if (!dumps_are_chosen())
        skip_emulated("MADV_DONTDUMP");
    assert_non_null(strstr(flags, " dd "));
}

static void test_wipe(void **state)
{
    char secret[] = "hunter2";
    static const char zeros[sizeof secret];

    (void)state;
    wipe(secret, sizeof secret);
    assert_memory_equal(secret, zeros, sizeof secret);
    wipe(NULL, 100);
}

static void test_owners(void **state)
{
    int fd;

    (void)state;
    {
        CLEANUP_CLOSE int owned = open("/dev/null", O_RDONLY | O_CLOEXEC);
        CLEANUP_CLOSE int none = -1;
        CLEANUP_FREE char *text = xstrdup("leaks are found by the sanitizer");
        CLEANUP_FCLOSE FILE *file = fopen("/dev/null", "r");
        CLEANUP_FCLOSE FILE *no_file = NULL;

        (void)none;
        (void)no_file;
        assert_non_null(text);
        assert_non_null(file);
        fd = owned;
        assert_true(fcntl(fd, F_GETFD) >= 0);
    }
    assert_int_equal(fcntl(fd, F_GETFD), -1);
    assert_int_equal(errno, EBADF);
}

/* The child's last words; the message must be the first thing there. */
static void expect_abort(void (*body)(void))
{
    char text[256] = {0};
    int ends[2];
    int status;
    pid_t pid;

    assert_int_equal(pipe(ends), 0);
    pid = fork();
    if (pid == 0) {
        const struct rlimit no_core = {0, 0};

        setrlimit(RLIMIT_CORE, &no_core);
        signal(SIGABRT, SIG_DFL);
        dup2(ends[1], STDERR_FILENO);
        body();
        _exit(0);
    }
    close(ends[1]);
    assert_true(read(ends[0], text, sizeof text - 1) > 0);
    close(ends[0]);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT);
    assert_non_null(strstr(text, "caisson: out of memory\n"));
}

static void overflowing(void)
{
    volatile size_t half = SIZE_MAX / 2;

    free(xrealloc(NULL, half, 3));
}

static void test_out_of_memory(void **state)
{
    (void)state;
    expect_abort(overflowing);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_blocks), cmocka_unit_test(test_strings), cmocka_unit_test(test_secrets),
        cmocka_unit_test(test_wipe),   cmocka_unit_test(test_owners),  cmocka_unit_test(test_out_of_memory),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
