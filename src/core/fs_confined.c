#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdint.h>
#include <string.h>
#include <sys/random.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "core/fs.h"
#include "core/mem.h"

/* The kernel's interface (openat2(2)), written out because not every libc's headers have it. The number is the same on
 * all architectures. */
#ifndef SYS_openat2
#define SYS_openat2 437
#endif
#define BENEATH_NO_MAGICLINKS 0x02
#define BENEATH_NO_SYMLINKS 0x04
#define BENEATH_BENEATH 0x08

struct openat2_how {
    uint64_t flags;
    uint64_t mode;
    uint64_t resolve;
};

bool fs_is_confined(const char *path, bool dot)
{
    const char *at = path;
    size_t len;

    if (dot && strcmp(path, ".") == 0)
        return true;
    for (;;) {
        len = strcspn(at, "/");
        if (len == 0 || (len == 1 && at[0] == '.') || (len == 2 && at[0] == '.' && at[1] == '.'))
            return false;
        if (at[len] == '\0')
            return true;
        at += len + 1;
    }
}

/* 0, or why a path is no confined one: both ways of opening refuse the same with the same number. */
static int check_path(const char *path)
{
    const char *at = path;
    size_t len;

    if (path[0] == '\0')
        return -ENOENT;
    if (strlen(path) >= PATH_MAX)
        return -ENAMETOOLONG;
    if (fs_is_confined(path, true))
        return 0;
    if (path[0] == '/')
        return -EXDEV;
    for (;;) {
        len = strcspn(at, "/");
        if (len == 2 && at[0] == '.' && at[1] == '.')
            return -EXDEV;
        if (at[len] == '\0')
            return -EINVAL;
        at += len + 1;
    }
}

/* O_DIRECTORY on a link gives ENOTDIR; callers want to know that it was a link. */
static int refine(int folder_fd, const char *name, int errno_value)
{
    struct stat st;

    if (errno_value == ENOTDIR && fstatat(folder_fd, name, &st, AT_SYMLINK_NOFOLLOW) == 0 && S_ISLNK(st.st_mode))
        return -ELOOP;
    return -errno_value;
}

static int open_last(int folder_fd, const char *name, int flags, mode_t mode)
{
    struct stat st;
    int fd = openat(folder_fd, name, flags | O_NOFOLLOW | O_CLOEXEC, mode);

    if (fd < 0)
        return refine(folder_fd, name, errno);
    /* With O_PATH, O_NOFOLLOW opens the link itself, which only a caller who asked for that may get. */
    if ((flags & O_PATH) && !(flags & O_NOFOLLOW) && fstat(fd, &st) == 0 && S_ISLNK(st.st_mode)) {
        close(fd);
        return -ELOOP;
    }
    return fd;
}

int fs_open_beneath_by_steps(int folder_fd, const char *path, int flags, mode_t mode)
{
    int parent = folder_fd;
    int result = check_path(path);
    char name[NAME_MAX + 1];
    size_t len;

    if (result)
        return result;
    for (;;) {
        len = strcspn(path, "/");
        if (len > NAME_MAX) {
            result = -ENAMETOOLONG;
            break;
        }
        memcpy(name, path, len);
        name[len] = '\0';
        if (path[len] == '\0') {
            result = open_last(parent, name, flags, mode);
            break;
        }
        result = openat(parent, name, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        if (result < 0) {
            result = refine(parent, name, errno);
            break;
        }
        if (parent != folder_fd)
            close(parent);
        parent = result;
        path += len + 1;
    }
    if (parent != folder_fd)
        close(parent);
    return result;
}

int fs_open_beneath(int folder_fd, const char *path, int flags, mode_t mode)
{
    struct openat2_how how = {
        .flags = (uint64_t)(unsigned)(flags | O_CLOEXEC),
        .resolve = BENEATH_BENEATH | BENEATH_NO_SYMLINKS | BENEATH_NO_MAGICLINKS,
    };
    int result = check_path(path);
    long fd;

    if (result)
        return result;
    /* openat2 refuses a mode that has no use. */
    if ((flags & O_CREAT) || (flags & O_TMPFILE) == O_TMPFILE)
        how.mode = mode & 07777;
    fd = syscall(SYS_openat2, folder_fd, path, &how, sizeof how);
    if (fd >= 0)
        return (int)fd;
    /* ENOSYS: an old kernel. EPERM: a seccomp profile that does not know the call (or a true refusal, which the steps
     * then meet again). EAGAIN: a rename somewhere made the kernel unsure. */
    if (errno == ENOSYS || errno == EPERM || errno == EAGAIN)
        return fs_open_beneath_by_steps(folder_fd, path, flags, mode);
    return refine(folder_fd, path, errno);
}

int fs_write_at(int folder_fd, const char *name, const void *data, size_t len, mode_t mode, uid_t uid, gid_t gid)
{
    CLEANUP_FREE char *temporary = NULL;
    uint64_t random;
    int fd, result;

    if (!fs_is_confined(name, false) || strchr(name, '/'))
        return -EINVAL;
    if (getrandom(&random, sizeof random, 0) != (ssize_t)sizeof random)
        return -EIO;
    temporary = xasprintf(".%016llx.tmp", (unsigned long long)random);
    fd = openat(folder_fd, temporary, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (fd < 0)
        return -errno;
    result = fs_write_all(fd, data, len);
    if (result == 0 && (fchown(fd, uid, gid) != 0 || fchmod(fd, mode) != 0))
        result = -errno;
    if (close(fd) != 0 && result == 0)
        result = -errno;
    if (result == 0 && renameat(folder_fd, temporary, folder_fd, name) != 0)
        result = -errno;
    if (result)
        unlinkat(folder_fd, temporary, 0);
    return result;
}
