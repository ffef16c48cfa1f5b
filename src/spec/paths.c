#include "spec/paths.h"

#include <string.h>

#include "core/mem.h"
#include "spec/names.h"
#include "spec/problems.h"

#define PATH_MAX_BYTES 1024
#define KEY_MAX 900 /* S3 takes 1,024 bytes; the file's path below the prefix needs some */

char *path_normalise(const char *path)
{
    char *out = xmalloc(strlen(path) + 3);
    bool absolute = *path == '/';
    size_t len = 0;

    if (absolute)
        out[len++] = '/';
    while (*path) {
        size_t part = strcspn(path, "/");

        if (part == 2 && path[0] == '.' && path[1] == '.') {
            cleanup_free(&out);
            return NULL;
        }
        if (part && !(part == 1 && *path == '.')) {
            if (len > (absolute ? 1U : 0U))
                out[len++] = '/';
            memcpy(out + len, path, part);
            len += part;
        }
        path += part;
        path += *path == '/';
    }
    if (len == 0)
        out[len++] = '.';
    out[len] = '\0';
    return out;
}

static int path_remark(const char *path, struct remark *remark)
{
    char shown[QUOTE_SIZE];

    if (text_has_control(path))
        return remark_set(remark, NULL, "control characters are not allowed in a path");
    if (strlen(path) > PATH_MAX_BYTES)
        return remark_set(remark, NULL, "a path has at most %d bytes", PATH_MAX_BYTES);
    return remark_set(remark, "a path may not lead out with ..", "%s has a part \"..\"", quote(shown, path));
}

int check_folder(const char *text, struct remark *remark)
{
    if (text_has_control(text) || strlen(text) > PATH_MAX_BYTES)
        return path_remark(text, remark);
    remark->normal = path_normalise(text);
    return remark->normal ? 0 : path_remark(text, remark);
}

int check_absolute(const char *text, struct remark *remark)
{
    char shown[QUOTE_SIZE];

    if (*text != '/')
        return remark_set(remark, "an absolute path begins with /", "%s is not an absolute path", quote(shown, text));
    if (check_folder(text, remark))
        return -1;
    return 0;
}

static bool bucket_is_valid(const char *bucket, size_t len)
{
    size_t i;

    if (len < 3 || len > 63)
        return false;
    for (i = 0; i < len; i++)
        if (!strchr("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-", bucket[i]))
            return false;
    return bucket[0] != '.' && bucket[0] != '-' && bucket[0] != '_';
}

int check_bucket(const char *text, struct remark *remark)
{
    char shown[QUOTE_SIZE];

    if (bucket_is_valid(text, strlen(text)))
        return 0;
    return remark_set(remark, "3 to 63 letters, digits, . and -", "%s is not a bucket's name", quote(shown, text));
}

bool s3_split(const char *url, const char **bucket, size_t *bucket_len, const char **key)
{
    if (strncmp(url, "s3://", 5) != 0)
        return false;
    *bucket = url + 5;
    *bucket_len = strcspn(*bucket, "/");
    *key = *bucket + *bucket_len;
    *key += **key == '/';
    return true;
}

/* Nothing that a file system, a proxy or a browser would read as another key. */
static int key_check(const char *key, struct remark *remark)
{
    const char *part = key;

    if (strlen(key) > KEY_MAX || text_has_control(key))
        return remark_set(remark, NULL, "a key has at most %d bytes and no control characters", KEY_MAX);
    if (strncmp(key, ".caisson", 8) == 0 && (key[8] == '/' || key[8] == '\0'))
        return remark_set(remark, NULL, "the prefix .caisson/ is where caisson keeps its manifests");
    while (*part) {
        size_t len = strcspn(part, "/");

        if (len == 0 || (len == 1 && part[0] == '.') || (len == 2 && part[0] == '.' && part[1] == '.'))
            return remark_set(remark, NULL, "a key may not have empty parts, \".\" or \"..\"");
        part += len;
        part += *part == '/';
    }
    return 0;
}

int check_prefix(const char *text, struct remark *remark)
{
    size_t len = strlen(text);

    if (*text == '/')
        return remark_set(remark, "leave the first / out", "a key does not begin with /");
    if (key_check(text, remark))
        return -1;
    if (text[len - 1] != '/')
        remark->normal = xasprintf("%s/", text);
    return 0;
}

static int s3_check(const char *text, bool folder, struct remark *remark)
{
    const char *bucket;
    const char *key;
    size_t bucket_len;
    size_t len = strlen(text);
    char shown[QUOTE_SIZE];

    if (!s3_split(text, &bucket, &bucket_len, &key) || !bucket_is_valid(bucket, bucket_len))
        return remark_set(remark, "s3://bucket/key; the bucket has 3 to 63 letters, digits, . and -",
                          "%s names no bucket", quote(shown, text));
    if (*key == '\0')
        return remark_set(remark, folder ? "s3://bucket/prefix/" : "s3://bucket/key",
                          folder ? "an empty prefix is refused: it would be the whole bucket" : "the key is missing");
    if (key_check(key, remark))
        return -1;
    if (!folder && text[len - 1] == '/')
        return remark_set(remark, NULL, "a file is meant, not a prefix: it ends in /");
    if (folder && text[len - 1] != '/')
        remark->normal = xasprintf("%s/", text);
    return 0;
}

static int file_check(const char *text, bool folder, struct remark *remark)
{
    const char *path = text + 5;
    char *normal;
    char shown[QUOTE_SIZE];

    if (strncmp(path, "//", 2) == 0 && path[2] != '/')
        return remark_set(remark, "file:folder, file:/folder or file:///folder", "%s names a host", quote(shown, text));
    if (strncmp(path, "///", 3) == 0)
        path += 2;
    if (*path == '\0')
        return remark_set(remark, "file:folder, file:/folder or file:///folder", "the path is missing");
    if (!folder && path[strlen(path) - 1] == '/')
        return remark_set(remark, NULL, "a file is meant, not a folder: it ends in /");
    normal = text_has_control(path) || strlen(path) > PATH_MAX_BYTES ? NULL : path_normalise(path);
    if (!normal)
        return path_remark(path, remark);
    if (strcmp(normal, "/") == 0 || strcmp(normal, ".") == 0) {
        cleanup_free(&normal);
        return remark_set(remark, NULL, "a folder of its own is needed, not %s", quote(shown, path));
    }
    remark->normal = xasprintf("file:%s%s", normal, folder ? "/" : "");
    cleanup_free(&normal);
    return 0;
}

static int place_check(const char *text, bool folder, struct remark *remark)
{
    char shown[QUOTE_SIZE];

    if (strncmp(text, "s3://", 5) == 0)
        return s3_check(text, folder, remark);
    if (strncmp(text, "file:", 5) == 0)
        return file_check(text, folder, remark);
    return remark_set(remark, folder ? "s3://bucket/prefix/ or file:folder" : "s3://bucket/key or file:path",
                      "%s is no place to write to", quote(shown, text));
}

int check_target(const char *text, struct remark *remark)
{
    return place_check(text, true, remark);
}

int check_object(const char *text, struct remark *remark)
{
    return place_check(text, false, remark);
}
