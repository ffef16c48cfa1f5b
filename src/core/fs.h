/*
 * Files, for hostile folders too. Confined opens resolve beneath a folder and follow no link: openat2 with
 * RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS where the kernel (or a seccomp profile) allows it,
 * else component by component with O_NOFOLLOW. Errors come back as -errno unless a function takes a struct error.
 */
#ifndef CAISSON_CORE_FS_H
#define CAISSON_CORE_FS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/stat.h>
#include <sys/types.h>

#include "core/buf.h"
#include "core/error.h"

/* Opens a relative path beneath a folder; O_CLOEXEC is added. fd, or -errno (-ELOOP for a link on the way or at the
 * end, -EXDEV for an absolute path or "..", -EINVAL for "a//b", "a/./b" and "a/"). `mode` for O_CREAT. */
int fs_open_beneath(int folder_fd, const char *path, int flags, mode_t mode);
/* The fallback alone, for tests and for kernels without openat2. */
int fs_open_beneath_by_steps(int folder_fd, const char *path, int flags, mode_t mode);

/* Whether a path is relative and has no "", "." or ".." component and no NUL: what a confined path must be. "." alone
 * is allowed when `dot` is. */
bool fs_is_confined(const char *path, bool dot);

/* What a path beneath a folder leads to when links are followed that stay beneath it: a path without links, "." for the
 * folder itself. 0 and *resolved (caller frees with free); -EXDEV when it, or a link, is absolute or leads out; -ELOOP
 * past 40 links; -ENOENT, -ENOTDIR, … For a tree that nobody changes meanwhile. */
int fs_resolve_beneath(int folder_fd, const char *path, char **resolved);

/* Reads a whole regular file of at most `max` bytes into `out` (initialised by the caller with a ceiling ≥ max).
 * 0; -EFBIG when it is larger; -EINVAL when it is not a regular file; or -errno. */
int fs_read_at(int folder_fd, const char *path, size_t max, struct buf *out);
/* The same for a path that we trust (operator's file, spec file); links are followed. */
int fs_read_file(const char *path, size_t max, struct buf *out);
/* Writes beside and renames over: readers see all or nothing (no fsync: a crash of the host is not met). The mode is
 * subject to the umask. 0 or -errno. */
int fs_write_file(const char *path, const void *data, size_t len, mode_t mode);
/* The same within an open folder that others may write to: `name` is one component, and a link of that name is replaced,
 * not followed. The file belongs to uid and gid ((uid_t)-1: as we do), and its mode is exactly this one. */
int fs_write_at(int folder_fd, const char *name, const void *data, size_t len, mode_t mode, uid_t uid, gid_t gid);
/* mkdir -p; 0 or -errno. */
int fs_make_folders(const char *path, mode_t mode);
/* Removes a folder and all below it, following no link, chmod-ing what is in its way, bounded in descriptors and stack
 * whatever the depth. A missing folder is fine; what else bears the name (a link, a file) is unlinked. Other file
 * systems and folders mounted in the tree stay (-EXDEV). Goes on after a failure; 0 or the first -errno. `name` is one component,
 * which the caller has made sure of. */
int fs_remove_tree(const char *path);
int fs_remove_tree_at(int folder_fd, const char *name);
/* The same until a time (monotonic; 0: none): -ETIMEDOUT, and something is left. */
int fs_remove_tree_within(int folder_fd, const char *name, int64_t deadline_ms);
/* Gives a folder and all below it to a user; links themselves, not what they name. For a tree that nobody changes
 * meanwhile. 0 or the first -errno, and then it is given in part. */
int fs_give_tree(int folder_fd, uid_t uid, gid_t gid);
/* A new private folder "<parent>/<prefix>XXXXXX", mode 0700. Caller frees *path with free. 0 or -errno. */
int fs_make_temp(const char *parent, const char *prefix, char **path);
/* Writes all or fails; 0 or -errno. EINTR is retried. */
int fs_write_all(int fd, const void *data, size_t len);
/* The two entries that every folder lists of itself and its parent. */
static inline bool fs_is_dots(const char *name)
{
    return name[0] == '.' && (!name[1] || (name[1] == '.' && !name[2]));
}

#endif
