#include "git/local.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "core/fs.h"
#include "core/mem.h"
#include "git/fetch_error.h"
#include "git/tree_check.h"

static int hex_digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    c = (char)(c | 0x20);
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* In place; false for "%00" and what is no escape. */
static bool decode(char *text)
{
    char *to = text;
    int high;
    int low;

    for (; *text; text++) {
        if (*text != '%') {
            *to++ = *text;
            continue;
        }
        high = hex_digit(text[1]);
        low = high < 0 ? -1 : hex_digit(text[2]);
        if (low < 0 || high * 16 + low == 0)
            return false;
        *to++ = (char)(high * 16 + low);
        text += 2;
    }
    *to = '\0';
    return true;
}

char *local_path(const char *repository)
{
    const char *at = repository;
    char *path;

    if (*at == '/')
        return xstrdup(at);
    if (strncasecmp(at, "file:", 5) != 0)
        return NULL;
    at += 5;
    if (strncmp(at, "//", 2) == 0)
        at += strncasecmp(at + 2, "localhost/", 10) == 0 ? 11 : 2;
    path = xstrdup(at);
    if (*path == '/' && decode(path))
        return path;
    free(path);
    return NULL;
}

static int on_packed(const git_indexer_progress *stats, void *payload)
{
    struct remote *remote = payload;

    remote->objects = stats->total_objects;
    remote->bytes_received = (int64_t)stats->received_bytes;
    return 0;
}

static int pack(struct remote *remote, git_repository *source, git_repository *repository, const git_oid *id,
                const git_commit *commit)
{
    CLEANUP_FREE char *folder = xasprintf("%sobjects/pack", git_repository_path(repository));
    git_packbuilder *builder = NULL;
    git_odb *odb = NULL;
    int result;

    result = git_packbuilder_new(&builder, source);
    if (result == 0 && !git_oid_equal(id, git_commit_id(commit)))
        result = git_packbuilder_insert(builder, id, NULL);
    if (result == 0)
        result = git_packbuilder_insert_commit(builder, git_commit_id(commit));
    if (result == 0)
        result = git_packbuilder_write(builder, folder, 0, on_packed, remote);
    if (result == 0)
        result = git_repository_odb(&odb, repository);
    if (result == 0)
        result = git_odb_refresh(odb);
    git_odb_free(odb);
    git_packbuilder_free(builder);
    return result;
}

/* Tells git that the parents are missing on purpose. */
static int mark_shallow(git_repository *repository, const git_commit *commit, struct error *err)
{
    CLEANUP_FREE char *path = xasprintf("%sshallow", git_repository_path(repository));
    char line[GIT_OID_SHA1_HEXSIZE + 2];
    int result;

    if (git_commit_parentcount(commit) == 0)
        return 0;
    git_oid_tostr(line, sizeof line, git_commit_id(commit));
    line[GIT_OID_SHA1_HEXSIZE] = '\n';
    result = fs_write_file(path, line, GIT_OID_SHA1_HEXSIZE + 1, 0644);
    if (result == 0)
        return 0;
    return error_set_errno(err, result == -ENOSPC ? CLASS_DISK_FULL : CLASS_INTERNAL, "checkout-failed", -result, "%s",
                           path);
}

static int copy(struct remote *remote, git_repository *source, git_repository *repository, const git_oid *id,
                const git_commit *commit, struct error *err)
{
    struct tree_report report;

    if (tree_check(source, git_commit_id(commit), remote->request->max_bytes, &report, err))
        return -1;
    tree_report_dispose(&report);
    if (pack(remote, source, repository, id, commit))
        return store_error("copying the commit", remote->shown, err);
    return mark_shallow(repository, commit, err);
}

int local_copy(struct remote *remote, git_repository *repository, const git_oid *id, struct error *err)
{
    git_repository *source = NULL;
    git_object *object = NULL;
    git_object *commit = NULL;
    int result;

    if (git_repository_open_ext(&source, remote->path, GIT_REPOSITORY_OPEN_NO_SEARCH, NULL)) {
        result = fetch_error(remote, err);
    } else if (git_object_lookup(&object, source, id, GIT_OBJECT_ANY)) {
        error_set(err, CLASS_REF_NOT_FOUND, "commit-not-found", "no commit %s in %s", git_oid_tostr_s(id),
                  remote->shown);
        result = error_hint(err, "check source.commit: it may be another repository's");
    } else if (git_object_peel(&commit, object, GIT_OBJECT_COMMIT)) {
        error_set(err, CLASS_REF_NOT_FOUND, "not-a-commit", "%s of %s names no commit", git_oid_tostr_s(id),
                  remote->shown);
        result = error_hint(err, "name a branch, a tag of a commit, or a commit");
    } else {
        result = copy(remote, source, repository, id, (git_commit *)commit, err);
    }
    git_object_free(commit);
    git_object_free(object);
    git_repository_free(source);
    return result;
}
