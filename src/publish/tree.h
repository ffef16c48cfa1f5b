/*
 * The output folder as it will be published. The folder is hostile: the build wrote it. It is walked and read beneath
 * its own descriptor, following no link, with the build's fsuid when we are root; what is no regular file of the
 * build's own is refused, and so is a file that holds one of the job's secrets.
 *
 * Life cycle: tree_open … tree_walk, tree_hash … tree_open_file … tree_dispose.
 */
#ifndef CAISSON_PUBLISH_TREE_H
#define CAISSON_PUBLISH_TREE_H

#include <sys/stat.h>
#include <time.h>

#include "publish/manifest.h"
#include "publish/publish.h"

#define TREE_MAX_FILES 100000
#define TREE_MAX_DEPTH 64
#define TREE_MAX_PATH 1024             /* S3's limit of a key, prefix included */
#define TREE_LARGE ((int64_t)16 << 20) /* from here on in parts, whose hashes are taken with the file's own */

struct tree_file {
    char *path;             /* beneath the output */
    struct content content; /* form stays 0 */
    const char *encoding;   /* of a pre-compressed sibling; NULL: none. Static */
    bool page;
    struct stat seen;                     /* as it was hashed: tree_open_file compares */
    char (*part_sha256)[SHA256_HEX_SIZE]; /* of a large file, by s3_part_size; else NULL */
};

struct tree {
    const struct publish_request *request; /* borrowed */
    int fd;
    struct tree_file *files; /* sorted by path */
    size_t len;
    int64_t bytes;
    struct strings credentials; /* values that must not be published, beside the request's; the caller adds them */
    struct strings warnings;    /* of tree_hash */
};
void tree_init(struct tree *tree);
void tree_dispose(struct tree *tree);

/* Opens the folder. CLASS_NO_OUTPUT (naming folders that are there) or CLASS_OUTPUT_REFUSED. The request is borrowed. */
int tree_open(struct tree *tree, const struct publish_request *request, struct error *err);
/* Lists what is to be published. `prefix_len` counts towards the limit of paths. */
int tree_walk(struct tree *tree, size_t prefix_len, struct error *err);
const struct tree_file *tree_find(const struct tree *tree, const char *path);
/* Reads every file once: hash, and search for secrets, in what is compressed (unpack.h) too. A compressed file that is
 * damaged is searched as it is, which `warnings` tell. `pause` is called between reads and ends it by returning -1
 * (with the error filled); it may be NULL. */
int tree_hash(struct tree *tree, int (*pause)(void *context, struct error *err), void *context, struct error *err);
/* The same hash of another file; "" when it changed meanwhile. */
int tree_hash_fd(int fd, char sha256[SHA256_HEX_SIZE], struct error *err);
/* Opens a file for sending; CLASS_OUTPUT_REFUSED, reason "file-changed", when it is not as it was hashed. fd or -1. */
int tree_open_file(const struct tree *tree, const struct tree_file *file, struct error *err);
/* Whether the open file still is as it was hashed. */
bool tree_file_is_same(const struct tree_file *file, int fd);
/* A file's hash is its SHA-256; from TREE_LARGE on that of its parts' hashes (hex, one after the other), by s3_part_size.
 * "sha256:…" over the sorted lines "<sha256>  <path>\n". */
void tree_digest(const struct tree *tree, char digest[72]);

#endif
