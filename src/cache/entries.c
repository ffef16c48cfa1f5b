#include "cache/entries.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cache/store.h"
#include "core/fs.h"
#include "core/mem.h"

#define DEPTH_MAX 8
#define NAMES_MAX (4 * CACHE_ENTRIES_MAX)

void entries_warn(const struct cache_options *options, const char *format, ...)
{
    char text[1024];
    va_list args;

    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    if (options->on_warning)
        options->on_warning(options->context, text);
}

int entries_open(int folder_fd, const char *entry, const char *path)
{
    CLEANUP_FREE char *whole = xasprintf("%s/%s", entry, path);

    return fs_open_beneath(folder_fd, whole, O_RDONLY | O_NOFOLLOW | O_NONBLOCK, 0);
}

int entries_make(int folder_fd, const char *entry, const char *path)
{
    CLEANUP_FREE char *whole = xasprintf("%s/%s", entry, path);
    char *slash, *name = whole;
    int parent = dup(folder_fd), next;

    if (parent < 0)
        return -errno;
    while ((slash = strchr(name, '/'))) {
        *slash = '\0';
        next = mkdirat(parent, name, 0755) == 0 || errno == EEXIST
                   ? openat(parent, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)
                   : -1;
        close(parent);
        if (next < 0)
            return -errno;
        parent = next;
        name = slash + 1;
    }
    next = openat(parent, name, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0644);
    if (next < 0)
        next = -errno;
    close(parent);
    return next;
}

/* ---- listing ---- */

/* One entry while it is read. */
struct reading {
    struct cache_entry entry;
    int64_t bytes, limit;
    bool used, written;
    const char *problem; /* static; NULL: none */
    struct store store;  /* for its questions only */
};

static bool is_over(void *context)
{
    return store_check(context, NULL) != 0;
}

static void read_file(struct reading *reading, int parent, const char *name, char *path)
{
    CLEANUP_CLOSE int fd = openat(parent, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    char sha256[SHA256_HEX_SIZE];
    struct stat status;

    if (fd < 0 || fstat(fd, &status) != 0)
        reading->problem = "a file in it cannot be opened";
    else if (!S_ISREG(status.st_mode) || status.st_nlink != 1)
        reading->problem = "it holds something other than plain files";
    else if (status.st_size > reading->limit - reading->bytes)
        reading->problem = "it is too large";
    else if (reading->entry.files_len >= CACHE_ENTRY_FILES_MAX || !cache_is_path(path))
        reading->problem = "it has too many files, or odd names";
    else if (sha256_hex_file_unless(fd, 0, status.st_size, is_over, &reading->store, sha256))
        reading->problem = "a file in it cannot be read";
    if (reading->problem) {
        free(path);
        return;
    }
    reading->bytes += status.st_size;
    reading->used = reading->used || status.st_atim.tv_sec > ENTRIES_UNUSED_S;
    reading->written = reading->written || status.st_mtim.tv_sec > ENTRIES_UNUSED_S;
    cache_entry_add(&reading->entry, path, status.st_size, sha256);
}

/* Takes the descriptor. */
static void read_folder(struct reading *reading, int fd, const char *path, int depth)
{
    DIR *folder = fdopendir(fd);
    struct dirent *item;
    struct stat status;

    if (!folder || depth > DEPTH_MAX) {
        reading->problem = "its folders are too deep, or cannot be read";
        if (folder)
            closedir(folder);
        else
            close(fd);
        return;
    }
    while (!reading->problem && (item = readdir(folder))) {
        char *below;
        int sub;

        if (fs_is_dots(item->d_name))
            continue;
        below = xasprintf("%s%s%s", path, path[0] ? "/" : "", item->d_name);
        if (fstatat(fd, item->d_name, &status, AT_SYMLINK_NOFOLLOW) != 0 || !S_ISDIR(status.st_mode)) {
            read_file(reading, fd, item->d_name, below);
            continue;
        }
        sub = openat(fd, item->d_name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        if (sub < 0)
            reading->problem = "a folder in it cannot be opened";
        else
            read_folder(reading, sub, below, depth + 1);
        free(below);
    }
    closedir(folder);
}

static void read_entry(const struct cache_options *options, int folder_fd, const char *name,
                       struct cache_manifest *found)
{
    struct reading reading = {.limit = options->max_bytes ? options->max_bytes : CACHE_FILE_BYTES,
                              .store = {.options = options}};
    int fd;

    if (!cache_is_name(name)) {
        if (name[0] != '.')
            entries_warn(options, "an entry of the layer cache has an odd name and is not kept");
        return;
    }
    fd = openat(folder_fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0)
        reading.problem = "it is no folder";
    else
        read_folder(&reading, fd, "", 0);
    if (!reading.problem && reading.entry.files_len == 0)
        reading.problem = "it is empty";
    if (is_over(&reading.store)) {
        ; /* half of it is nothing; the caller ends */
    } else if (reading.problem) {
        entries_warn(options, "the layer cache's entry %s is not kept: %s", name, reading.problem);
    } else {
        cache_entry_sort(&reading.entry);
        reading.entry.name = xstrdup(name);
        reading.entry.used_ms = reading.used || reading.written ? options->now_ms : 0;
        reading.entry.written_ms = reading.written ? options->now_ms : 0;
        cache_manifest_put(found, &reading.entry);
    }
    cache_entry_dispose(&reading.entry);
}

int entries_list(const struct cache_options *options, int folder_fd, struct cache_manifest *found, struct error *err)
{
    struct store unstored = {.options = options};
    int fd = openat(folder_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC), status = 0;
    DIR *folder = fd >= 0 ? fdopendir(fd) : NULL;
    struct dirent *item;
    size_t names = 0;

    if (!folder) {
        error_set_errno(err, CLASS_PLATFORM, "cache-folder", errno, "cannot list the layer cache's folder");
        if (fd >= 0)
            close(fd);
        return -1;
    }
    while (status == 0 && (item = readdir(folder)) && ++names <= NAMES_MAX) {
        if (fs_is_dots(item->d_name))
            continue;
        status = store_check(&unstored, err);
        if (status == 0)
            read_entry(options, fd, item->d_name, found);
    }
    closedir(folder);
    return status == 0 ? store_check(&unstored, err) : status;
}
