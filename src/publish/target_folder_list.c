/* What lies beneath a folder target: regular files, reached through no link. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/fs.h"
#include "core/mem.h"
#include "publish/target_folder.h"

struct walk {
    struct strings folders; /* work list: one descriptor is open at a time, whatever the depth */
    void (*found)(void *context, const char *path, const char *etag, int64_t size);
    void *context;
};

/* Our own, or a target of its own, whose state lies beside it. */
static bool is_anothers(int fd, const char *name)
{
    CLEANUP_FREE char *state = xasprintf(FOLDER_STATES "/%s.json", name);
    struct stat st;

    return strcmp(name, FOLDER_STATES) == 0 || strcmp(name, FOLDER_NEW_NAME) == 0 ||
           fstatat(fd, state, &st, AT_SYMLINK_NOFOLLOW) == 0;
}

static void take(struct walk *walk, int fd, const char *folder, const char *name)
{
    CLEANUP_FREE char *path = strcmp(folder, ".") == 0 ? xstrdup(name) : xasprintf("%s/%s", folder, name);
    CLEANUP_FREE char *tag = NULL;
    struct stat st;

    if (fstatat(fd, name, &st, AT_SYMLINK_NOFOLLOW) || is_anothers(fd, name))
        return;
    if (S_ISDIR(st.st_mode)) {
        strings_add(&walk->folders, path);
    } else if (S_ISREG(st.st_mode)) {
        tag = folder_tag(&st);
        walk->found(walk->context, path, tag, st.st_size);
    }
}

static int walk_folder(struct walk *walk, int top, const char *path)
{
    int fd = fs_open_beneath(top, path, O_RDONLY | O_DIRECTORY, 0);
    DIR *folder = fd < 0 ? NULL : fdopendir(fd);
    const struct dirent *entry;

    if (fd < 0)
        return fd;
    if (!folder) {
        close(fd);
        return -ENOMEM;
    }
    while ((entry = readdir(folder)))
        if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0)
            take(walk, dirfd(folder), path, entry->d_name);
    closedir(folder);
    return 0;
}

int folder_list(int fd, const char *uri, const bool *stop,
                void (*found)(void *context, const char *path, const char *etag, int64_t size), void *context,
                struct error *err)
{
    struct walk walk = {.found = found, .context = context};
    int result = 0;
    size_t i;

    strings_add(&walk.folders, ".");
    for (i = 0; i < walk.folders.len && result == 0; i++) {
        CLEANUP_FREE char *path = xstrdup(walk.folders.items[i]);

        if (stop && *stop) {
            strings_dispose(&walk.folders);
            return target_stopped(err);
        }
        result = walk_folder(&walk, fd, path);
        if (result)
            error_set_errno(err, CLASS_UPLOAD_FAILED, "list-failed", -result, "cannot list %s%s", uri, path);
    }
    strings_dispose(&walk.folders);
    return result ? -1 : 0;
}
