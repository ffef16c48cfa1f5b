/* A verified image put into a layout folder of ours. */
#include <errno.h>
#include <fcntl.h>
#include <openssl/evp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/fs.h"
#include "core/json.h"
#include "core/mem.h"
#include "oci/layout_internal.h"

#define COPY_SIZE ((size_t)256 << 10)
#define OWN_INDEX_MAX ((size_t)4 << 20)

static const char version_text[] = "{\"imageLayoutVersion\":\"1.0.0\"}";

struct saving {
    const struct oci_image *image;
    const char *folder;
    int fd, blobs_fd;
};

static int trouble(const struct saving *saving, int error_number, const char *what, struct error *err)
{
    error_set_errno(err, CLASS_UPLOAD_FAILED, "layout-unwritable", error_number, "%s in the layout %s", what,
                    saving->folder);
    return error_number == ENOSPC ? error_hint(err, "make room there") : -1;
}

/* ---- its folders ---- */

static int open_folder(int parent, const char *name)
{
    if (mkdirat(parent, name, 0755) && errno != EEXIST)
        return -errno;
    return fs_open_beneath(parent, name, O_RDONLY | O_DIRECTORY, 0);
}

/* A folder that is something else already is not made a layout of. */
static int check_ours(const struct saving *saving, struct error *err)
{
    struct stat st;

    if (fstatat(saving->fd, OCI_VERSION_FILE, &st, AT_SYMLINK_NOFOLLOW) == 0 ||
        fstatat(saving->fd, OCI_INDEX_FILE, &st, AT_SYMLINK_NOFOLLOW) != 0)
        return 0;
    error_set(err, CLASS_UPLOAD_FAILED, "not-a-layout", "%s holds an index.json and is no image layout",
              saving->folder);
    return error_hint(err, "name a folder that is empty, or a layout already");
}

static int open_folders(struct saving *saving, struct error *err)
{
    CLEANUP_CLOSE int blobs = -1;
    int code = fs_make_folders(saving->folder, 0755);

    if (code)
        return trouble(saving, -code, "cannot make the folder", err);
    saving->fd = open(saving->folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (saving->fd < 0)
        return trouble(saving, errno, "cannot open the folder", err);
    /* Two jobs that save at once: one index.json must not forget the other's image. */
    while (flock(saving->fd, LOCK_EX))
        if (errno != EINTR)
            return trouble(saving, errno, "cannot lock the folder", err);
    if (check_ours(saving, err))
        return -1;
    blobs = open_folder(saving->fd, "blobs");
    if (blobs < 0)
        return trouble(saving, -blobs, "cannot make blobs", err);
    saving->blobs_fd = open_folder(blobs, "sha256");
    if (saving->blobs_fd < 0)
        return trouble(saving, -saving->blobs_fd, "cannot make blobs/sha256", err);
    return 0;
}

/* ---- blobs ---- */

static bool is_there(const struct saving *saving, const char *digest, int64_t size)
{
    CLEANUP_CLOSE int fd = fs_open_beneath(saving->blobs_fd, digest + 7, O_RDONLY | O_NONBLOCK, 0);
    char found[OCI_DIGEST_SIZE];
    struct stat st;

    return fd >= 0 && fstat(fd, &st) == 0 && S_ISREG(st.st_mode) && st.st_size == size &&
           oci_digest_file(fd, size, NULL, NULL, found) == 0 && strcmp(found, digest) == 0;
}

/* What is read is what is hashed and what is written: 0, 1 when it is not what it should be, or -errno of the folder. */
static int copy_bytes(const struct oci_blob *blob, int to, EVP_MD_CTX *hash, char *buffer, unsigned char sum[32])
{
    int64_t at = 0;
    int code;

    for (;;) {
        ssize_t got = pread(blob->fd, buffer, COPY_SIZE, (off_t)at);

        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return 1;
        if (got == 0)
            break;
        at += got;
        if (at > blob->size)
            return 1;
        EVP_DigestUpdate(hash, buffer, (size_t)got);
        code = fs_write_all(to, buffer, (size_t)got);
        if (code)
            return code;
    }
    EVP_DigestFinal_ex(hash, sum, NULL);
    return at != blob->size;
}

static int copy_hashed(const struct oci_blob *blob, int to)
{
    EVP_MD_CTX *hash = EVP_MD_CTX_new();
    char *buffer = xmalloc(COPY_SIZE);
    unsigned char sum[32];
    char digest[OCI_DIGEST_SIZE];
    int code;

    if (!hash || !EVP_DigestInit_ex(hash, EVP_sha256(), NULL))
        abort();
    code = copy_bytes(blob, to, hash, buffer, sum);
    if (!code) {
        oci_digest_text(sum, digest);
        code = strcmp(digest, blob->digest) != 0;
    }
    free(buffer);
    EVP_MD_CTX_free(hash);
    return code;
}

static int save_blob(const struct saving *saving, const struct oci_blob *blob, struct error *err)
{
    const char *name = blob->digest + 7;
    CLEANUP_FREE char *temporary = xasprintf(".%s.tmp", name);
    int code, fd;

    if (is_there(saving, blob->digest, blob->size))
        return 0;
    /* We hold the lock: what bears this name is what a job left that was killed. */
    unlinkat(saving->blobs_fd, temporary, 0);
    fd = openat(saving->blobs_fd, temporary, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0644);
    if (fd < 0)
        return trouble(saving, errno, "cannot write a blob", err);
    code = copy_hashed(blob, fd);
    if (close(fd) && !code)
        code = -errno;
    if (!code && renameat(saving->blobs_fd, temporary, saving->blobs_fd, name))
        code = -errno;
    if (code)
        unlinkat(saving->blobs_fd, temporary, 0);
    if (code > 0)
        return error_set(err, CLASS_OUTPUT_REFUSED, "blob-changed",
                         "%s of the image's layout changed after it was hashed", blob->digest);
    return code ? trouble(saving, -code, "cannot write a blob", err) : 0;
}

static int write_small(const struct saving *saving, int folder_fd, const char *name, const void *data, size_t len,
                       struct error *err)
{
    int code = fs_write_at(folder_fd, name, data, len, 0644, (uid_t)-1, (gid_t)-1);

    return code ? trouble(saving, -code, "cannot write", err) : 0;
}

/* ---- index.json ---- */

static json_t *descriptor(const struct oci_image *image, const char *tag)
{
    json_t *entry = json_object(), *annotations = json_object();

    json_put_text(entry, "mediaType", image->media_type);
    json_put_text(entry, "digest", image->digest);
    json_object_set_new(entry, "size", json_integer((json_int_t)image->manifest.len));
    json_put_text(annotations, OCI_REF_NAME, tag);
    json_object_set_new(entry, "annotations", annotations);
    return entry;
}

/* The entries that are there, without those whose names are now ours. */
static void keep_others(const json_t *index, const struct strings *tags, json_t *manifests)
{
    json_t *entry;
    size_t i;

    json_array_foreach(json_object_get(index, "manifests"), i, entry)
    {
        const char *name = json_text(json_object_get(entry, "annotations"), OCI_REF_NAME, NULL);

        if (json_is_object(entry) && !(name && strings_has(tags, name)))
            json_array_append(manifests, entry);
    }
}

static int read_index(const struct saving *saving, json_t **index, struct error *err)
{
    struct buf text;
    int code;

    *index = NULL;
    buf_init(&text, OWN_INDEX_MAX);
    code = fs_read_at(saving->fd, OCI_INDEX_FILE, OWN_INDEX_MAX, &text);
    if (code == 0)
        *index = json_parse(text.data, text.len, CLASS_UPLOAD_FAILED, OCI_INDEX_FILE, err);
    buf_dispose(&text);
    if (code && code != -ENOENT)
        return trouble(saving, -code, "cannot read index.json", err);
    return code == 0 && !*index ? error_context(err, "the layout %s", saving->folder) : 0;
}

static int write_index(const struct saving *saving, const struct strings *tags, struct error *err)
{
    CLEANUP_JSON json_t *old = NULL, *index = json_object();
    CLEANUP_FREE char *text = NULL;
    json_t *manifests = json_array();
    size_t i;

    if (read_index(saving, &old, err)) {
        json_decref(manifests);
        return -1;
    }
    json_object_set_new(index, "schemaVersion", json_integer(2));
    json_put_text(index, "mediaType", OCI_INDEX_TYPE);
    keep_others(old, tags, manifests);
    for (i = 0; i < tags->len; i++)
        json_array_append_new(manifests, descriptor(saving->image, tags->items[i]));
    json_object_set_new(index, "manifests", manifests);
    text = json_dumps(index, JSON_COMPACT);
    return write_small(saving, saving->fd, OCI_INDEX_FILE, text, strlen(text), err);
}

static int save(struct saving *saving, const struct strings *tags, struct error *err)
{
    const struct oci_image *image = saving->image;
    size_t i;

    if (open_folders(saving, err))
        return -1;
    for (i = 0; i < image->blobs_len; i++)
        if (save_blob(saving, &image->blobs[i], err))
            return -1;
    if (write_small(saving, saving->blobs_fd, image->digest + 7, image->manifest.data, image->manifest.len, err) ||
        write_small(saving, saving->fd, OCI_VERSION_FILE, version_text, sizeof version_text - 1, err))
        return -1;
    return write_index(saving, tags, err);
}

int oci_layout_save(const struct oci_image *image, const char *folder, const struct strings *tags, struct error *err)
{
    struct saving saving = {.image = image, .folder = folder, .fd = -1, .blobs_fd = -1};
    int status = save(&saving, tags, err);

    if (saving.blobs_fd >= 0)
        close(saving.blobs_fd);
    if (saving.fd >= 0)
        close(saving.fd);
    return status;
}
