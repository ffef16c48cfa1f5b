/*
 * A folder as a target. One publish at a time (flock); the state is <parent>/.caisson/<name>.json. What stands in for
 * an ETag is inode, size and time of change: cheap, and different after every write. Nothing beneath the folder is
 * reached through a link, and files appear whole, by a rename.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#include "core/fs.h"
#include "core/mem.h"
#include "publish/target_folder.h"

#define COPY_SIZE ((size_t)64 << 10)

struct folder {
    struct target base;
    int fd;       /* the folder */
    int state_fd; /* <parent>/.caisson */
    int lock_fd;
    char *state_name, *lock_name;
};

static int fail(struct error *err, int error_number, const char *what, const char *path)
{
    if (error_number == ENOSPC || error_number == EDQUOT)
        return error_set_errno(err, CLASS_DISK_FULL, "disk-full", error_number, "%s %s", what, path);
    return error_set_errno(err, CLASS_UPLOAD_FAILED, "write-failed", error_number, "%s %s", what, path);
}

char *folder_tag(const struct stat *st)
{
    return xasprintf("%ju-%jd-%jd.%09ld-%jd.%09ld", (uintmax_t)st->st_ino, (intmax_t)st->st_size,
                     (intmax_t)st->st_mtim.tv_sec, st->st_mtim.tv_nsec, (intmax_t)st->st_ctim.tv_sec,
                     st->st_ctim.tv_nsec);
}

/* ---- the state ---- */

static int read_state(struct target *target, const bool *stop, struct buf *text, char **version, struct error *err)
{
    struct folder *folder = (struct folder *)target;
    CLEANUP_CLOSE int fd = -1;
    struct stat st;
    int result;

    (void)stop;
    fd = fs_open_beneath(folder->state_fd, folder->state_name, O_RDONLY | O_NONBLOCK, 0);
    if (fd == -ENOENT)
        return 0;
    result = fd < 0 ? fd : fs_read_at(folder->state_fd, folder->state_name, MANIFEST_MAX_BYTES, text);
    if (result < 0)
        return fail(err, -result, "cannot read the state of", target->uri);
    if (fstat(fd, &st))
        return fail(err, errno, "cannot read the state of", target->uri);
    *version = folder_tag(&st);
    return 0;
}

/* The lock makes the version's comparison unnecessary: nobody else writes. */
static int write_state(struct target *target, const bool *stop, struct view text, const char *version,
                       char **new_version, struct error *err)
{
    struct folder *folder = (struct folder *)target;
    CLEANUP_FREE char *beside = xasprintf("%s.new", folder->state_name);
    CLEANUP_CLOSE int fd = -1;
    struct stat st = {0};
    int result;

    (void)version;
    (void)stop;
    if (unlinkat(folder->state_fd, beside, 0) && errno != ENOENT)
        return fail(err, errno, "cannot write the state of", target->uri);
    fd = fs_open_beneath(folder->state_fd, beside, O_WRONLY | O_CREAT | O_EXCL, 0644);
    result = fd < 0 ? fd : fs_write_all(fd, text.data, text.len);
    if (!result && (renameat(folder->state_fd, beside, folder->state_fd, folder->state_name) || fstat(fd, &st)))
        result = -errno;
    if (result < 0) {
        unlinkat(folder->state_fd, beside, 0);
        return fail(err, -result, "cannot write the state of", target->uri);
    }
    *new_version = folder_tag(&st);
    return 0;
}

/* ---- paths ---- */

/* Opens the folder that holds the path, making it when asked; fd or -errno. *name: the last component. */
static int open_parent(const struct folder *folder, const char *path, bool make, const char **name)
{
    const char *slash = strrchr(path, '/'), *at;
    CLEANUP_FREE char *parent = slash ? xstrndup(path, (size_t)(slash - path)) : xstrdup(".");
    CLEANUP_FREE char *step = NULL;
    int fd;

    *name = slash ? slash + 1 : path;
    fd = fs_open_beneath(folder->fd, parent, O_RDONLY | O_DIRECTORY, 0);
    if (fd != -ENOENT || !make)
        return fd;
    for (at = strchr(parent, '/');; at = strchr(at + 1, '/')) {
        free(step);
        step = at ? xstrndup(parent, (size_t)(at - parent)) : xstrdup(parent);
        fd = fs_open_beneath(folder->fd, step, O_RDONLY | O_DIRECTORY, 0);
        if (fd == -ENOENT) {
            /* All above it has just been opened without a link on the way; the lock keeps our kind out, and whoever
             * else writes here could write through a link of his own as well. */
            if (mkdirat(folder->fd, step, 0755))
                return -errno;
            fd = fs_open_beneath(folder->fd, step, O_RDONLY | O_DIRECTORY, 0);
        }
        if (fd < 0 || !at)
            return fd;
        close(fd);
    }
}

static int copy_to(const struct target_call *call, int to, struct error *err)
{
    CLEANUP_CLOSE int from = tree_open_file(call->tree, call->file, err);
    CLEANUP_FREE char *block = xmalloc(COPY_SIZE);
    ssize_t got;
    int result;

    if (from < 0)
        return -1;
    while ((got = read(from, block, COPY_SIZE)) != 0) {
        if (got < 0 && errno == EINTR)
            continue;
        result = got < 0 ? -errno : fs_write_all(to, block, (size_t)got);
        if (result < 0)
            return fail(err, -result, "cannot write", call->path);
    }
    if (tree_file_is_same(call->file, from))
        return 0;
    return error_set(err, CLASS_OUTPUT_REFUSED, "file-changed", "%s changed while it was being published", call->path);
}

/* Whether what is there is what the call expects. A folder or a link in its place is not. */
static bool condition_holds(const struct target_call *call, int parent_fd, const char *name)
{
    struct stat st;
    bool exists = fstatat(parent_fd, name, &st, AT_SYMLINK_NOFOLLOW) == 0;
    CLEANUP_FREE char *tag = exists ? folder_tag(&st) : NULL;

    if (call->if_absent)
        return !exists;
    return exists && S_ISREG(st.st_mode) && (!call->if_match || strcmp(tag, call->if_match) == 0);
}

static int put(struct folder *folder, struct target_call *call, struct error *err)
{
    const char *name;
    CLEANUP_CLOSE int parent = open_parent(folder, call->path, true, &name);
    CLEANUP_CLOSE int fd = -1;
    struct stat st;

    if (parent == -ENOTDIR || parent == -ELOOP || (parent >= 0 && !condition_holds(call, parent, name))) {
        call->conflict = true;
        return 0;
    }
    if (parent < 0)
        return fail(err, -parent, "cannot make the folder of", call->path);
    if (unlinkat(folder->fd, FOLDER_NEW_NAME, 0) && errno != ENOENT)
        return fail(err, errno, "cannot write", call->path);
    fd = fs_open_beneath(folder->fd, FOLDER_NEW_NAME, O_WRONLY | O_CREAT | O_EXCL, 0644);
    if (fd < 0)
        return fail(err, -fd, "cannot write", call->path);
    if (copy_to(call, fd, err) == 0) {
        if (renameat(folder->fd, FOLDER_NEW_NAME, parent, name) == 0 && fstat(fd, &st) == 0) {
            call->etag = folder_tag(&st);
            return 0;
        }
        fail(err, errno, "cannot write", call->path);
    }
    unlinkat(folder->fd, FOLDER_NEW_NAME, 0);
    return -1;
}

static int probe(struct folder *folder, struct target_call *call, struct error *err)
{
    const char *name;
    CLEANUP_CLOSE int parent = open_parent(folder, call->path, false, &name);
    CLEANUP_CLOSE int fd = -1;
    struct stat st;

    if (parent == -ENOENT)
        return 0;
    if (parent == -ENOTDIR || parent == -ELOOP || fstatat(parent, name, &st, AT_SYMLINK_NOFOLLOW)) {
        call->exists = parent == -ELOOP || parent == -ENOTDIR;
        return parent >= 0 && errno != ENOENT ? fail(err, errno, "cannot look at", call->path) : 0;
    }
    call->exists = true;
    if (!S_ISREG(st.st_mode))
        return 0;
    call->etag = folder_tag(&st);
    fd = fs_open_beneath(parent, name, O_RDONLY | O_NONBLOCK, 0);
    if (fd < 0)
        return fail(err, -fd, "cannot open", call->path);
    call->found.size = st.st_size;
    return tree_hash_fd(fd, call->found.sha256, err);
}

/* Folders that are empty now were ours: they held the file that has just gone. */
static void remove_empty_parents(struct folder *folder, const char *path)
{
    CLEANUP_FREE char *parent = xstrdup(path);
    const char *name;
    char *slash;
    int fd;

    while ((slash = strrchr(parent, '/'))) {
        *slash = '\0';
        fd = open_parent(folder, parent, false, &name);
        if (fd < 0)
            return;
        if (unlinkat(fd, name, AT_REMOVEDIR)) {
            close(fd);
            return;
        }
        close(fd);
    }
}

static int remove_file(struct folder *folder, struct target_call *call, struct error *err)
{
    const char *name;
    CLEANUP_CLOSE int parent = open_parent(folder, call->path, false, &name);

    if (parent == -ENOENT || (parent >= 0 && faccessat(parent, name, F_OK, AT_SYMLINK_NOFOLLOW) && errno == ENOENT))
        return 0;
    if (parent < 0 || !condition_holds(call, parent, name)) {
        call->conflict = true;
        return 0;
    }
    if (unlinkat(parent, name, 0))
        return fail(err, errno, "cannot remove", call->path);
    remove_empty_parents(folder, call->path);
    return 0;
}

static void start(struct target *target, struct target_call *call)
{
    struct folder *folder = (struct folder *)target;
    struct error error = {0};
    int result = call->act == TARGET_PUT     ? put(folder, call, &error)
                 : call->act == TARGET_PROBE ? probe(folder, call, &error)
                                             : remove_file(folder, call, &error);

    call->done(call->context, result ? &error : NULL);
}

static int64_t bytes_sent(struct target *target, const struct target_call *call)
{
    (void)target;
    (void)call;
    return 0;
}

/* No call is ever under way. */
static bool is_idle(struct target *target, const struct target_call *call)
{
    (void)target;
    (void)call;
    return false;
}

static bool cancel(struct target *target, struct target_call *call)
{
    (void)target;
    (void)call;
    return false;
}

static int list(struct target *target, const bool *stop,
                void (*found)(void *context, const char *path, const char *etag, int64_t size), void *context,
                struct error *err)
{
    return folder_list(((struct folder *)target)->fd, target->uri, stop, found, context, err);
}

static bool is_empty(struct target *target, const bool *stop)
{
    (void)target;
    (void)stop;
    return false; /* looking at each path costs nothing here */
}

static void set_concurrency(struct target *target, int concurrency)
{
    (void)target;
    (void)concurrency;
}

static struct target_stats stats(struct target *target)
{
    (void)target;
    return (struct target_stats){0};
}

static void folder_free(struct target *target)
{
    struct folder *folder = (struct folder *)target;
    int fds[] = {folder->fd, folder->lock_fd, folder->state_fd};
    size_t i;

    for (i = 0; i < ARRAY_LEN(fds); i++)
        if (fds[i] >= 0)
            close(fds[i]);
    free(folder->state_name);
    free(folder->lock_name);
    free(target->uri);
    free(folder);
}

static const struct target_type folder_type = {
    .read_state = read_state,
    .write_state = write_state,
    .start = start,
    .bytes_sent = bytes_sent,
    .is_idle = is_idle,
    .cancel = cancel,
    .list = list,
    .is_empty = is_empty,
    .set_concurrency = set_concurrency,
    .stats = stats,
    .free = folder_free,
};

/* ---- opening ---- */

static int wait_for_lock(struct folder *folder, const bool *stop, const struct publish_reporter *reporter,
                         struct error *err)
{
    bool told = false;

    folder->lock_fd = fs_open_beneath(folder->state_fd, folder->lock_name, O_RDWR | O_CREAT, 0644);
    if (folder->lock_fd < 0)
        return fail(err, -folder->lock_fd, "cannot open the lock of", folder->base.uri);
    while (flock(folder->lock_fd, LOCK_EX | LOCK_NB)) {
        if (errno != EWOULDBLOCK && errno != EINTR)
            return fail(err, errno, "cannot lock", folder->base.uri);
        if (stop && *stop)
            return target_stopped(err);
        if (!told && reporter && reporter->info)
            reporter->info(reporter->context, "waiting for another publish to the same folder to end");
        told = true;
        loop_sleep(folder->base.loop, 50, stop);
    }
    return 0;
}

static int open_places(struct folder *folder, const char *path, const char *parent, struct error *err)
{
    int result = fs_make_folders(path, 0755);
    CLEANUP_CLOSE int parent_fd = result ? -1 : open(parent, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

    if (result)
        return fail(err, -result, "cannot make the folder", path);
    if (parent_fd < 0)
        return fail(err, errno, "cannot open the folder", parent);
    folder->fd = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (folder->fd < 0)
        return fail(err, errno, "cannot open the folder", path);
    if (mkdirat(parent_fd, FOLDER_STATES, 0755) && errno != EEXIST)
        return fail(err, errno, "cannot make the folder .caisson in", parent);
    folder->state_fd = fs_open_beneath(parent_fd, FOLDER_STATES, O_RDONLY | O_DIRECTORY, 0);
    if (folder->state_fd < 0)
        return fail(err, -folder->state_fd, "cannot open the folder .caisson in", parent);
    return 0;
}

/* "file:/x/y", "file:///x/y" or with slashes at the end → "/x/y"; NULL when it is none. Caller frees. */
static char *path_of(const char *to)
{
    const char *path = to + strlen("file:");
    char *copy;
    size_t len;

    if (strncmp(path, "//", 2) == 0)
        path += 2;
    len = strlen(path);
    while (len > 0 && path[len - 1] == '/')
        len--;
    copy = xstrndup(path, len);
    if (copy[0] == '/' && fs_is_confined(copy + 1, false))
        return copy;
    free(copy);
    return NULL;
}

/* A folder that would publish itself, or what it is published from. */
static bool overlaps(const char *a, const char *b)
{
    size_t a_len = strlen(a), b_len = strlen(b), len = a_len < b_len ? a_len : b_len;

    return strncmp(a, b, len) == 0 && (a_len == b_len || (a_len < b_len ? b : a)[len] == '/');
}

int target_folder_open(struct target **target, struct loop *loop, const struct publish_request *request,
                       const bool *stop, const struct publish_reporter *reporter, struct error *err)
{
    CLEANUP_FREE char *path = path_of(request->to), *parent = NULL;
    struct folder *folder;
    char *slash;

    if (!path)
        return error_set(err, CLASS_SPEC_INVALID, "bad-target", "%s is not file:/absolute/folder", request->to);
    if (overlaps(path, request->from))
        return error_set(err, CLASS_SPEC_INVALID, "bad-target", "the target %s and the output %s lie within each other",
                         path, request->from);
    folder = xcalloc(1, sizeof *folder);
    folder->base.type = &folder_type;
    folder->base.loop = loop;
    folder->base.max_concurrency = 1;
    folder->base.uri = xasprintf("file://%s/", path);
    folder->fd = folder->state_fd = folder->lock_fd = -1;
    parent = xstrdup(path);
    slash = strrchr(parent, '/');
    folder->state_name = xasprintf("%s.json", slash + 1);
    folder->lock_name = xasprintf("%s.lock", slash + 1);
    slash[slash == parent] = '\0';
    if (open_places(folder, path, parent, err) || wait_for_lock(folder, stop, reporter, err)) {
        folder_free(&folder->base);
        return -1;
    }
    unlinkat(folder->fd, FOLDER_NEW_NAME, 0); /* of a publish that was killed */
    *target = &folder->base;
    return 0;
}
