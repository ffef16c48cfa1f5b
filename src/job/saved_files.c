#include "job/saved_files.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/fs.h"
#include "core/mem.h"
#include "core/protection.h"
#include "net/http.h"

#define FILE_MAX ((size_t)4 << 20)

static const char *const names[] = {"etc/hosts", "etc/resolv.conf"};

struct saved_file {
    char *path; /* relative to the root, without links when it was read */
    bool there;
    mode_t mode;
    struct buf content;
};

#define FILES_MAX 16

struct saved_files {
    char *path; /* of the root; "": the root itself */
    int root;
    struct saved_file items[FILES_MAX];
    size_t len;
};

/* ---- before ---- */

static int read_file(struct saved_files *files, const char *path, struct error *err)
{
    struct saved_file *file = &files->items[files->len++];
    struct stat status;
    int code;

    file->path = xstrdup(path);
    buf_init(&file->content, FILE_MAX);
    /* Links count as what they name: a resolv.conf often is one. */
    code = fstatat(files->root, path, &status, 0) == 0 ? 0 : -errno;
    if (code == -ENOENT || code == -ENOTDIR)
        return 0;
    if (code == 0 && S_ISREG(status.st_mode)) {
        CLEANUP_FREE char *whole = xasprintf("%s/%s", files->path, path);

        file->there = true;
        file->mode = status.st_mode & 07777;
        code = fs_read_file(whole, FILE_MAX, &file->content);
    } else if (code == 0) {
        code = -EINVAL;
    }
    return code == 0 ? 0
                     : error_set_errno(err, CLASS_INTERNAL, "files-unreadable", -code,
                                       "reading /%s, to have it as it is when the build has ended", path);
}

int saved_files_read_in(struct saved_files **out, const char *root, const char *ca_bundle, struct error *err)
{
    struct saved_files *files = xcalloc(1, sizeof *files);
    CLEANUP_FREE char *bundle = ca_bundle ? realpath(ca_bundle, NULL) : NULL;
    CLEANUP_FREE char *real_root = realpath(root, NULL);
    size_t i, len = real_root && strcmp(real_root, "/") != 0 ? strlen(real_root) : 0;
    int status = 0;

    files->path = xstrndup(real_root ? real_root : root, len);
    files->root = open(root, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (files->root < 0)
        status = error_set_errno(err, CLASS_INTERNAL, "files-unreadable", errno, "opening %s", root);
    for (i = 0; status == 0 && i < ARRAY_LEN(names); i++)
        status = read_file(files, names[i], err);
    /* Where there is none, none that the build makes is to be found afterwards. */
    for (i = 0; status == 0 && !ca_bundle && http_ca_places[i]; i++)
        status = read_file(files, http_ca_places[i] + 1, err);
    if (status == 0 && bundle && strncmp(bundle, real_root ? real_root : "", len) == 0 && bundle[len] == '/')
        status = read_file(files, bundle + len + 1, err);
    if (status)
        saved_files_free(files);
    else
        *out = files;
    return status;
}

int saved_files_read(struct saved_files **files, const char *ca_bundle, struct error *err)
{
    return saved_files_read_in(files, "/", ca_bundle, err);
}

/* ---- afterwards ---- */

/* What is no folder goes; `make`: a folder takes its place. Descriptor or -errno. */
static int open_folder(int folder, const char *name, bool make)
{
    const int flags = O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC;
    int fd = openat(folder, name, flags);

    if (fd < 0) {
        (void)unlinkat(folder, name, 0);
        if (make)
            (void)mkdirat(folder, name, 0755);
        fd = openat(folder, name, flags);
    }
    return fd < 0 ? -errno : fd;
}

/* The folder that holds the file: each on the way is a folder of its own. Descriptor or -errno. */
static int open_parent(int root, const char *path, bool make, const char **name)
{
    int folder = fcntl(root, F_DUPFD_CLOEXEC, 0);
    const char *slash;

    while (folder >= 0 && (slash = strchr(path, '/'))) {
        CLEANUP_FREE char *component = xstrndup(path, (size_t)(slash - path));
        int next = open_folder(folder, component, make);

        close(folder);
        folder = next;
        path = slash + 1;
    }
    *name = path;
    return folder;
}

/* As it was, and not by way of a link. */
static bool is_same(int folder, const char *name, const struct saved_file *file)
{
    struct buf now;
    bool same;

    buf_init(&now, FILE_MAX);
    same = fs_read_at(folder, name, FILE_MAX, &now) == 0 && now.len == file->content.len &&
           (now.len == 0 || memcmp(now.data, file->content.data, now.len) == 0);
    buf_dispose(&now);
    return same;
}

/* In place: over a mount nothing can be renamed. 0 or -errno. */
static int write_in_place(int folder, const char *name, const struct saved_file *file)
{
    int fd = openat(folder, name, O_WRONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
    struct stat status;
    int code;

    if (fd < 0)
        return -errno;
    if (fstat(fd, &status) != 0 || !S_ISREG(status.st_mode))
        code = -EINVAL;
    else if (fchmod(fd, file->mode) != 0 || ftruncate(fd, 0) != 0)
        code = -errno;
    else
        code = fs_write_all(fd, file->content.data, file->content.len);
    close(fd);
    return code;
}

static int put_back(int folder, const char *name, const struct saved_file *file)
{
    struct stat status;
    int code = -ENOENT;

    if (fstatat(folder, name, &status, AT_SYMLINK_NOFOLLOW) == 0) {
        /* Another name of the file, outside, would be written along: a hard link is not written to. */
        if (file->there && S_ISREG(status.st_mode) && status.st_nlink == 1)
            code = write_in_place(folder, name, file);
        if (code)
            code = fs_remove_tree_at(folder, name) == 0 ? -ENOENT : -EBUSY;
    }
    if (file->there && code)
        code = fs_write_at(folder, name, file->content.data ? file->content.data : "", file->content.len, file->mode, 0,
                           0);
    return file->there ? code : 0;
}

static int restore(const struct saved_files *files, const struct saved_file *file, struct error *err)
{
    const char *name;
    int folder = open_parent(files->root, file->path, file->there, &name);
    struct stat status;
    bool same = false;
    int code = folder < 0 ? folder : 0;

    if (folder == -ENOENT && !file->there)
        return 0;
    if (code == 0 && !(file->there && is_same(folder, name, file)))
        code = put_back(folder, name, file);
    if (folder >= 0) {
        same = file->there ? is_same(folder, name, file) : fstatat(folder, name, &status, AT_SYMLINK_NOFOLLOW) != 0;
        close(folder);
    }
    if (same)
        return 0;
    error_set_errno(err, CLASS_OUTPUT_REFUSED, "files-replaced", code ? -code : EIO,
                    "/%s cannot be put back as it was before the build, so nothing is sent to anybody", file->path);
    return error_hint(err, "let no RUN change /etc/hosts, /etc/resolv.conf or the CA bundle, or use the sandbox");
}

int saved_files_restore(const struct saved_files *files, struct error *err)
{
    size_t i;

    for (i = 0; files && PROTECTED(FILES_RESTORED) && i < files->len; i++)
        if (restore(files, &files->items[i], err))
            return -1;
    return 0;
}

void saved_files_free(struct saved_files *files)
{
    size_t i;

    if (!files)
        return;
    for (i = 0; i < files->len; i++) {
        free(files->items[i].path);
        buf_dispose(&files->items[i].content);
    }
    if (files->root >= 0)
        close(files->root);
    free(files->path);
    free(files);
}
