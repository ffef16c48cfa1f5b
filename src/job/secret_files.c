#include "job/secret_files.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/fs.h"
#include "core/mem.h"
#include "core/protection.h"

#define FOLDER "secrets"

struct secret_file {
    char *name;
    int fd; /* the build may link the file elsewhere: what is overwritten is what was written */
    size_t len;
};

struct secret_files {
    char *path;       /* for the command, and for messages: a build that is root can move what lies there */
    int workspace_fd; /* borrowed */
    int folder_fd;
    struct secret_file *items;
    size_t len;
};

char *secret_file_path(const struct job *job, const char *name)
{
    return xasprintf("%s/" FOLDER "/%s", job->workspace, name);
}

static int fail(const char *path, int errno_value, const char *what, struct error *err)
{
    return error_set_errno(err, errno_value == ENOSPC ? CLASS_DISK_FULL : CLASS_INTERNAL, "secret-file-failed",
                           errno_value, "%s %s", what, path);
}

static int make_folder(struct secret_files *files, struct error *err)
{
    /* What an earlier command could have left. */
    fs_remove_tree_at(files->workspace_fd, FOLDER);
    if (mkdirat(files->workspace_fd, FOLDER, 0700) != 0)
        return fail(files->path, errno, "making the folder", err);
    files->folder_fd = openat(files->workspace_fd, FOLDER, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    /* The build's user passes through, and neither lists nor changes it. */
    if (files->folder_fd < 0 || (geteuid() == 0 && fchmod(files->folder_fd, 0711) != 0))
        return fail(files->path, errno, "opening the folder", err);
    return 0;
}

/* Keys and certificates of several lines are refused by their readers when the last line has no end. */
static bool lacks_newline(const char *value)
{
    return strchr(value, '\n') && value[strlen(value) - 1] != '\n';
}

static int write_file(struct secret_files *files, const struct job *job, const char *name, const char *value,
                      struct error *err)
{
    CLEANUP_FREE char *path = xasprintf("%s/%s", files->path, name);
    struct secret_file *file = &files->items[files->len];
    int code;

    file->fd = openat(files->folder_fd, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0400);
    if (file->fd < 0)
        return fail(path, errno, "making the file of a secret", err);
    file->name = xstrdup(name);
    file->len = strlen(value) + lacks_newline(value);
    files->len++;
    code = fs_write_all(file->fd, value, strlen(value));
    if (code == 0 && lacks_newline(value))
        code = fs_write_all(file->fd, "\n", 1);
    if (code == 0 && geteuid() == 0 && fchown(file->fd, job->options->build_uid, job->options->build_gid) != 0)
        code = -errno;
    return code ? fail(path, -code, "writing the file of a secret", err) : 0;
}

static int write_all(struct secret_files *files, const struct job *job, const struct secret_text *texts, size_t len,
                     struct error *err)
{
    size_t i;

    if (make_folder(files, err))
        return -1;
    for (i = 0; i < len; i++)
        if (write_file(files, job, texts[i].name, texts[i].value, err))
            return -1;
    return 0;
}

int secret_files_make_of(struct secret_files **made, const struct job *job, const struct secret_text *texts, size_t len,
                         struct error *err)
{
    struct secret_files *files;

    *made = NULL;
    if (len == 0)
        return 0;
    files = xcalloc(1, sizeof *files);
    files->folder_fd = -1;
    files->workspace_fd = job->workspace_fd;
    files->path = xasprintf("%s/" FOLDER, job->workspace);
    files->items = xcalloc(len, sizeof *files->items);
    if (write_all(files, job, texts, len, err)) {
        secret_files_remove(files);
        return -1;
    }
    *made = files;
    return 0;
}

int secret_files_make(struct secret_files **made, const struct job *job, const char *step, struct error *err)
{
    CLEANUP_FREE struct secret_text *texts = xcalloc(job->spec.secrets_len + 1, sizeof *texts);
    size_t i, len = 0;

    for (i = 0; i < job->spec.secrets_len; i++) {
        const struct spec_secret *secret = &job->spec.secrets[i];
        const char *value = secret->as == SECRET_AS_ENV ? NULL : job_secret_for(job, secret, step);

        if (value)
            texts[len++] = (struct secret_text){secret->name, value};
    }
    return secret_files_make_of(made, job, texts, len, err);
}

static void overwrite(const struct secret_file *file)
{
    static const char zeros[4096];
    size_t left;

    if (lseek(file->fd, 0, SEEK_SET) != 0)
        return;
    for (left = file->len; left;) {
        size_t len = left < sizeof zeros ? left : sizeof zeros;

        if (fs_write_all(file->fd, zeros, len))
            break;
        left -= len;
    }
    if (ftruncate(file->fd, 0) != 0)
        return;
}

void secret_files_remove(struct secret_files *files)
{
    size_t i;

    if (!files)
        return;
    for (i = 0; i < files->len; i++) {
        if (PROTECTED(SECRET_FILES)) {
            overwrite(&files->items[i]);
            unlinkat(files->folder_fd, files->items[i].name, 0);
        }
        close(files->items[i].fd);
        free(files->items[i].name);
    }
    if (files->folder_fd >= 0)
        close(files->folder_fd);
    if (PROTECTED(SECRET_FILES))
        fs_remove_tree_at(files->workspace_fd, FOLDER);
    free(files->items);
    free(files->path);
    free(files);
}
