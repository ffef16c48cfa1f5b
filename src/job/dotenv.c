#include "job/dotenv.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/fs.h"
#include "core/mem.h"

#define NAME ".env"
#define FILE_MAX ((size_t)4 << 20)
#define HEAD "# From here on: the job's env, by caisson.\n"

/* ---- the text ---- */

static bool ends_in_backslash(const char *value)
{
    size_t len = strlen(value);

    return len && value[len - 1] == '\\';
}

/* Needs no quotes. Backslashes mean nothing there, while before a closing quote one would be taken for its escape. */
static bool is_plain(const char *value)
{
    static const char plain[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_./:@%+,=-\\";

    return value[strspn(value, plain)] == '\0';
}

static void add_quoted(struct buf *out, const char *name, const char *value, char quote)
{
    buf_addf(out, "%s=%c", name, quote);
    for (; *value; value++)
        if (*value == '\r')
            buf_adds(out, "\\r"); /* in double quotes only, where it is one character; bare ones become line feeds */
        else
            buf_addc(out, *value);
    buf_addf(out, "%c\n", quote);
}

bool dotenv_add(struct buf *out, const char *name, const char *value)
{
    bool simple = !strchr(value, '\r') && !ends_in_backslash(value);

    if (is_plain(value))
        buf_addf(out, "%s=%s\n", name, value);
    else if (simple && !strchr(value, '\''))
        add_quoted(out, name, value, '\'');
    else if (!strpbrk(value, "\"\\$`"))
        add_quoted(out, name, value, '"');
    else if (simple && !strchr(value, '`'))
        add_quoted(out, name, value, '`');
    else
        return false;
    return true;
}

/* ---- the file ---- */

static int refuse(struct error *err, int errno_value)
{
    if (errno_value == ELOOP || errno_value == EINVAL || errno_value == EFBIG) {
        error_set(err, CLASS_CONTENT_REFUSED, "dotenv-refused", "the repository's .env is %s",
                  errno_value == ELOOP    ? "a link"
                  : errno_value == EINVAL ? "not a file"
                                          : "larger than 1 MiB");
        return error_hint(err, "make it a file of its own, or leave build.dotenv out");
    }
    return error_set_errno(err, errno_value == ENOSPC ? CLASS_DISK_FULL : CLASS_INTERNAL, "dotenv-failed", errno_value,
                           "writing .env");
}

static void add_env(const struct job *job, struct buf *text)
{
    size_t i;

    if (text->len && text->data[text->len - 1] != '\n')
        buf_addc(text, '\n');
    buf_adds(text, HEAD);
    for (i = 0; i < job->spec.env.len; i++) {
        const struct spec_pair *pair = &job->spec.env.items[i];

        if (!dotenv_add(text, pair->name, pair->value))
            log_warning(job->options->log, "%s is not in .env: no quotes can hold its value", pair->name);
    }
}

/* The project's folder, or of an image the context. */
static int open_project(const struct job *job)
{
    const char *folder = job->context.folder ? job->context.folder : job->spec.source.directory;

    return fs_open_beneath(job->source_fd, folder, O_RDONLY | O_DIRECTORY, 0);
}

int job_dotenv(struct job *job, struct error *err)
{
    uid_t uid = geteuid() == 0 ? job->options->build_uid : (uid_t)-1;
    gid_t gid = geteuid() == 0 ? job->options->build_gid : (gid_t)-1;
    struct buf text;
    int project, code;

    if (!job->spec.build.dotenv || job->dotenv_written)
        return 0;
    project = open_project(job);
    if (project < 0)
        return refuse(err, -project);
    buf_init(&text, FILE_MAX);
    code = fs_read_at(project, NAME, FILE_MAX / 4, &text);
    if (code == -ENOENT)
        code = 0;
    if (code == 0) {
        add_env(job, &text);
        code = text.overflow ? -EFBIG : fs_write_at(project, NAME, text.data, text.len, 0644, uid, gid);
    }
    close(project);
    buf_dispose(&text);
    if (code)
        return refuse(err, -code);
    job->dotenv_written = true;
    log_info(job->options->log, ".env holds the %zu variables of env", job->spec.env.len);
    return 0;
}
