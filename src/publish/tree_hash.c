#include <errno.h>
#include <fcntl.h>
#include <openssl/evp.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "aws/s3_multipart.h"
#include "core/mem.h"
#include "core/protection.h"
#include "publish/secret_search.h"
#include "publish/tree_internal.h"
#include "publish/unpack.h"

#define READ_SIZE ((size_t)256 << 10)
/* What may come out of all compressed files together. */
#define UNPACKED_MAX ((int64_t)16 << 30)
#define WARNINGS_MAX 10

/* One reader serves all files. Each is read once, for its hash and for the search, and unpacked on the way. */
struct reader {
    struct redactor *secrets;
    struct secret_search plain, unpacked;
    struct unpack *unpack; /* of the file that is being read; NULL: it is not compressed, or damaged */
    enum unpack_status unpack_status;
    const char *found; /* name of a secret in what was unpacked */
    int64_t unpack_budget;
    EVP_MD_CTX *hash;
    struct strings *warnings; /* NULL: none are kept */
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

static void add_secrets(struct reader *reader, const struct publish_request *request)
{
    const struct strings *names = &request->secret_names;
    size_t i;

    for (i = 0; i < request->secrets.len; i++)
        redactor_add_named(reader->secrets, i < names->len ? names->items[i] : "", request->secrets.items[i],
                           strlen(request->secrets.items[i]));
}

static void reader_init(struct reader *reader, const struct publish_request *request, const struct tree *tree)
{
    size_t i;

    *reader = (struct reader){.secrets = redactor_new(), .unpack_budget = UNPACKED_MAX, .hash = EVP_MD_CTX_new()};
    if (tree && PROTECTED(OUTPUT_SCAN)) {
        add_secrets(reader, request);
        for (i = 0; i < tree->credentials.len; i++)
            redactor_add_named(reader->secrets, "AWS credentials", tree->credentials.items[i],
                               strlen(tree->credentials.items[i]));
    }
    secret_search_init(&reader->plain, reader->secrets, READ_SIZE);
    secret_search_init(&reader->unpacked, reader->secrets, UNPACK_ROOM);
}

static void reader_dispose(struct reader *reader)
{
    EVP_MD_CTX_free(reader->hash);
    unpack_free(reader->unpack);
    secret_search_dispose(&reader->plain);
    secret_search_dispose(&reader->unpacked);
    redactor_free(reader->secrets);
}

static int refuse_secret(const char *path, const char *where, const char *name, struct error *err)
{
    error_set(err, CLASS_OUTPUT_REFUSED, "secret-in-output", "%s%s holds the value of one of the job's secrets%s%s",
              path, where, *name ? ": " : "", name);
    return error_hint(err, "the build wrote it there: keep secrets out of what browsers get, exclude the file, or set "
                           "`public: true` on a secret that is meant to be seen");
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

static unsigned char *place_unpacked(void *context)
{
    const struct reader *reader = context;

    return secret_search_place(&reader->unpacked);
}

static bool take_unpacked(void *context, size_t len)
{
    struct reader *reader = context;

    reader->found = secret_search_look(&reader->unpacked, len);
    return reader->found != NULL;
}

static void begin_search(struct reader *reader, const char *path, struct view begin)
{
    const struct unpack_consumer consumer = {place_unpacked, take_unpacked, reader};
    enum unpack_format format = unpack_format_of(path, begin);

    if (format == UNPACK_NONE || redactor_longest(reader->secrets) == 0)
        return;
    secret_search_restart(&reader->unpacked);
    reader->unpack_status = UNPACK_MORE;
    reader->unpack = unpack_new(format, &consumer, &reader->unpack_budget);
}

static void warn_of_damaged(const struct reader *reader, const char *path)
{
    if (reader->warnings && reader->warnings->len < WARNINGS_MAX)
        strings_addf(reader->warnings, "%.300s is not the compressed file that it seems: searched for secrets as it is",
                     path);
}

static void end_unpacking(struct reader *reader)
{
    unpack_free(reader->unpack);
    reader->unpack = NULL;
}

/* Searches what was read at secret_search_place(&reader->plain). */
static int search(struct reader *reader, const char *path, size_t len, struct error *err)
{
    const char *place = (const char *)secret_search_place(&reader->plain);
    const char *found;

    if (reader->unpack) {
        reader->unpack_status = unpack_feed(reader->unpack, (struct view){place, len});
        if (reader->unpack_status == UNPACK_STOPPED)
            return refuse_secret(path, ", unpacked,", reader->found, err);
        if (reader->unpack_status == UNPACK_TOO_FAR) {
            error_set(err, CLASS_OUTPUT_REFUSED, "unpacks-too-far",
                      "%s unpacks to more than can be searched for secrets", path);
            return error_hint(err, "exclude the file, or publish it without compressing it");
        }
        if (reader->unpack_status == UNPACK_DAMAGED) {
            warn_of_damaged(reader, path);
            end_unpacking(reader);
        }
    }
    found = secret_search_look(&reader->plain, len);
    return found ? refuse_secret(path, "", found, err) : 0;
}

static void end_search(struct reader *reader, const char *path)
{
    if (reader->unpack && reader->unpack_status == UNPACK_MORE)
        warn_of_damaged(reader, path);
    end_unpacking(reader);
}

/* 1: it changed meanwhile. */
static int read_all(struct reader *reader, struct tree_file *file, int fd, struct error *err)
{
    int64_t at = 0, part_size = s3_part_size(file->content.size);
    ssize_t got;

    for (;;) {
        unsigned char *place = secret_search_place(&reader->plain);

        got = pread(fd, place, READ_SIZE, at);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return error_set_errno(err, CLASS_OUTPUT_REFUSED, "output-unreadable", errno, "cannot read %s", file->path);
        if (got == 0)
            return at != file->content.size;
        if (at + got > file->content.size)
            return 1;
        hash_bytes(reader, file, part_size, at, place, (size_t)got);
        if (at == 0)
            begin_search(reader, file->path, (struct view){(const char *)place, (size_t)got});
        at += got;
        if (search(reader, file->path, (size_t)got, err))
            return -1;
    }
}

static int read_once(struct reader *reader, struct tree_file *file, int fd, struct error *err)
{
    int result;

    hash_begin(reader->hash);
    secret_search_restart(&reader->plain);
    end_unpacking(reader);
    result = read_all(reader, file, fd, err);
    if (result)
        return result;
    hash_whole(reader, file, s3_part_count(file->content.size, s3_part_size(file->content.size)));
    if (!tree_file_is_same(file, fd))
        return 1;
    end_search(reader, file->path);
    return 0;
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
    reader_init(&reader, &nothing, NULL);
    result = read_once(&reader, &file, fd, err);
    reader_dispose(&reader);
    free(file.part_sha256);
    if (result > 0)
        file.content.sha256[0] = '\0'; /* someone writes to it right now */
    memcpy(sha256, file.content.sha256, SHA256_HEX_SIZE);
    return result < 0 ? -1 : 0;
}

/* The path becomes a part of a URL. It is not said: it is the secret. */
static int check_path(const struct reader *reader, const struct tree_file *file, struct error *err)
{
    const char *name = redact_find(reader->secrets, view_of(file->path));

    return name ? refuse_secret("a file's name", "", name, err) : 0;
}

static int read_file(const struct tree *tree, struct reader *reader, struct tree_file *file, struct error *err)
{
    CLEANUP_CLOSE int fd = tree_open_beneath(tree->request, tree->fd, file->path, O_RDONLY | O_NONBLOCK);
    struct stat now;
    int result, attempt;

    if (fd == -ENOENT || fd == -ELOOP)
        return tree_refuse_changed(file->path, err);
    if (fd < 0)
        return tree_refuse_unreadable(tree->request, file->path, -fd, err);
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

    reader_init(&reader, tree->request, tree);
    reader.warnings = &tree->warnings;
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
