/* What every attack needs: a way to say what it got. */
#ifndef ATTACK_H
#define ATTACK_H

#define _GNU_SOURCE
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* The witness: a file that is outside of everything that is attacked. */
static inline void tell(const void *data, size_t len)
{
    const char *path = getenv("WITNESS");
    int fd = open(path ? path : "/var/tmp/witness/it", O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0666);

    if (fd < 0 || write(fd, data, len) != (ssize_t)len)
        perror("witness");
    close(fd);
}

static inline void won(const char *format, ...)
{
    char text[1024] = "WON ";
    va_list args;

    va_start(args, format);
    vsnprintf(text + 4, sizeof text - 5, format, args);
    va_end(args);
    strcat(text, "\n");
    tell(text, strlen(text));
}

#endif
