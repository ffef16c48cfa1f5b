#include "report/log_follow.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/mem.h"
#include "report/log_index.h"
#include "report/log_reader.h"

#define GROWTH_MS 200
#define WAIT_MIN_MS 1000
#define WAIT_MAX_MS 10000
#define BLOCK ((size_t)64 << 10)

/* A file that grows. */
struct tail {
    const struct log_follow *follow;
    const char *path;
    int fd;
    ino_t inode;
    off_t offset;
    struct log_filter *filter;
    struct log_lines lines;
    struct log_reader reader;
    bool ended;
};

static bool on_line(void *context, const struct log_line *line)
{
    struct tail *tail = context;

    tail->ended = tail->ended || line->last;
    return log_filter_add(tail->filter, line);
}

static bool on_text(void *context, struct view line)
{
    struct tail *tail = context;

    return log_lines_add(&tail->lines, line);
}

static void begin(struct tail *tail)
{
    log_reader_dispose(&tail->reader);
    log_reader_init(&tail->reader, LOG_IDENTITY, true, INT64_MAX, on_text, tail);
    tail->lines = (struct log_lines){.emit = on_line, .context = tail};
    tail->offset = 0;
    tail->ended = false;
}

/* All that was written so far; 1: enough. */
static int read_growth(struct tail *tail, struct error *err)
{
    char block[BLOCK];

    for (;;) {
        ssize_t got = pread(tail->fd, block, sizeof block, tail->offset);
        int status;

        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return error_set_errno(err, CLASS_PLATFORM, "not-readable", errno, "reading %.500s", tail->path);
        if (got == 0)
            return tail->ended;
        tail->offset += got;
        status = log_reader_feed(&tail->reader, (struct view){block, (size_t)got}, err);
        if (status)
            return status;
    }
}

/* Another file of the name, or the same cut to nothing: it begins again. False: there is none. */
static bool open_newest(struct tail *tail)
{
    struct stat status;

    if (stat(tail->path, &status) != 0)
        return tail->fd >= 0;
    if (tail->fd >= 0 && status.st_ino == tail->inode) {
        if (status.st_size < tail->offset) {
            tail->follow->say(tail->follow->context, "the file was cut: it is read from its beginning");
            begin(tail);
        }
        return true;
    }
    if (!S_ISREG(status.st_mode))
        return false;
    if (tail->fd >= 0) {
        close(tail->fd);
        tail->follow->say(tail->follow->context, "the file was replaced: the new one is read from its beginning");
    }
    tail->fd = open(tail->path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    tail->inode = status.st_ino;
    begin(tail);
    return tail->fd >= 0;
}

static int follow_file(const struct log_follow *follow, const char *path, struct error *err)
{
    struct loop *loop = http_client_loop(follow->access->client);
    struct tail tail = {.follow = follow, .path = path, .fd = -1, .filter = log_filter_new(follow->query)};
    bool waits = false;
    int status = 0;

    begin(&tail);
    while (status == 0) {
        if (open_newest(&tail)) {
            status = read_growth(&tail, err);
            /* a tail is of what stands there at the beginning */
            log_filter_flush(tail.filter);
            follow->flush(follow->context);
        } else if (!waits) {
            follow->say(follow->context, "it is not there yet: waiting for it");
            waits = true;
        }
        if (status == 0)
            loop_sleep(loop, GROWTH_MS, NULL);
    }
    if (status > 0)
        status = log_filter_check(tail.filter, err);
    if (tail.fd >= 0)
        close(tail.fd);
    log_reader_dispose(&tail.reader);
    log_filter_free(tail.filter);
    return status;
}

/* The index comes last: with it the log is whole. */
static int await_index(const struct log_follow *follow, const struct log_source *source, struct error *err)
{
    struct loop *loop = http_client_loop(follow->access->client);
    int64_t wait_ms = WAIT_MIN_MS;
    bool said = false, refused;
    int status;

    for (;;) {
        status = log_index_exists(follow->access, source, &refused, err);
        if (status > 0)
            return 0;
        if (status < 0 && !err->retryable)
            return -1;
        if (!said)
            follow->say(follow->context,
                        refused
                            ? "reading it is refused, as S3 does of what is not there yet: waiting for the job's end"
                            : "it is not stored yet: waiting for the job's end");
        said = true;
        loop_sleep(loop, wait_ms, NULL);
        wait_ms = wait_ms * 3 / 2 < WAIT_MAX_MS ? wait_ms * 3 / 2 : WAIT_MAX_MS;
    }
}

int log_follow(const struct log_follow *follow, const char *name, struct error *err)
{
    CLEANUP_FREE char *note = NULL;
    struct log_source *source;
    const char *path;
    bool refused;
    int status = 0;

    if (log_source_open(&source, follow->access, name, err))
        return -1;
    path = log_source_path(source);
    if (path && log_encoding_of(path) == LOG_IDENTITY && log_index_exists(follow->access, source, &refused, err) != 1) {
        status = follow_file(follow, path, err);
    } else {
        CLEANUP_FREE char *beside = log_source_beside(source, LOG_INDEX_SUFFIX);

        /* a signed URL is of what is there already */
        status = beside ? await_index(follow, source, err) : 0;
        if (status == 0)
            status = log_query_run(follow->query, follow->access, source, &note, err);
        if (note)
            follow->say(follow->context, note);
    }
    log_source_free(source);
    return status;
}
