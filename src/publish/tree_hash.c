#include <errno.h>
#include <fcntl.h>
#include <openssl/evp.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "aws/s3_multipart.h"
#include "core/mem.h"
#include "core/redact.h"
#include "publish/tree_internal.h"

#define READ_SIZE ((size_t)256 << 10)

/* One reader serves all files: its window keeps the end of what was read before, so that a secret that lies across two
 * reads is found. */
struct reader {
    struct redactor *secrets;
    size_t overlap;
    unsigned char *window; /* overlap + READ_SIZE */
    EVP_MD_CTX *hash;
};

static void hash_begin(EVP_MD_CTX *hash)
{
    if (EVP_DigestInit_ex(hash, EVP_sha256(), NULL) != 1)
        abort();
}

static void hash_end(EVP_MD_CTX *hash, char hex[SHA256_HEX_SIZE])
{
    static const char digits[] = "0123456789abcdef";
    unsigned char sum[32];
    size_t i;

    EVP_DigestFinal_ex(hash, sum, NULL);
    for (i = 0; i < sizeof sum; i++) {
        hex[2 * i] = digits[sum[i] >> 4];
        hex[2 * i + 1] = digits[sum[i] & 15];
    }
    hex[2 * sizeof sum] = '\0';
}

static void reader_init(struct reader *reader, const struct publish_request *request)
{
    size_t i, longest;

    reader->secrets = redactor_new();
    for (i = 0; i < request->secrets.len; i++)
        redactor_add(reader->secrets, request->secrets.items[i], strlen(request->secrets.items[i]));
    longest = redactor_longest(reader->secrets);
    reader->overlap = longest ? longest - 1 : 0;
    reader->window = xmalloc(reader->overlap + READ_SIZE);
    reader->hash = EVP_MD_CTX_new();
}

static void reader_dispose(struct reader *reader)
{
    EVP_MD_CTX_free(reader->hash);
    free(reader->window);
    redactor_free(reader->secrets);
}

static int refuse_secret(const char *path, struct error *err)
{
    error_set(err, CLASS_OUTPUT_REFUSED, "secret-in-output", "%s holds the value of one of the job's secrets", path);
    return error_hint(err, "the build wrote it there: keep secrets out of what browsers get, or exclude the file");
}

/* How a file is hashed: up to TREE_LARGE as it is; a larger one part by part, because S3 wants the hash of each part and
 * a second pass over the same bytes would cost as much as sending them. Its own hash is then that over its parts'. */
static void hash_bytes(struct reader *reader, struct tree_file *file, int64_t part_size, int64_t at,
                       const unsigned char *data, size_t len)
{
    int64_t room;

    if (!file->part_sha256) {
        EVP_DigestUpdate(reader->hash, data, len);
        return;
    }
    while (len > 0) {
        room = part_size - at % part_size;
        if (room > (int64_t)len)
            room = (int64_t)len;
        if (at % part_size == 0)
            hash_begin(reader->hash);
        EVP_DigestUpdate(reader->hash, data, (size_t)room);
        at += room;
        data += room;
        len -= (size_t)room;
        if (at % part_size == 0 || at == file->content.size)
            hash_end(reader->hash, file->part_sha256[(at - 1) / part_size]);
    }
}

static void hash_whole(struct reader *reader, struct tree_file *file, int64_t parts)
{
    int64_t i;

    if (file->part_sha256) {
        hash_begin(reader->hash);
        for (i = 0; i < parts; i++)
            EVP_DigestUpdate(reader->hash, file->part_sha256[i], SHA256_HEX_SIZE - 1);
    }
    hash_end(reader->hash, file->content.sha256);
}

/* Moves on in the window, keeping what a secret may have begun in; -1 when there is a secret. */
static int search_window(struct reader *reader, const char *path, size_t *kept, struct error *err)
{
    if (reader->overlap == 0) {
        *kept = 0;
        return 0;
    }
    if (redact_finds(reader->secrets, (struct view){(const char *)reader->window, *kept}))
        return refuse_secret(path, err);
    if (*kept > reader->overlap) {
        memmove(reader->window, reader->window + *kept - reader->overlap, reader->overlap);
        *kept = reader->overlap;
    }
    return 0;
}

/* 1: it changed meanwhile. */
static int read_once(struct reader *reader, struct tree_file *file, int fd, struct error *err)
{
    int64_t at = 0, part_size = s3_part_size(file->content.size);
    size_t kept = 0;
    ssize_t got;

    hash_begin(reader->hash);
    while (at < file->content.size) { /* growth shows in the size, below */
        got = pread(fd, reader->window + kept, READ_SIZE, at);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return error_set_errno(err, CLASS_OUTPUT_REFUSED, "output-unreadable", errno, "cannot read %s", file->path);
        if (got == 0)
            break;
        if (at + got > file->content.size)
            return 1;
        hash_bytes(reader, file, part_size, at, reader->window + kept, (size_t)got);
        at += got;
        kept += (size_t)got;
        if (search_window(reader, file->path, &kept, err))
            return -1;
    }
    if (at != file->content.size)
        return 1;
    hash_whole(reader, file, s3_part_count(file->content.size, part_size));
    return tree_file_is_same(file, fd) ? 0 : 1;
}

static void make_parts(struct tree_file *file)
{
    int64_t parts = s3_part_count(file->content.size, s3_part_size(file->content.size));

    if (file->content.size >= TREE_LARGE)
        file->part_sha256 = xcalloc((size_t)parts, sizeof *file->part_sha256);
}

int tree_hash_fd(int fd, char sha256[SHA256_HEX_SIZE], struct error *err)
{
    static const struct publish_request nothing = {0};
    char name[] = "it";
    struct tree_file file = {.path = name};
    struct reader reader;
    int result;

    if (fstat(fd, &file.seen))
        return error_set_errno(err, CLASS_UPLOAD_FAILED, "read-failed", errno, "cannot look at it");
    file.content.size = file.seen.st_size;
    make_parts(&file);
    reader_init(&reader, &nothing);
    result = read_once(&reader, &file, fd, err);
    reader_dispose(&reader);
    free(file.part_sha256);
    if (result > 0)
        file.content.sha256[0] = '\0'; /* someone writes to it right now */
    memcpy(sha256, file.content.sha256, SHA256_HEX_SIZE);
    return result < 0 ? -1 : 0;
}

/* The path becomes a part of a URL. */
static int check_path(const struct reader *reader, const struct tree_file *file, struct error *err)
{
    if (!redact_finds(reader->secrets, view_of(file->path)))
        return 0;
    error_set(err, CLASS_OUTPUT_REFUSED, "secret-in-output",
              "a file's name holds the value of one of the job's secrets");
    return error_hint(err, "the build named it so: keep secrets out of what browsers get, or exclude the file");
}

static int read_file(const struct tree *tree, struct reader *reader, struct tree_file *file, struct error *err)
{
    CLEANUP_CLOSE int fd = tree_open_beneath(tree->request, tree->fd, file->path, O_RDONLY | O_NONBLOCK);
    struct stat now;
    int result, attempt;

    if (fd == -ENOENT || fd == -ELOOP)
        return tree_refuse_changed(file->path, err);
    if (fd < 0) {
        error_set_errno(err, CLASS_OUTPUT_REFUSED, "output-unreadable", -fd, "cannot open %s of the output",
                        file->path);
        return error_hint(err, "it must be readable by the build's user");
    }
    if (!tree_file_is_same(file, fd))
        return tree_refuse_changed(file->path, err);
    make_parts(file);
    for (attempt = 0;; attempt++) {
        result = read_once(reader, file, fd, err);
        if (result <= 0)
            return result;
        /* Once more, for a writer that was just about to end; it must keep its size, which the plan has counted. */
        if (attempt > 0 || fstat(fd, &now) || now.st_size != file->content.size)
            return tree_refuse_changed(file->path, err);
        file->seen = now;
    }
}

int tree_hash(struct tree *tree, int (*pause)(void *context, struct error *err), void *context, struct error *err)
{
    struct reader reader;
    size_t i;
    int result = 0;

    reader_init(&reader, tree->request);
    for (i = 0; i < tree->len && !result; i++) {
        result = check_path(&reader, &tree->files[i], err);
        if (!result)
            result = read_file(tree, &reader, &tree->files[i], err);
        if (!result && pause && i % 16 == 0)
            result = pause(context, err);
    }
    reader_dispose(&reader);
    return result;
}

void tree_digest(const struct tree *tree, char digest[72])
{
    EVP_MD_CTX *hash = EVP_MD_CTX_new();
    size_t i;

    hash_begin(hash);
    for (i = 0; i < tree->len; i++) {
        EVP_DigestUpdate(hash, tree->files[i].content.sha256, strlen(tree->files[i].content.sha256));
        EVP_DigestUpdate(hash, "  ", 2);
        EVP_DigestUpdate(hash, tree->files[i].path, strlen(tree->files[i].path));
        EVP_DigestUpdate(hash, "\n", 1);
    }
    memcpy(digest, "sha256:", 7);
    hash_end(hash, digest + 7);
    EVP_MD_CTX_free(hash);
}
