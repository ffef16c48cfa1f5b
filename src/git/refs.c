#include "git/refs.h"

#include <stdlib.h>
#include <string.h>

#include "core/buf.h"
#include "core/mem.h"
#include "core/strings.h"
#include "git/path_check.h"

#define SUGGESTIONS_MAX 3
#define DISTANCE_NAME_MAX 64

static const git_remote_head *find(const git_remote_head *const *heads, size_t count, const char *full)
{
    size_t i;

    for (i = 0; i < count; i++)
        if (strcmp(heads[i]->name, full) == 0)
            return heads[i];
    return NULL;
}

const char *refs_pointing_to(const git_remote_head *const *heads, size_t count, const git_oid *id)
{
    size_t i;

    for (i = 0; i < count; i++)
        if (git_oid_equal(&heads[i]->oid, id) && !strstr(heads[i]->name, "^{}"))
            return heads[i]->name;
    return NULL;
}

/* Levenshtein's distance of short names; long ones are far from everything. */
static size_t distance(const char *a, const char *b)
{
    size_t row[DISTANCE_NAME_MAX + 1] = {0};
    size_t before;
    size_t above;
    size_t i;
    size_t k;

    if (strlen(a) > DISTANCE_NAME_MAX || strlen(b) > DISTANCE_NAME_MAX)
        return SIZE_MAX;
    for (k = 0; k <= strlen(b); k++)
        row[k] = k;
    for (i = 0; a[i]; i++) {
        before = row[0];
        row[0] = i + 1;
        for (k = 0; b[k]; k++) {
            above = row[k + 1];
            row[k + 1] = before + (a[i] != b[k]);
            if (above + 1 < row[k + 1])
                row[k + 1] = above + 1;
            if (row[k] + 1 < row[k + 1])
                row[k + 1] = row[k] + 1;
            before = above;
        }
    }
    return row[strlen(b)];
}

static const char *short_name(const char *full)
{
    if (strncmp(full, "refs/heads/", 11) == 0)
        return full + 11;
    if (strncmp(full, "refs/tags/", 10) == 0 && !strstr(full, "^{}"))
        return full + 10;
    return NULL;
}

struct suggestion {
    const char *name;
    size_t distance;
};

/* Keeps the best few, nearest first. */
static void consider(struct suggestion best[SUGGESTIONS_MAX], const char *name, size_t far)
{
    size_t i = SUGGESTIONS_MAX;

    while (i > 0 && (!best[i - 1].name || far < best[i - 1].distance)) {
        if (i < SUGGESTIONS_MAX)
            best[i] = best[i - 1];
        i--;
    }
    if (i < SUGGESTIONS_MAX)
        best[i] = (struct suggestion){name, far};
}

/* Appends "main, next" for a hint. */
static void suggest(const git_remote_head *const *heads, size_t count, const char *name, struct buf *out)
{
    struct suggestion best[SUGGESTIONS_MAX] = {{NULL, 0}};
    const char *candidate;
    size_t i;

    for (i = 0; i < count; i++) {
        candidate = short_name(heads[i]->name);
        if (candidate)
            consider(best, candidate, distance(name, candidate));
    }
    for (i = 0; i < SUGGESTIONS_MAX && best[i].name; i++) {
        if (i > 0)
            buf_adds(out, ", ");
        path_show(view_of(best[i].name), out);
    }
}

static int not_found(const git_remote_head *const *heads, size_t count, const char *name, const char *where,
                     struct error *err)
{
    struct buf names;

    buf_init(&names, 600);
    suggest(heads, count, name, &names);
    error_set(err, CLASS_REF_NOT_FOUND, "ref-not-found", "no branch or tag \"%.200s\" in %s", name, where);
    if (names.len)
        error_hint(err, "nearest: %s; names are case-sensitive, and a commit goes into source.commit",
                   buf_text(&names));
    else
        error_hint(err, "the repository has neither branches nor tags");
    buf_dispose(&names);
    return -1;
}

static int no_default(const git_remote_head *const *heads, size_t count, const char *where, struct error *err)
{
    struct buf names;

    if (count == 0) {
        error_set(err, CLASS_REF_NOT_FOUND, "repository-empty", "%s is empty: it has no commits", where);
        return error_hint(err, "push a commit first");
    }
    buf_init(&names, 600);
    suggest(heads, count, "main", &names);
    error_set(err, CLASS_REF_NOT_FOUND, "ref-not-found", "%s has no default branch", where);
    error_hint(err, "set source.ref; there are: %s", buf_text(&names));
    buf_dispose(&names);
    return -1;
}

static const git_remote_head *find_named(const git_remote_head *const *heads, size_t count, const char *name)
{
    static const char *const formats[] = {"refs/heads/", "refs/tags/", "refs/"};
    const git_remote_head *head = NULL;
    char *full;
    size_t i;

    if (strncmp(name, "refs/", 5) == 0 || strcmp(name, "HEAD") == 0)
        return find(heads, count, name);
    for (i = 0; i < ARRAY_LEN(formats) && !head; i++) {
        full = xasprintf("%s%s", formats[i], name);
        head = find(heads, count, full);
        free(full);
    }
    return head;
}

int refs_resolve(const git_remote_head *const *heads, size_t count, const char *name, const char *where, char **full,
                 git_oid *id, struct error *err)
{
    const git_remote_head *head = find_named(heads, count, name ? name : "HEAD");
    const git_remote_head *target;

    if (!head)
        return name ? not_found(heads, count, name, where, err) : no_default(heads, count, where, err);
    /* HEAD is better known by the branch that it stands for, where the server says so. */
    target = head->symref_target ? find(heads, count, head->symref_target) : NULL;
    if (target && git_oid_equal(&target->oid, &head->oid))
        head = target;
    *full = xstrdup(head->name);
    git_oid_cpy(id, &head->oid);
    return 0;
}

const char *refs_default(const git_remote_head *const *heads, size_t count)
{
    const git_remote_head *head = find(heads, count, "HEAD");

    return head && head->symref_target && strncmp(head->symref_target, "refs/heads/", 11) == 0 ? head->symref_target
                                                                                               : NULL;
}

const char *refs_full_name(const git_remote_head *const *heads, size_t count, const char *name)
{
    const git_remote_head *head = find_named(heads, count, name);

    return head ? head->name : NULL;
}
