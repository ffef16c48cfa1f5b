#include "core/fs.h"

#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

#include "core/mem.h"

#define CHUNK 16384

/* Reads until the end, also where st_size says nothing (/proc) or the file grows meanwhile. */
static int read_rest(int fd, size_t max, struct buf *out)
{
    char chunk[CHUNK];
    size_t before = out->len;
    int result = 0;
    ssize_t got;

    for (;;) {
        got = read(fd, chunk, sizeof chunk);
        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0) {
            result = got < 0 ? -errno : 0;
            break;
        }
        if (out->len - before + (size_t)got > max || buf_add(out, chunk, (size_t)got)) {
            result = -EFBIG;
            break;
        }
    }
    /* What is read here may be a secret. */
    wipe(chunk, sizeof chunk);
    return result;
}

static int read_regular(int fd, size_t max, struct buf *out)
{
    size_t before = out->len;
    struct stat st;
    int result;

    if (fstat(fd, &st))
        return -errno;
    if (!S_ISREG(st.st_mode))
        return -EINVAL;
    if ((uint64_t)st.st_size > max)
        return -EFBIG;
    result = read_rest(fd, max, out);
    if (result && out->data) {
        wipe(out->data + before, out->len - before);
        out->len = before;
    }
    return result;
}

/* O_NONBLOCK: a fifo without a writer must not hang us. A socket or a device without a driver is "not a file" too. */
#define READ_FLAGS (O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC)

static int not_regular(int errno_value)
{
    return errno_value == ENXIO || errno_value == ENODEV ? -EINVAL : -errno_value;
}

int fs_read_at(int folder_fd, const char *path, size_t max, struct buf *out)
{
    CLEANUP_CLOSE int fd = fs_open_beneath(folder_fd, path, READ_FLAGS, 0);

    return fd < 0 ? not_regular(-fd) : read_regular(fd, max, out);
}

int fs_read_file(const char *path, size_t max, struct buf *out)
{
    CLEANUP_CLOSE int fd = open(path, READ_FLAGS);

    return fd < 0 ? not_regular(errno) : read_regular(fd, max, out);
}

int fs_write_all(int fd, const void *data, size_t len)
{
    const char *at = data;
    ssize_t put;

    while (len) {
        put = write(fd, at, len);
        if (put < 0 && errno == EINTR)
            continue;
        if (put < 0)
            return -errno;
        at += put;
        len -= (size_t)put;
    }
    return 0;
}

/* A new file of a name that nobody else has, so that the caller's umask counts (mkstemp's files are always 0600). */
static int create_beside(const char *path, mode_t mode, char **temporary)
{
    uint64_t random;
    int fd, reason;

    do {
        if (getrandom(&random, sizeof random, 0) != (ssize_t)sizeof random)
            return -EIO;
        *temporary = xasprintf("%s.%016llx", path, (unsigned long long)random);
        fd = open(*temporary, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, mode);
        if (fd >= 0)
            return fd;
        reason = errno;
        free(*temporary);
        *temporary = NULL;
    } while (reason == EEXIST);
    return -reason;
}

int fs_write_file(const char *path, const void *data, size_t len, mode_t mode)
{
    CLEANUP_FREE char *temporary = NULL;
    int fd = create_beside(path, mode, &temporary);
    int result;

    if (!temporary)
        return fd;
    result = fs_write_all(fd, data, len);
    /* Network file systems report a failed write at close. */
    if (close(fd) && result == 0)
        result = -errno;
    if (result == 0 && rename(temporary, path))
        result = -errno;
    if (result)
        unlink(temporary);
    return result;
}

static int make_folder(const char *path, mode_t mode)
{
    struct stat st;
    int reason;

    if (mkdir(path, mode) == 0)
        return 0;
    reason = errno;
    /* An existing folder may answer EEXIST, but also EROFS or EACCES: what counts is whether it is there. */
    if (stat(path, &st) == 0)
        return S_ISDIR(st.st_mode) ? 0 : -ENOTDIR;
    return -reason;
}

int fs_make_folders(const char *path, mode_t mode)
{
    CLEANUP_FREE char *copy = xstrdup(path);
    int result = 0;
    char *at;

    if (*copy == '\0')
        return -ENOENT;
    for (at = copy + 1; *at && result == 0; at++) {
        if (*at != '/' || at[-1] == '/')
            continue;
        *at = '\0';
        /* Folders on the way must let us go on, whatever the last one's mode is. */
        result = make_folder(copy, mode | S_IWUSR | S_IXUSR);
        *at = '/';
    }
    return result ? result : make_folder(copy, mode);
}

int fs_make_temp(const char *parent, const char *prefix, char **path)
{
    char *made = xasprintf("%s/%sXXXXXX", parent, prefix);
    int reason;

    if (mkdtemp(made)) {
        *path = made;
        return 0;
    }
    reason = errno;
    free(made);
    return -reason;
}
