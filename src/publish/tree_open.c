#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/fsuid.h>
#include <unistd.h>

#include "core/fs.h"
#include "core/mem.h"
#include "core/protection.h"
#include "publish/tree_internal.h"

#define FOUND_MAX 8

void tree_init(struct tree *tree)
{
    memset(tree, 0, sizeof *tree);
    tree->fd = -1;
}

void tree_dispose(struct tree *tree)
{
    size_t i;

    for (i = 0; i < tree->len; i++) {
        free(tree->files[i].path);
        free(tree->files[i].part_sha256);
    }
    free(tree->files);
    strings_wipe(&tree->credentials);
    strings_dispose(&tree->warnings);
    if (tree->fd >= 0)
        close(tree->fd);
    tree_init(tree);
}

static int open_beneath(int folder_fd, const char *path, int flags)
{
    int fd;

    if (PROTECTED(CONFINED_OPEN))
        return fs_open_beneath(folder_fd, path, flags, 0);
    fd = openat(folder_fd, path, flags | O_CLOEXEC);
    return fd < 0 ? -errno : fd;
}

int tree_open_beneath(const struct publish_request *request, int folder_fd, const char *path, int flags)
{
    bool as_build = geteuid() == 0 && request->reader_uid != (uid_t)-1 && PROTECTED(OPEN_AS_BUILD);
    int fd;

    if (!as_build)
        return open_beneath(folder_fd, path, flags);
    /* What only root may read is not the build's to publish. */
    setfsgid(request->reader_gid);
    setfsuid(request->reader_uid);
    fd = open_beneath(folder_fd, path, flags);
    setfsuid(0);
    setfsgid(getegid());
    return fd;
}

int tree_hint_unreadable(const struct publish_request *request, int error_number, struct error *err)
{
    if (error_number != EACCES)
        return -1;
    /* What only root may read could be ours just as well. */
    return error_hint(err, request->build_uid != request->reader_uid
                               ? "the output of a root build must be readable by all: chmod -R a+rX it in the build"
                               : "it must be readable by the build's user");
}

int tree_refuse_unreadable(const struct publish_request *request, const char *path, int error_number, struct error *err)
{
    error_set_errno(err, CLASS_OUTPUT_REFUSED, "output-unreadable", error_number, "cannot open %s of the output", path);
    return tree_hint_unreadable(request, error_number, err);
}

/* "found: build/, out/": most wrong `from`s are another framework's name for the same folder. */
static void name_folders(int root_fd, struct error *err)
{
    char found[512] = "";
    struct stat st;
    struct dirent *entry;
    size_t len = 0;
    int count = 0;
    int fd = openat(root_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *folder = fd >= 0 ? fdopendir(fd) : NULL;

    if (!folder)
        return;
    while ((entry = readdir(folder)) && count < FOUND_MAX && len + 64 < sizeof found) {
        if (entry->d_name[0] == '.' || strcmp(entry->d_name, "node_modules") == 0 || strlen(entry->d_name) > 48)
            continue;
        if (!utf8_is_valid(view_of(entry->d_name)) || strpbrk(entry->d_name, "\r\n\t\033"))
            continue;
        if (fstatat(root_fd, entry->d_name, &st, AT_SYMLINK_NOFOLLOW) || !S_ISDIR(st.st_mode))
            continue;
        len += (size_t)snprintf(found + len, sizeof found - len, "%s%s/", count++ ? ", " : "", entry->d_name);
    }
    closedir(folder);
    error_hint(err,
               count ? "set `from` (or build.output) to the folder that the build writes; found: %s"
                     : "the build left no folder here%s: look at what it wrote and where",
               found);
}

static int refuse_open(const struct publish_request *request, int root_fd, int error_number, struct error *err)
{
    const char *from = request->from;

    if (error_number == ELOOP)
        return error_set(err, CLASS_OUTPUT_REFUSED, "link-in-output",
                         "the output folder %s is a symbolic link, or lies behind one", from);
    if (error_number == EXDEV || error_number == EINVAL)
        return error_set(err, CLASS_OUTPUT_REFUSED, "output-outside",
                         "the output folder %s is not beneath the checkout", from);
    if (error_number == ENOTDIR)
        error_set(err, CLASS_NO_OUTPUT, "output-not-a-folder", "the output %s is not a folder", from);
    else if (error_number == ENOENT)
        error_set(err, CLASS_NO_OUTPUT, "output-missing", "the output folder %s does not exist", from);
    else
        return tree_refuse_unreadable(request, from, error_number, err);
    name_folders(root_fd, err);
    return -1;
}

bool tree_is_never_published(struct view name)
{
    return view_is(name, ".git") || view_is(name, ".caisson");
}

/* Whether the path is such a folder, or lies in one. */
static bool lies_in_reserved(const char *path)
{
    size_t len;

    for (; *path; path += len + (path[len] == '/')) {
        len = strcspn(path, "/");
        if (tree_is_never_published((struct view){path, len}))
            return true;
    }
    return false;
}

static bool is_the_root(const struct publish_request *request, int fd)
{
    struct stat st;

    return request->root_inode == 0 || !PROTECTED(SAME_CHECKOUT) ||
           (fstat(fd, &st) == 0 && st.st_dev == request->root_device && st.st_ino == request->root_inode);
}

int tree_open(struct tree *tree, const struct publish_request *request, struct error *err)
{
    size_t root_len = strlen(request->root);
    const char *rest;
    CLEANUP_CLOSE int root_fd = -1;
    int fd;

    tree->request = request;
    while (root_len > 1 && request->root[root_len - 1] == '/')
        root_len--;
    root_fd = open(request->root, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (root_fd < 0)
        return error_set_errno(err, CLASS_NO_OUTPUT, "output-missing", errno, "cannot open %s", request->root);
    if (!is_the_root(request, root_fd))
        return error_set(err, CLASS_OUTPUT_REFUSED, "checkout-replaced",
                         "the build has put something else in the place of the checkout's folder");
    if (strncmp(request->from, request->root, root_len) != 0 ||
        (request->from[root_len] != '/' && request->from[root_len] != '\0' && root_len > 1))
        return refuse_open(request, root_fd, EXDEV, err);
    for (rest = request->from + root_len; *rest == '/'; rest++)
        ;
    if (lies_in_reserved(rest))
        return error_set(err, CLASS_OUTPUT_REFUSED, "output-reserved",
                         "the output folder %s lies in .git or .caisson, which are never published", request->from);
    {
        CLEANUP_FREE char *path = xstrdup(*rest ? rest : ".");
        size_t len = strlen(path);

        while (len > 1 && path[len - 1] == '/')
            path[--len] = '\0';
        fd = tree_open_beneath(request, root_fd, path, O_RDONLY | O_DIRECTORY);
    }
    if (fd < 0)
        return refuse_open(request, root_fd, -fd, err);
    tree->fd = fd;
    return 0;
}

static int path_to(const void *key, const void *item)
{
    return strcmp(key, ((const struct tree_file *)item)->path);
}

const struct tree_file *tree_find(const struct tree *tree, const char *path)
{
    return tree->len ? bsearch(path, tree->files, tree->len, sizeof *tree->files, path_to) : NULL;
}

bool tree_file_is_same(const struct tree_file *file, int fd)
{
    const struct stat *seen = &file->seen;
    struct stat now;

    return fstat(fd, &now) == 0 && now.st_dev == seen->st_dev && now.st_ino == seen->st_ino &&
           now.st_size == seen->st_size && now.st_mtim.tv_sec == seen->st_mtim.tv_sec &&
           now.st_mtim.tv_nsec == seen->st_mtim.tv_nsec && now.st_ctim.tv_sec == seen->st_ctim.tv_sec &&
           now.st_ctim.tv_nsec == seen->st_ctim.tv_nsec;
}

int tree_open_file(const struct tree *tree, const struct tree_file *file, struct error *err)
{
    int fd = tree_open_beneath(tree->request, tree->fd, file->path, O_RDONLY | O_NONBLOCK);

    if (fd >= 0 && tree_file_is_same(file, fd))
        return fd;
    if (fd == -EACCES)
        return tree_refuse_unreadable(tree->request, file->path, -fd, err);
    if (fd >= 0)
        close(fd);
    return tree_refuse_changed(file->path, err);
}

int tree_refuse_changed(const char *path, struct error *err)
{
    error_set(err, CLASS_OUTPUT_REFUSED, "file-changed", "%s changed while it was being published", path);
    return error_hint(err, "something still writes to the output: end it before the build step ends");
}
