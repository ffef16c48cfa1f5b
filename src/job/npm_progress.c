#include "job/npm_progress.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/fs.h"
#include "core/mem.h"

#define LOOK_MS 1000
#define LOGS "home/.npm/_logs" /* beneath the workspace; where a project moves npm's cache, nothing is told */
#define LOG_ENDING "-debug-0.log"
/* "38 http fetch GET 200 https://host/is-odd/-/is-odd-3.0.1.tgz 915ms (cache miss)" */
#define FETCHED "http fetch GET 200 "
#define PACKAGE ".tgz"
/* Of one look: the log of a large install is a few MiB. */
#define READ_MAX ((size_t)1024 * 1024)
/* npm keeps ten. */
#define ENTRIES_MAX 100

struct npm_progress {
    struct job *job;
    struct loop_timer *timer;
    char *name; /* of the log that is read; NULL: none yet */
    char *old;  /* the newest before the install began */
    int fd;
    struct npm_log log;
    unsigned told;
};

/* ---- what it says ---- */

static void judge(struct npm_log *npm)
{
    const char *text = npm->line, *url;
    size_t len;

    npm->line[npm->len < sizeof npm->line ? npm->len : sizeof npm->line - 1] = '\0';
    npm->len = 0;
    text += strspn(text, "0123456789 "); /* each line has its number */
    if (strncmp(text, FETCHED, strlen(FETCHED)) != 0)
        return;
    url = text + strlen(FETCHED);
    len = strcspn(url, " ?");
    if (len > strlen(PACKAGE) && strncmp(url + len - strlen(PACKAGE), PACKAGE, strlen(PACKAGE)) == 0)
        npm->fetched++;
}

void npm_log_feed(struct npm_log *npm, struct view bytes)
{
    size_t i;

    for (i = 0; i < bytes.len; i++) {
        if (bytes.data[i] == '\n')
            judge(npm);
        else if (npm->len++ < sizeof npm->line - 1)
            npm->line[npm->len - 1] = bytes.data[i];
    }
}

/* ---- the file ---- */

/* npm names its logs by the time, so that the newest is the last by name. Caller frees with free; NULL: there is none. */
static char *newest(int workspace_fd)
{
    int fd = fs_open_beneath(workspace_fd, LOGS, O_RDONLY | O_DIRECTORY, 0), entries = 0;
    DIR *folder = fd < 0 ? NULL : fdopendir(fd);
    const struct dirent *entry;
    char *name = NULL;

    while (folder && entries++ < ENTRIES_MAX && (entry = readdir(folder))) {
        size_t len = strlen(entry->d_name), ending = strlen(LOG_ENDING);

        if (len <= ending || strcmp(entry->d_name + len - ending, LOG_ENDING) != 0 ||
            (name && strcmp(entry->d_name, name) <= 0))
            continue;
        free(name);
        name = xstrdup(entry->d_name);
    }
    if (folder)
        closedir(folder);
    else if (fd >= 0)
        close(fd);
    return name;
}

static void leave(struct npm_progress *progress)
{
    if (progress->fd >= 0)
        close(progress->fd);
    progress->fd = -1;
    free(progress->name);
    progress->name = NULL;
    progress->log = (struct npm_log){0};
    progress->told = 0;
}

/* Takes the name. */
static void follow(struct npm_progress *progress, char *name)
{
    CLEANUP_FREE char *path = xasprintf("%s/%s", LOGS, name);
    struct stat status;

    leave(progress);
    progress->name = name;
    progress->fd = fs_open_beneath(progress->job->workspace_fd, path, O_RDONLY | O_NONBLOCK, 0);
    if (progress->fd >= 0 && (fstat(progress->fd, &status) || !S_ISREG(status.st_mode))) {
        close(progress->fd);
        progress->fd = -1;
    }
}

/* A command may call npm more than once: the newest log is the one that grows. */
static void find(struct npm_progress *progress)
{
    char *name = newest(progress->job->workspace_fd);

    if (name && (!progress->old || strcmp(name, progress->old) > 0) &&
        (!progress->name || strcmp(name, progress->name) > 0))
        follow(progress, name);
    else
        free(name);
}

static void read_more(struct npm_progress *progress)
{
    static const size_t piece = 16384;
    CLEANUP_FREE char *data = xmalloc(piece);
    size_t total = 0;
    ssize_t len = 1;

    while (progress->fd >= 0 && len > 0 && total < READ_MAX) {
        len = read(progress->fd, data, piece);
        if (len > 0)
            npm_log_feed(&progress->log, (struct view){data, (size_t)len});
        total += len > 0 ? (size_t)len : 0;
    }
}

static void look(struct npm_progress *progress)
{
    find(progress);
    read_more(progress);
    if (progress->log.fetched == progress->told)
        return;
    progress->told = progress->log.fetched;
    log_progress(progress->job->options->log, "%u package%s fetched", progress->told, progress->told == 1 ? "" : "s");
}

static void on_time(void *context)
{
    struct npm_progress *progress = context;

    progress->timer = loop_timer_start(progress->job->options->loop, LOOK_MS, on_time, progress);
    look(progress);
}

struct npm_progress *npm_progress_start(struct job *job)
{
    struct npm_progress *progress = xcalloc(1, sizeof *progress);

    progress->job = job;
    progress->fd = -1;
    progress->old = newest(job->workspace_fd);
    progress->timer = loop_timer_start(job->options->loop, LOOK_MS, on_time, progress);
    return progress;
}

void npm_progress_stop(struct npm_progress *progress)
{
    loop_timer_stop(progress->timer);
    look(progress); /* a short one is told once, and a long one its end */
    leave(progress);
    free(progress->old);
    free(progress);
}
