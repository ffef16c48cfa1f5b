#include "core/mem.h"

#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "core/protection.h"

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
    if (PROTECTED(MEMORY_HIDDEN))
        prctl(PR_SET_DUMPABLE, 0L, 0L, 0L, 0L);
}

void memory_show_to_leak_check(void)
{
#ifdef __SANITIZE_ADDRESS__
    prctl(PR_SET_DUMPABLE, 1L, 0L, 0L, 0L);
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
    prctl(PR_SET_DUMPABLE, 1L, 0L, 0L, 0L);
#endif
#endif
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
