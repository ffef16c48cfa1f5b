#include "git/tree_check.h"

#include <stdlib.h>
#include <string.h>

#include "core/mem.h"
#include "core/utf8.h"
#include "git/path_check.h"

#define DEPTH_MAX 128
#define SHOWN_MAX 300
#define PATH_BYTES_MAX 3072 /* beneath PATH_MAX, with room for the folder in front */
#define FILES_MAX 1000000
#define FOLDERS_MAX 100000 /* a tree that holds itself many times over would never end */
#define ATTRIBUTES_MAX ((git_object_size_t)1 << 20)
#define POINTER_MAX 1024 /* git-lfs: a pointer is shorter */
#define POINTERS_READ_MAX 4096

struct walk {
    git_repository *repository;
    git_odb *odb;
    struct tree_report *report;
    struct error *err;
    struct buf path;
    int64_t max_bytes;
    int64_t folders;
    int depth;
};

void tree_report_dispose(struct tree_report *report)
{
    strings_dispose(&report->submodule_names);
    strings_dispose(&report->lfs_names);
    *report = (struct tree_report){.files = 0};
}

static int refuse(const struct walk *walk, const char *reason, const char *why)
{
    struct buf shown;

    buf_init(&shown, (size_t)4 * PATH_BYTES_MAX);
    path_show((struct view){buf_text(&walk->path), walk->path.len}, &shown);
    if (shown.len > SHOWN_MAX)
        memcpy(shown.data + utf8_cut((struct view){shown.data, shown.len}, SHOWN_MAX), "...", 4);
    error_set(walk->err, CLASS_CONTENT_REFUSED, reason, "the repository's tree is refused at \"%s\": %s",
              buf_text(&shown), why);
    buf_dispose(&shown);
    return error_hint(walk->err, "remove or rename it in the repository; nothing was checked out");
}

static void name_one(const struct walk *walk, struct strings *names)
{
    struct buf shown;

    if (names->len >= TREE_NAMED_MAX)
        return;
    buf_init(&shown, (size_t)4 * PATH_BYTES_MAX);
    path_show((struct view){buf_text(&walk->path), walk->path.len}, &shown);
    strings_take(names, buf_take(&shown));
}

/* Text of attributes that make the worktree differ from the blob (gitattributes(5)); too many is safe, it only costs
 * time. "eol=lf" and "text=auto" change nothing on Linux. */
static bool asks_conversion(const char *text)
{
    const char *at = text;

    if (strstr(text, "eol=crlf") || strstr(text, "working-tree-encoding"))
        return true;
    while ((at = strstr(at, "ident"))) {
        if (at > text && strchr(" \t", at[-1]) && strchr(" \t\r\n", at[5]))
            return true;
        at += 5;
    }
    return false;
}

static int read_attributes(struct walk *walk, const git_oid *id)
{
    git_object_size_t size;
    git_blob *blob;
    char *text;

    if (git_blob_lookup(&blob, walk->repository, id))
        return refuse(walk, "broken-object", "the blob cannot be read");
    size = git_blob_rawsize(blob);
    if (size > ATTRIBUTES_MAX)
        size = ATTRIBUTES_MAX;
    text = xstrndup(git_blob_rawcontent(blob), (size_t)size);
    git_blob_free(blob);
    walk->report->converts = walk->report->converts || asks_conversion(text);
    walk->report->has_lfs = walk->report->has_lfs || strstr(text, "filter=lfs");
    free(text);
    return 0;
}

static int check_blob(struct walk *walk, const git_tree_entry *entry, struct view name)
{
    git_object_t type;
    size_t size;

    if (++walk->report->files > FILES_MAX)
        return refuse(walk, "too-many-files", "there are more than 1,000,000 files");
    if (walk->max_bytes) {
        if (git_odb_read_header(&size, &type, walk->odb, git_tree_entry_id(entry)))
            return refuse(walk, "broken-object", "the blob is missing");
        walk->report->bytes += (int64_t)size;
        if (walk->report->bytes > walk->max_bytes)
            return refuse(walk, "repository-too-large", "with it the files are larger than the limit");
    }
    return view_is(name, ".gitattributes") ? read_attributes(walk, git_tree_entry_id(entry)) : 0;
}

static int check_link(struct walk *walk, struct view name)
{
    if (path_is_like(name, ".gitmodules"))
        return refuse(walk, "link-as-gitmodules", ".gitmodules is a symbolic link");
    if (++walk->report->files > FILES_MAX)
        return refuse(walk, "too-many-files", "there are more than 1,000,000 files");
    return 0;
}

static int check_tree(struct walk *walk, const git_oid *id);

static int check_entry(struct walk *walk, const git_tree_entry *entry)
{
    struct view name = view_of(git_tree_entry_name(entry));
    const char *fault = path_fault(name);

    if (fault)
        return refuse(walk, "unsafe-path", fault);
    switch ((int)git_tree_entry_filemode_raw(entry)) {
    case 0100644:
    case 0100664: /* of old versions of git */
    case 0100755: return check_blob(walk, entry, name);
    case 0120000: return check_link(walk, name);
    case 0040000: return check_tree(walk, git_tree_entry_id(entry));
    case 0160000:
        walk->report->submodules++;
        name_one(walk, &walk->report->submodule_names);
        return 0;
    default: return refuse(walk, "bad-file-mode", "its mode is none that git writes");
    }
}

struct folded {
    char *name;
    const char *spelled; /* borrowed from the tree */
    bool is_link;
};

static int compare_folded(const void *a, const void *b)
{
    const struct folded *left = a;
    const struct folded *right = b;
    int order = strcmp(left->name, right->name);

    return order ? order : strcmp(left->spelled, right->spelled);
}

/* Two entries of one name, or a link whose name another entry has in other case: written one after the other, the
 * second would go through the link. */
static int check_pair(struct walk *walk, const struct folded *a, const struct folded *b)
{
    if (strcmp(a->name, b->name) != 0)
        return 0;
    if (strcmp(a->spelled, b->spelled) != 0 && !a->is_link && !b->is_link)
        return 0;
    if (walk->path.len)
        buf_addc(&walk->path, '/');
    buf_adds(&walk->path, b->spelled);
    return strcmp(a->spelled, b->spelled) == 0
               ? refuse(walk, "duplicate-path", "the name stands twice in its folder")
               : refuse(walk, "link-collision",
                        "it differs only in case from another entry, and one of them is a symbolic link");
}

static int check_collisions(struct walk *walk, git_tree *tree)
{
    size_t count = git_tree_entrycount(tree);
    struct folded *all = xcalloc(count + 1, sizeof *all);
    const git_tree_entry *entry;
    struct view name;
    struct buf folded;
    int result = 0;
    size_t i;

    for (i = 0; i < count; i++) {
        entry = git_tree_entry_byindex(tree, i);
        name = view_of(git_tree_entry_name(entry));
        buf_init(&folded, name.len + 1);
        path_fold(name, &folded);
        all[i] = (struct folded){.name = buf_take(&folded),
                                 .is_link = (int)git_tree_entry_filemode_raw(entry) == 0120000,
                                 .spelled = name.data};
    }
    qsort(all, count, sizeof *all, compare_folded);
    for (i = 1; i < count && result == 0; i++)
        result = check_pair(walk, &all[i - 1], &all[i]);
    for (i = 0; i < count; i++)
        free(all[i].name);
    free(all);
    return result;
}

static int check_entries(struct walk *walk, git_tree *tree)
{
    size_t count = git_tree_entrycount(tree);
    size_t before = walk->path.len;
    const char *name;
    size_t i;

    if (check_collisions(walk, tree))
        return -1;
    for (i = 0; i < count; i++) {
        name = git_tree_entry_name(git_tree_entry_byindex(tree, i));
        if ((before && buf_addc(&walk->path, '/')) || buf_adds(&walk->path, name))
            return refuse(walk, "unsafe-path", "the path is too long");
        if (check_entry(walk, git_tree_entry_byindex(tree, i)))
            return -1;
        walk->path.len = before;
        if (walk->path.data)
            walk->path.data[before] = '\0';
    }
    return 0;
}

static int check_tree(struct walk *walk, const git_oid *id)
{
    git_tree *tree;
    int result;

    if (walk->depth >= DEPTH_MAX)
        return refuse(walk, "unsafe-path", "folders are nested more than 128 deep");
    if (++walk->folders > FOLDERS_MAX)
        return refuse(walk, "too-many-files", "there are more than 100,000 folders");
    if (git_tree_lookup(&tree, walk->repository, id))
        return refuse(walk, "broken-object", "the tree is missing or broken");
    walk->depth++;
    result = check_entries(walk, tree);
    walk->depth--;
    git_tree_free(tree);
    return result;
}

/* ---- LFS pointers: only looked for where .gitattributes names the filter ---- */

struct pointers {
    struct walk *walk;
    int read;
};

static bool is_pointer(const struct walk *walk, const git_oid *id)
{
    static const char begin[] = "version https://git-lfs.github.com/spec/";
    git_odb_object *object;
    git_object_t type;
    size_t size;
    bool is;

    if (git_odb_read_header(&size, &type, walk->odb, id) || size < sizeof begin || size > POINTER_MAX ||
        git_odb_read(&object, walk->odb, id))
        return false;
    is = memcmp(git_odb_object_data(object), begin, sizeof begin - 1) == 0;
    git_odb_object_free(object);
    return is;
}

static int look_at(const char *folder, const git_tree_entry *entry, void *payload)
{
    struct pointers *pointers = payload;
    struct walk *walk = pointers->walk;

    if (git_tree_entry_type(entry) != GIT_OBJECT_BLOB || git_tree_entry_filemode(entry) == GIT_FILEMODE_LINK)
        return 0;
    if (++pointers->read > POINTERS_READ_MAX)
        return -1;
    if (!is_pointer(walk, git_tree_entry_id(entry)))
        return 0;
    buf_reset(&walk->path);
    buf_addf(&walk->path, "%s%s", folder, git_tree_entry_name(entry));
    name_one(walk, &walk->report->lfs_names);
    walk->report->lfs_files++;
    return 0;
}

static void find_pointers(struct walk *walk, const git_tree *tree)
{
    struct pointers pointers = {.walk = walk};

    git_tree_walk(tree, GIT_TREEWALK_PRE, look_at, &pointers);
}

int tree_check(git_repository *repository, const git_oid *commit, int64_t max_bytes, struct tree_report *report,
               struct error *err)
{
    struct walk walk = {.repository = repository, .report = report, .err = err, .max_bytes = max_bytes};
    git_commit *object = NULL;
    git_tree *root = NULL;
    int result = -1;

    *report = (struct tree_report){.files = 0};
    buf_init(&walk.path, PATH_BYTES_MAX);
    if (git_repository_odb(&walk.odb, repository) || git_commit_lookup(&object, repository, commit) ||
        git_commit_tree(&root, object))
        refuse(&walk, "broken-object", "the commit or its tree cannot be read");
    else
        result = check_tree(&walk, git_tree_id(root));
    if (result == 0 && report->has_lfs)
        find_pointers(&walk, root);
    git_tree_free(root);
    git_commit_free(object);
    git_odb_free(walk.odb);
    buf_dispose(&walk.path);
    if (result)
        tree_report_dispose(report);
    return result;
}
