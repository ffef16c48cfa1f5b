#include "support/publish_bed.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/fs.h"
#include "core/mem.h"

void publish_bed_init(struct publish_bed *bed)
{
    memset(bed, 0, sizeof *bed);
    if (fs_make_temp("/tmp", "caisson-publish-", &bed->folder))
        abort();
    bed->loop = loop_new();
}

bool publish_bed_s3(struct publish_bed *bed)
{
    bed->has_server = versitygw_start(&bed->server);
    return bed->has_server;
}

void publish_bed_dispose(struct publish_bed *bed)
{
    publish_result_dispose(&bed->result);
    strings_dispose(&bed->said);
    loop_free(bed->loop);
    if (bed->has_server)
        versitygw_stop(&bed->server);
    fs_remove_tree(bed->folder);
    free(bed->folder);
}

static void write_bytes(const char *whole, const void *data, size_t len)
{
    CLEANUP_FREE char *parent = xstrdup(whole);
    FILE *file;

    *strrchr(parent, '/') = '\0';
    if (fs_make_folders(parent, 0755))
        abort();
    file = fopen(whole, "we");
    if (!file || fwrite(data, 1, len, file) != len || fclose(file)) {
        perror(whole);
        abort();
    }
}

void bed_write(const struct publish_bed *bed, const char *path, const char *text)
{
    CLEANUP_FREE char *whole = xasprintf("%s/%s", bed->folder, path);

    write_bytes(whole, text, strlen(text));
}

void bed_write_size(const struct publish_bed *bed, const char *path, size_t size, int seed)
{
    CLEANUP_FREE char *whole = xasprintf("%s/%s", bed->folder, path);
    CLEANUP_FREE unsigned char *data = xmalloc(size + 1);
    unsigned value = (unsigned)seed * 2654435761U + 1;
    size_t i;

    for (i = 0; i < size; i++) {
        value = value * 1664525U + 1013904223U;
        data[i] = (unsigned char)(value >> 24);
    }
    write_bytes(whole, data, size);
}

void bed_remove(const struct publish_bed *bed, const char *path)
{
    CLEANUP_FREE char *whole = xasprintf("%s/%s", bed->folder, path);

    fs_remove_tree(whole);
}

static char *read_whole(const char *path)
{
    struct buf text;
    char *result;

    buf_init(&text, (size_t)64 << 20);
    fs_read_file(path, (size_t)64 << 20, &text);
    buf_adds(&text, "");
    result = text.data ? buf_take(&text) : xstrdup("");
    buf_dispose(&text);
    return result;
}

char *bed_read(const struct publish_bed *bed, const char *path)
{
    CLEANUP_FREE char *whole = xasprintf("%s/%s", bed->folder, path);

    return read_whole(whole);
}

bool bed_exists(const struct publish_bed *bed, const char *path)
{
    CLEANUP_FREE char *whole = xasprintf("%s/%s", bed->folder, path);
    struct stat st;

    return lstat(whole, &st) == 0;
}

static void list(const char *root, const char *below, struct strings *lines)
{
    CLEANUP_FREE char *folder = xasprintf("%s/%s", root, below);
    DIR *listing = opendir(folder);
    struct dirent *entry;
    struct stat st;

    while (listing && (entry = readdir(listing))) {
        CLEANUP_FREE char *path = xasprintf("%s%s%s", below, below[0] ? "/" : "", entry->d_name);
        CLEANUP_FREE char *whole = xasprintf("%s/%s", root, path);

        if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0 || lstat(whole, &st))
            continue;
        if (S_ISDIR(st.st_mode)) {
            list(root, path, lines);
        } else {
            CLEANUP_FREE char *text = read_whole(whole);

            strings_addf(lines, "%s=%s\n", path, text);
        }
    }
    if (listing)
        closedir(listing);
}

static char *tree_text(const char *root)
{
    struct strings lines = {0};
    struct buf text;
    char *result;
    size_t i;

    list(root, "", &lines);
    strings_sort(&lines);
    buf_init(&text, (size_t)64 << 20);
    buf_adds(&text, "\n");
    for (i = 0; i < lines.len; i++)
        buf_adds(&text, lines.items[i]);
    strings_dispose(&lines);
    result = buf_take(&text);
    buf_dispose(&text);
    return result;
}

char *bed_tree(const struct publish_bed *bed, const char *path)
{
    CLEANUP_FREE char *root = xasprintf("%s/%s", bed->folder, path);

    return tree_text(root);
}

char *bed_object_path(const struct publish_bed *bed, const char *key)
{
    return xasprintf("%s/data/%s/%s", bed->server.folder, VERSITYGW_BUCKET, key);
}

char *bed_objects(const struct publish_bed *bed, const char *prefix)
{
    CLEANUP_FREE char *root = bed_object_path(bed, prefix);

    return tree_text(root);
}

void bed_request(const struct publish_bed *bed, struct publish_request *request, const char *job, int64_t created_at_ms,
                 enum publish_mode mode)
{
    publish_request_init(request);
    request->root = xstrdup(bed->folder);
    request->from = xasprintf("%s/site", bed->folder);
    request->to = xasprintf("file:%s/www/site", bed->folder);
    request->mode = mode;
    request->job_id = xstrdup(job);
    request->created_at_ms = created_at_ms;
}

void bed_request_s3(const struct publish_bed *bed, struct publish_request *request, const char *prefix, const char *job,
                    int64_t created_at_ms, enum publish_mode mode)
{
    bed_request(bed, request, job, created_at_ms, mode);
    free(request->to);
    request->to = xasprintf("s3://%s/%s", VERSITYGW_BUCKET, prefix);
    request->endpoint = xstrdup(bed->server.endpoint ? bed->server.endpoint : "http://127.0.0.1:1");
    request->region = xstrdup(VERSITYGW_REGION);
    request->path_style = true;
    request->credentials.kind = CREDENTIALS_STATIC;
    request->credentials.fixed.access_key = secret_dup(VERSITYGW_ACCESS);
    request->credentials.fixed.secret_key = secret_dup(VERSITYGW_SECRET);
}

static void on_text(void *context, const char *text)
{
    strings_add(&((struct publish_bed *)context)->said, text);
}

static void on_progress(void *context, const char *text)
{
    (void)text;
    ((struct publish_bed *)context)->progress++;
}

static void on_committing(void *context)
{
    struct publish_bed *bed = context;

    bed->committing++;
    if (bed->stop_at_committing)
        *bed->stop_at_committing = true;
}

const char *bed_publish(struct publish_bed *bed, struct publish_request *request)
{
    const struct publish_reporter reporter = {
        .info = on_text, .warning = on_text, .progress = on_progress, .committing = on_committing, .context = bed};
    int result;

    publish_result_dispose(&bed->result);
    strings_dispose(&bed->said);
    memset(&bed->error, 0, sizeof bed->error);
    bed->committing = bed->progress = 0;
    result = publish(bed->loop, request, &reporter, &bed->stop, &bed->result, &bed->error);
    publish_request_dispose(request);
    if (result && !bed->error.reason[0])
        abort(); /* a failure without a reason */
    return result ? bed->error.reason : "";
}
