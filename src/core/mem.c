#include "core/mem.h"

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

#if __has_include(<mimalloc.h>)
#include <mimalloc.h>
#pragma weak mi_option_set /* in the release, whose malloc it is */
#endif

#include "core/protection.h"

#if __has_include(<mimalloc.h>)
/* Before the first allocation: what we hold is little, and in the pages of 2 MiB that mimalloc asks for it takes several
 * times the memory. Children have what the machine says. */
__attribute__((constructor(101))) static void use_small_pages(void)
{
    if (mi_option_set)
        mi_option_set(mi_option_allow_thp, 0);
}
#endif

static void out_of_memory(void)
{
    static const char text[] = "caisson: out of memory\n";
    ssize_t ignored = write(STDERR_FILENO, text, sizeof text - 1);

    (void)ignored;
    abort();
}

void *xmalloc(size_t size)
{
    void *data = malloc(size ? size : 1);

    if (!data)
        out_of_memory();
    return data;
}

void *xcalloc(size_t count, size_t size)
{
    void *data = calloc(count ? count : 1, size ? size : 1);

    if (!data)
        out_of_memory();
    return data;
}

void *xrealloc(void *old, size_t count, size_t size)
{
    size_t total;
    void *data;

    if (__builtin_mul_overflow(count, size, &total))
        out_of_memory();
    data = realloc(old, total ? total : 1);
    if (!data)
        out_of_memory();
    return data;
}

char *xstrdup(const char *text)
{
    return text ? xstrndup(text, strlen(text)) : NULL;
}

char *xstrndup(const char *text, size_t length)
{
    size_t used = strnlen(text, length);
    char *copy = xmalloc(used + 1);

    memcpy(copy, text, used);
    copy[used] = '\0';
    return copy;
}

char *xasprintf(const char *format, ...)
{
    va_list args;
    char *text;
    int length;

    va_start(args, format);
    length = vasprintf(&text, format, args);
    va_end(args);
    if (length < 0)
        out_of_memory();
    return text;
}

void wipe(void *data, size_t size)
{
    if (data)
        explicit_bzero(data, size);
}

void wipe_free(char *text)
{
    if (text)
        wipe(text, strlen(text));
    free(text);
}

void memory_hide(void)
{
    const struct rlimit no_core = {0, 0};

    if (!PROTECTED(MEMORY_HIDDEN))
        return;
    prctl(PR_SET_DUMPABLE, 0L, 0L, 0L, 0L);
    /* A core pattern that names a program is handed the memory of those who may not be dumped, too. */
    setrlimit(RLIMIT_CORE, &no_core);
}

/* ---- secrets ---- */

/* Pages of its own for each: few are alive at once, and nothing else shares their fate. */
struct secret {
    size_t mapped;
    char text[];
};

static struct secret *secret_of(char *text)
{
    return (struct secret *)(void *)(text - offsetof(struct secret, text));
}

char *secret_new(const char *text, size_t length)
{
    size_t mapped = sizeof(struct secret) + length + 1;
    struct secret *secret = mmap(NULL, mapped, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    if (secret == MAP_FAILED)
        out_of_memory();
    secret->mapped = mapped;
    /* Best effort: a container may have no room for locked memory, and no swap either. */
    madvise(secret, mapped, MADV_DONTDUMP);
    (void)mlock(secret, mapped);
    memcpy(secret->text, text, length);
    secret->text[length] = '\0';
    return secret->text;
}

char *secret_dup(const char *text)
{
    return text ? secret_new(text, strlen(text)) : NULL;
}

void secret_free(char *text)
{
    struct secret *secret;
    size_t mapped;

    if (!text)
        return;
    secret = secret_of(text);
    mapped = secret->mapped;
    wipe(secret, mapped);
    munmap(secret, mapped);
}

bool memory_is_leak_checked(void)
{
#ifdef __SANITIZE_ADDRESS__
    return true;
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
    return true;
#endif
#endif
    return false;
}

void memory_show_to_leak_check(void)
{
    if (memory_is_leak_checked())
        prctl(PR_SET_DUMPABLE, 1L, 0L, 0L, 0L);
}

void cleanup_free(void *pointer)
{
    free(*(void **)pointer);
}

void cleanup_close(const int *fd)
{
    if (*fd >= 0)
        close(*fd);
}

void cleanup_fclose(FILE **file)
{
    if (*file)
        fclose(*file);
}
