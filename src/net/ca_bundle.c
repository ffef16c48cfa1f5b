#include "net/ca_bundle.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "core/fs.h"
#include "core/mem.h"
#include "net/http.h"

#define BUNDLE_MAX ((size_t)4 << 20)
#define NOWHERE "/proc/self/nowhere" /* where no process can make anything */

struct bundle {
    char *name, *held;
    int fd; /* -1: there is no memory for it */
};

struct ca_bundles {
    struct bundle *items;
    size_t len;
};

void ca_bundles_free(struct ca_bundles *bundles)
{
    size_t i;

    for (i = 0; bundles && i < bundles->len; i++) {
        if (bundles->items[i].fd >= 0)
            close(bundles->items[i].fd);
        free(bundles->items[i].name);
        free(bundles->items[i].held);
    }
    free(bundles ? bundles->items : NULL);
    free(bundles);
}

/* Nobody writes to it any more, whoever comes by another descriptor of it. */
static int copy(struct view text)
{
    int fd = memfd_create("caisson-ca", MFD_CLOEXEC | MFD_ALLOW_SEALING);

    if (fd < 0)
        return -1;
    if (fs_write_all(fd, text.data, text.len) == 0 &&
        fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL) == 0)
        return fd;
    close(fd);
    return -1;
}

static void hold(struct bundle *bundle, const char *path)
{
    CLEANUP_FREE char *held = NULL;
    struct buf text;
    int code;

    *bundle = (struct bundle){.name = xstrdup(path), .fd = -1};
    buf_init(&text, BUNDLE_MAX);
    code = fs_read_file(path, BUNDLE_MAX, &text);
    if (code == 0)
        bundle->fd = copy((struct view){buf_text(&text), text.len});
    buf_dispose(&text);
    held = xasprintf("/proc/self/fd/%d", bundle->fd);
    if (bundle->fd >= 0 && access(held, R_OK) == 0)
        bundle->held = xstrdup(held);
    else if (code == 0) /* a machine without /proc, or without files in memory */
        bundle->held = xstrdup(path);
    else
        bundle->held = xasprintf(NOWHERE "%s%s", *path == '/' ? "" : "/", path);
}

const char *ca_bundle_lacking(const char *held)
{
    return held && strncmp(held, NOWHERE, strlen(NOWHERE)) == 0 ? held + strlen(NOWHERE) : NULL;
}

static const char *first_place(void)
{
    size_t i;

    for (i = 0; http_ca_places[i]; i++)
        if (access(http_ca_places[i], R_OK) == 0)
            return http_ca_places[i];
    return NULL;
}

const char *ca_bundle_hold(struct loop *loop, const char *path)
{
    struct ca_bundles **at = loop_ca_bundles(loop), *bundles = *at;
    size_t i;

    if (!path)
        path = first_place();
    if (!path)
        return NULL;
    if (!bundles)
        bundles = *at = xcalloc(1, sizeof *bundles);
    for (i = 0; i < bundles->len; i++)
        if (strcmp(bundles->items[i].name, path) == 0 || strcmp(bundles->items[i].held, path) == 0)
            return bundles->items[i].held;
    bundles->items = xrealloc(bundles->items, bundles->len + 1, sizeof *bundles->items);
    hold(&bundles->items[bundles->len], path);
    return bundles->items[bundles->len++].held;
}
