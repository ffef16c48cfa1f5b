#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/clock.h"
#include "core/fs.h"
#include "core/mem.h"
#include "core/protection.h"
#include "publish/content_type.h"
#include "publish/glob.h"
#include "publish/tree_internal.h"

/* A file of a gigabyte that occupies less than this part of it is a hole that would be sent as zeros. */
#define SPARSE_FROM ((int64_t)1 << 30)
#define SPARSE_RATIO 64

struct walk {
    struct tree *tree;
    struct glob_list include, exclude;
    struct strings folders; /* work list: one descriptor is open at a time, whatever the depth */
    size_t prefix_len;
    bool environment_files; /* they are asked for by name */
    char *withheld;         /* the first one that was left out */
    size_t withheld_len;
};

static bool is_published(const struct walk *walk, const char *path)
{
    return (!walk->include.len || glob_list_matches(&walk->include, path)) && !glob_list_matches(&walk->exclude, path);
}

/* A path as it may stand in a message. */
static void show(const char *path, struct buf *shown)
{
    size_t i;

    buf_init(shown, 512);
    utf8_repair(view_of(path), shown);
    for (i = 0; i < shown->len; i++)
        if ((unsigned char)shown->data[i] < 0x20 || shown->data[i] == 0x7F)
            shown->data[i] = '?';
}

static int refuse(struct error *err, const char *reason, const char *path, const char *what)
{
    struct buf shown;

    show(path, &shown);
    error_set(err, CLASS_OUTPUT_REFUSED, reason, "%s %s", buf_text(&shown), what);
    buf_dispose(&shown);
    return -1;
}

/* "cannot look at %s: permission denied" */
static int refuse_unreadable(struct error *err, const char *what, const char *path, int error_number)
{
    struct buf shown;

    show(path, &shown);
    error_set_errno(err, CLASS_OUTPUT_REFUSED, "output-unreadable", error_number, "cannot %s %s", what,
                    buf_text(&shown));
    buf_dispose(&shown);
    return -1;
}

static int refuse_changed(struct error *err, const char *path)
{
    struct buf shown;

    show(path, &shown);
    tree_refuse_changed(buf_text(&shown), err);
    buf_dispose(&shown);
    return -1;
}

static int refuse_deep(struct error *err, const char *path)
{
    struct buf shown;

    show(path, &shown);
    error_set(err, CLASS_OUTPUT_REFUSED, "too-deep", "the output has folders deeper than %d: %.200s…", TREE_MAX_DEPTH,
              buf_text(&shown));
    buf_dispose(&shown);
    return -1;
}

/* ".env", ".env.production", ".envrc": what a server or a developer keeps its secrets in. A wildcard does not mean it. */
static bool is_environment_file(const char *name)
{
    return strncmp(name, ".env", 4) == 0 && (name[4] == '\0' || name[4] == '.' || strcmp(name + 4, "rc") == 0);
}

static bool asks_for_environment_files(const struct strings *include)
{
    size_t i;

    for (i = 0; i < include->len; i++)
        if (strstr(include->items[i], ".env"))
            return true;
    return false;
}

/* Takes the path. */
static int withhold(struct walk *walk, char *path)
{
    if (walk->withheld_len++ == 0)
        walk->withheld = path;
    else
        free(path);
    return 0;
}

static void tell_withheld(struct walk *walk)
{
    struct buf shown;

    if (walk->withheld_len == 0)
        return;
    show(walk->withheld, &shown);
    strings_addf(&walk->tree->warnings,
                 "%s%s not published: such files hold secrets; to publish them all the same, name them in include",
                 buf_text(&shown), walk->withheld_len == 1 ? " is" : " and others like it are");
    buf_dispose(&shown);
    free(walk->withheld);
}

static const char *kind_of(mode_t mode)
{
    return S_ISFIFO(mode) ? "fifo" : S_ISSOCK(mode) ? "socket" : S_ISCHR(mode) || S_ISBLK(mode) ? "device" : "file";
}

static int check_name(const struct walk *walk, const char *path, struct error *err)
{
    const unsigned char *p;

    if (!utf8_is_valid(view_of(path)))
        return refuse(err, "bad-file-name", path, "has a name that is not valid UTF-8");
    for (p = (const unsigned char *)path; *p; p++)
        if (*p < 0x20 || *p == 0x7F)
            return refuse(err, "bad-file-name", path, "has a control character in its name");
    if (strlen(path) + walk->prefix_len > TREE_MAX_PATH)
        return refuse(err, "path-too-long", path, "has a path longer than 1,024 bytes, prefix included");
    return 0;
}

static int check_file(const struct walk *walk, const char *path, const struct stat *st, struct error *err)
{
    const struct publish_request *request = walk->tree->request;
    uid_t owner = request->build_uid != (uid_t)-1 ? request->build_uid : geteuid();
    /* What was checked out for a root build was made by who reads its output. */
    bool own = st->st_uid == owner || (request->reader_uid != (uid_t)-1 && st->st_uid == request->reader_uid);

    if (check_name(walk, path, err))
        return -1;
    if (!PROTECTED(FILE_CHECKS))
        return 0;
    if (S_ISLNK(st->st_mode)) {
        refuse(err, "link-in-output", path, "is a symbolic link: links are not published, nor followed");
        return error_hint(err, "let the build copy what the link names, or exclude it");
    }
    if (!S_ISREG(st->st_mode)) {
        refuse(err, "special-file-in-output", path, "is no regular file");
        return error_hint(err, "it is a %s: remove it in the build, or exclude it", kind_of(st->st_mode));
    }
    if (st->st_nlink > 1 && !own)
        return refuse(err, "link-in-output", path, "is a hard link to a file that is not the build's own");
    if (st->st_size >= SPARSE_FROM && (int64_t)st->st_blocks * 512 < st->st_size / SPARSE_RATIO)
        return refuse(err, "sparse-file", path, "is a large file with almost nothing in it (sparse)");
    return 0;
}

static int check_totals(const struct tree *tree, struct error *err)
{
    char limit[CLOCK_TEXT_SIZE];

    if (tree->len > TREE_MAX_FILES)
        return error_set(err, CLASS_OUTPUT_REFUSED, "too-many-files", "the output has more than %d files",
                         TREE_MAX_FILES);
    if (tree->request->max_bytes == 0 || tree->bytes <= tree->request->max_bytes)
        return 0;
    size_format(tree->request->max_bytes, limit);
    error_set(err, CLASS_OUTPUT_REFUSED, "output-too-large", "the output is larger than the limit of %s (at %s)", limit,
              tree->files[tree->len - 1].path);
    return error_hint(err, "exclude what is not needed, or raise limits.output");
}

/* Takes the path. */
static int add_file(struct tree *tree, char *path, const struct stat *st, struct error *err)
{
    struct tree_file *file;

    if ((tree->len & (tree->len - 1)) == 0)
        tree->files = xrealloc(tree->files, tree->len ? 2 * tree->len : 1, sizeof *tree->files);
    file = &tree->files[tree->len++];
    memset(file, 0, sizeof *file);
    file->path = path;
    file->seen = *st;
    file->content.size = st->st_size;
    tree->bytes += st->st_size;
    return check_totals(tree, err);
}

static int visit(struct walk *walk, int folder_fd, const char *folder, const char *name, struct error *err)
{
    char *path = xasprintf("%s%s%s", folder, folder[0] ? "/" : "", name);
    size_t depth = 1;
    struct stat st;
    int result = 0;

    for (const char *p = path; *p; p++)
        depth += *p == '/';
    if (fstatat(folder_fd, name, &st, PROTECTED(FILE_CHECKS) ? AT_SYMLINK_NOFOLLOW : 0))
        result = errno == ENOENT ? refuse_changed(err, path) : refuse_unreadable(err, "look at", path, errno);
    else if (S_ISDIR(st.st_mode) && depth > TREE_MAX_DEPTH)
        result = refuse_deep(err, path);
    else if (S_ISDIR(st.st_mode))
        strings_add(&walk->folders, path);
    else if (is_published(walk, path) && is_environment_file(name) && !walk->environment_files)
        return withhold(walk, path);
    else if (is_published(walk, path)) {
        result = check_file(walk, path, &st, err);
        if (!result)
            return add_file(walk->tree, path, &st, err);
    }
    free(path);
    return result;
}

static int list_folder(struct walk *walk, const char *folder, struct error *err)
{
    int fd = tree_open_beneath(walk->tree->request, walk->tree->fd, folder[0] ? folder : ".", O_RDONLY | O_DIRECTORY);
    struct dirent *entry;
    DIR *listing;
    int result = 0;

    if (fd == -ELOOP)
        return refuse_changed(err, folder);
    if (fd < 0) {
        refuse_unreadable(err, "open the output's folder", folder[0] ? folder : ".", -fd);
        return tree_hint_unreadable(walk->tree->request, -fd, err);
    }
    listing = fdopendir(fd);
    if (!listing) {
        int number = errno;

        close(fd);
        return refuse_unreadable(err, "list", folder, number);
    }
    while (!result && (entry = readdir(listing)))
        if (!fs_is_dots(entry->d_name) && !tree_is_never_published(view_of(entry->d_name)))
            result = visit(walk, fd, folder, entry->d_name, err);
    closedir(listing);
    return result;
}

static int by_path(const void *a, const void *b)
{
    return strcmp(((const struct tree_file *)a)->path, ((const struct tree_file *)b)->path);
}

/* "x.js.gz" is a pre-compressed sibling when "x.js" is published too; alone it is an archive like any other. */
static void find_siblings(struct tree *tree)
{
    size_t i, base_len;

    for (i = 0; i < tree->len; i++) {
        const char *encoding = content_encoding_of(tree->files[i].path, &base_len);
        CLEANUP_FREE char *base = encoding ? xstrndup(tree->files[i].path, base_len) : NULL;

        if (base && tree_find(tree, base))
            tree->files[i].encoding = encoding;
    }
}

static int set_headers(struct tree *tree, struct error *err)
{
    struct header_rules *rules;
    struct strings headers = {0};
    size_t i;

    if (header_rules_new(&rules, tree->request->headers, tree->request->headers_len, err))
        return -1;
    for (i = 0; i < tree->len; i++) {
        header_rules_apply(rules, tree->files[i].path, tree->files[i].encoding, &headers);
        header_rules_summary(&headers, tree->files[i].content.meta, &tree->files[i].page);
        strings_dispose(&headers);
    }
    header_rules_free(rules);
    return 0;
}

static int walk_all(struct walk *walk, struct error *err)
{
    struct tree *tree = walk->tree;
    size_t i;

    strings_add(&walk->folders, "");
    for (i = 0; i < walk->folders.len; i++) {
        CLEANUP_FREE char *folder = xstrdup(walk->folders.items[i]);

        if (walk->folders.len > TREE_MAX_FILES)
            return error_set(err, CLASS_OUTPUT_REFUSED, "too-many-files", "the output has more than %d folders",
                             TREE_MAX_FILES);
        if (list_folder(walk, folder, err))
            return -1;
    }
    if (tree->len == 0) {
        error_set(err, CLASS_NO_OUTPUT, "output-empty", "the output folder %s has no files to publish",
                  tree->request->from);
        return error_hint(err, "look at what the build wrote, and at include and exclude");
    }
    qsort(tree->files, tree->len, sizeof *tree->files, by_path);
    find_siblings(tree);
    return set_headers(tree, err);
}

int tree_walk(struct tree *tree, size_t prefix_len, struct error *err)
{
    struct walk walk = {.tree = tree,
                        .prefix_len = prefix_len,
                        .environment_files = asks_for_environment_files(&tree->request->include)};
    int result = -1;

    if (!glob_list_init(&walk.include, &tree->request->include, err) &&
        !glob_list_init(&walk.exclude, &tree->request->exclude, err))
        result = walk_all(&walk, err);
    tell_withheld(&walk);
    glob_list_dispose(&walk.include);
    glob_list_dispose(&walk.exclude);
    strings_dispose(&walk.folders);
    return result;
}
