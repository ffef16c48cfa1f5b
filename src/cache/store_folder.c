/*
 * A folder as store, for developers' machines and tests. Its manifest changes under a lock, and what is written there
 * is renamed into place, so that readers see all or nothing.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "cache/store.h"
#include "core/clock.h"
#include "core/fs.h"
#include "core/mem.h"

#define LOCK_STEP_MS 20
#define COPY_SIZE ((size_t)1 << 20)
/* Nobody writes a file for so long. */
#define LEFT_OVER_S 86400

struct folder_store {
    struct store base;
    int root;
    char *path; /* for messages */
};

static struct folder_store *of(struct store *store)
{
    return (struct folder_store *)store;
}

/* The folder of a place, or a folder in it. fd or -errno. */
static int open_place(const struct folder_store *store, const char *place, const char *below, bool make)
{
    CLEANUP_FREE char *whole = xasprintf("%s%s%s", place, below[0] ? "/" : "", below);
    char *slash = whole;

    while (make && slash) {
        slash = strchr(slash + 1, '/');
        if (slash)
            *slash = '\0';
        if (mkdirat(store->root, whole, 0755) != 0 && errno != EEXIST)
            return -errno;
        if (slash)
            *slash = '/';
    }
    return fs_open_beneath(store->root, whole, O_RDONLY | O_DIRECTORY, 0);
}

static int cannot(const struct folder_store *store, const char *place, const char *what, int error, struct error *err)
{
    return error_set_errno(err, CLASS_PLATFORM, "cache-folder", error, "cannot %s the cache in %s/%s", what,
                           store->path, place);
}

static int read_manifest(int folder, struct buf *text, char version[STORE_VERSION_SIZE])
{
    int status = fs_read_at(folder, "manifest.json", CACHE_MANIFEST_BYTES, text);

    version[0] = '\0';
    if (status == 0)
        sha256_hex(text->data, text->len, version);
    if (status == -EFBIG) { /* no manifest of ours is that large */
        buf_reset(text);
        snprintf(version, STORE_VERSION_SIZE, "too large");
    }
    return status == -ENOENT || status == -EFBIG ? 0 : status;
}

static int load(struct store *base, const char *place, struct buf *text, char version[STORE_VERSION_SIZE],
                struct error *err)
{
    CLEANUP_CLOSE int folder = open_place(of(base), place, "", false);
    int status = folder < 0 ? folder : read_manifest(folder, text, version);

    return status && status != -ENOENT ? cannot(of(base), place, "read", -status, err) : 0;
}

/* What a save that was killed has left of files that it was writing. */
static void sweep(int place)
{
    CLEANUP_CLOSE int fd = fs_open_beneath(place, "blobs/sha256", O_RDONLY | O_DIRECTORY, 0);
    DIR *folder = fd >= 0 ? fdopendir(dup(fd)) : NULL;
    struct dirent *item;
    struct stat status;

    while (folder && (item = readdir(folder)))
        if (item->d_name[0] == '.' && !fs_is_dots(item->d_name) &&
            fstatat(fd, item->d_name, &status, AT_SYMLINK_NOFOLLOW) == 0 && S_ISREG(status.st_mode) &&
            status.st_mtime < time(NULL) - LEFT_OVER_S)
            unlinkat(fd, item->d_name, 0);
    if (folder)
        closedir(folder);
}

/* Locked by whoever changes the manifest; the lock ends with its process. */
static int lock(struct store *base, int folder, struct error *err)
{
    int fd = openat(folder, "lock", O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);

    if (fd < 0)
        return error_set_errno(err, CLASS_PLATFORM, "cache-folder", errno, "cannot lock the cache");
    while (flock(fd, LOCK_EX | LOCK_NB) != 0) {
        if (store_check(base, err)) {
            close(fd);
            return -1;
        }
        usleep(LOCK_STEP_MS * 1000);
    }
    return fd;
}

static int swap(struct store *base, const char *place, struct view text, char version[STORE_VERSION_SIZE], bool *lost,
                struct error *err)
{
    CLEANUP_CLOSE int folder = open_place(of(base), place, "", true);
    CLEANUP_CLOSE int locked = -1;
    char found[STORE_VERSION_SIZE];
    struct buf old;
    int status;

    if (folder < 0)
        return cannot(of(base), place, "make", -folder, err);
    locked = lock(base, folder, err);
    if (locked < 0)
        return -1;
    buf_init(&old, CACHE_MANIFEST_BYTES);
    status = read_manifest(folder, &old, found);
    buf_dispose(&old);
    if (status)
        return cannot(of(base), place, "read", -status, err);
    *lost = strcmp(found, version) != 0;
    if (*lost)
        return 0;
    status = fs_write_at(folder, "manifest.json", text.data, text.len, 0644, (uid_t)-1, (gid_t)-1);
    if (status)
        return cannot(of(base), place, "write", -status, err);
    sha256_hex(text.data, text.len, version);
    sweep(folder);
    return 0;
}

/* ---- contents ---- */

static int copy(struct store *base, int from, int to, int64_t size)
{
    CLEANUP_FREE char *buffer = xmalloc(COPY_SIZE);
    int64_t at = 0;

    while (at < size) {
        size_t want = size - at < (int64_t)COPY_SIZE ? (size_t)(size - at) : COPY_SIZE;
        ssize_t got = pread(from, buffer, want, at);

        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0)
            return got < 0 ? -errno : -EIO;
        if (fs_write_all(to, buffer, (size_t)got))
            return -EIO;
        if (store_check(base, NULL))
            return -EINTR;
        at += got;
    }
    return 0;
}

static enum store_status fetch(struct store *base, int folder, struct store_task *task)
{
    CLEANUP_CLOSE int from = fs_open_beneath(folder, task->sha256, O_RDONLY | O_NONBLOCK, 0);
    struct stat status;

    if (from < 0)
        return from == -ENOENT ? STORE_ABSENT : STORE_FAILED;
    if (fstat(from, &status) != 0 || !S_ISREG(status.st_mode))
        return STORE_FAILED;
    if (status.st_size != task->size)
        return STORE_WRONG;
    return copy(base, from, task->fd, task->size) == 0 ? STORE_DONE : STORE_FAILED;
}

static enum store_status add(struct store *base, int folder, struct store_task *task)
{
    CLEANUP_FREE char *temporary = xasprintf(".%s.%ld.tmp", task->sha256, (long)getpid());
    struct stat status;
    int fd, result;

    if (fstatat(folder, task->sha256, &status, AT_SYMLINK_NOFOLLOW) == 0 && S_ISREG(status.st_mode) &&
        status.st_size == task->size)
        return STORE_DONE;
    unlinkat(folder, temporary, 0);
    fd = openat(folder, temporary, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0644);
    if (fd < 0)
        return STORE_FAILED;
    result = copy(base, task->fd, fd, task->size);
    if (close(fd) != 0 || result || renameat(folder, temporary, folder, task->sha256) != 0) {
        unlinkat(folder, temporary, 0);
        return STORE_FAILED;
    }
    return STORE_DONE;
}

static enum store_status act(struct store *base, int folder, struct store_task *task)
{
    struct stat status;

    switch (task->act) {
    case STORE_FETCH: return fetch(base, folder, task);
    case STORE_ADD: return add(base, folder, task);
    case STORE_LOOK:
        if (fstatat(folder, task->sha256, &status, AT_SYMLINK_NOFOLLOW) == 0)
            return STORE_DONE;
        return errno == ENOENT ? STORE_ABSENT : STORE_FAILED;
    case STORE_REMOVE: return unlinkat(folder, task->sha256, 0) == 0 || errno == ENOENT ? STORE_DONE : STORE_FAILED;
    }
    return STORE_FAILED;
}

static void run_task(struct store *base, struct store_run *run, struct store_task *task)
{
    CLEANUP_CLOSE int folder = open_place(of(base), task->place, "blobs/sha256", task->act == STORE_ADD);
    struct error error;

    if (folder < 0) {
        cannot(of(base), task->place, "open", -folder, &error);
        store_task_end(run, task, folder == -ENOENT ? STORE_ABSENT : STORE_FAILED, &error);
        return;
    }
    if (store_task_begin(run, task) == 0)
        store_task_end(run, task, act(base, folder, task), NULL);
}

static void run_all(struct store *base, struct store_run *run)
{
    size_t i;

    for (i = 0; i < run->len && store_check(base, NULL) == 0; i++)
        run_task(base, run, &run->tasks[i]);
}

static void free_folder(struct store *base)
{
    close(of(base)->root);
    free(of(base)->path);
    free(base);
}

static const struct store_type folder_type = {load, swap, run_all, free_folder};

int store_open_folder(struct store **out, const struct cache_options *options, struct error *err)
{
    const char *path = options->to + 5;
    struct folder_store *store;
    int made, root;

    if (path[0] != '/')
        return error_set(err, CLASS_USAGE, "bad-place", "the cache's folder \"%s\" is no absolute path", path);
    made = fs_make_folders(path, 0755);
    root = made ? -1 : open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (root < 0)
        return error_set_errno(err, CLASS_PLATFORM, "cache-folder", made ? -made : errno,
                               "cannot open the cache's folder %s", path);
    store = xcalloc(1, sizeof *store);
    store->base = (struct store){&folder_type, options};
    store->root = root;
    store->path = xstrdup(path);
    while (strlen(store->path) > 1 && store->path[strlen(store->path) - 1] == '/')
        store->path[strlen(store->path) - 1] = '\0';
    *out = &store->base;
    return 0;
}
