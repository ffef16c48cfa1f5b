#include "core/fs.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/mem.h"

#define LINKS_MAX 40

struct resolution {
    struct buf done; /* free of links, "" at first */
    char *pending;   /* what is still to be walked */
    int links;
};

/* Forgets the last part of what is done. */
static int go_up(struct buf *done)
{
    const char *slash;

    if (!done->len)
        return -EXDEV;
    slash = strrchr(done->data, '/');
    done->len = slash ? (size_t)(slash - done->data) : 0;
    done->data[done->len] = '\0';
    return 0;
}

/* Takes the first part off what is pending. Caller frees. */
static char *take_part(struct resolution *r)
{
    size_t len = strcspn(r->pending, "/");
    size_t past = len + (r->pending[len] == '/');
    char *part = xstrndup(r->pending, len);

    memmove(r->pending, r->pending + past, strlen(r->pending + past) + 1);
    return part;
}

/* The text of a link takes its place before what is pending. */
static int splice_link(struct resolution *r, int link_fd)
{
    char target[PATH_MAX];
    ssize_t len = readlinkat(link_fd, "", target, sizeof target);
    char *pending;

    if (len < 0)
        return -errno;
    if (++r->links > LINKS_MAX)
        return -ELOOP;
    if ((size_t)len == sizeof target || strlen(r->pending) >= PATH_MAX)
        return -ENAMETOOLONG;
    if (len == 0 || target[0] == '/')
        return -EXDEV;
    pending = xasprintf("%.*s/%s", (int)len, target, r->pending);
    free(r->pending);
    r->pending = pending;
    return go_up(&r->done);
}

static int walk(struct resolution *r, int folder_fd)
{
    CLEANUP_FREE char *part = take_part(r);
    CLEANUP_CLOSE int fd = -1;
    struct stat st;

    if (!*part || strcmp(part, ".") == 0)
        return 0;
    if (strcmp(part, "..") == 0)
        return go_up(&r->done);
    if (buf_addf(&r->done, "%s%s", r->done.len ? "/" : "", part))
        return -ENAMETOOLONG;
    fd = fs_open_beneath(folder_fd, r->done.data, O_PATH | O_NOFOLLOW, 0);
    if (fd < 0)
        return fd;
    if (fstat(fd, &st) != 0)
        return -errno;
    if (S_ISLNK(st.st_mode))
        return splice_link(r, fd);
    return *r->pending && !S_ISDIR(st.st_mode) ? -ENOTDIR : 0;
}

int fs_resolve_beneath(int folder_fd, const char *path, char **resolved)
{
    struct resolution r = {.links = 0};
    int status = 0;

    if (path[0] == '/')
        return -EXDEV;
    if (strlen(path) >= PATH_MAX)
        return -ENAMETOOLONG;
    buf_init(&r.done, PATH_MAX - 1);
    r.pending = xstrdup(path);
    while (status == 0 && *r.pending)
        status = walk(&r, folder_fd);
    if (status == 0)
        *resolved = xstrdup(r.done.len ? buf_text(&r.done) : ".");
    free(r.pending);
    buf_dispose(&r.done);
    return status;
}
