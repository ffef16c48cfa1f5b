#include "git/checkout.h"

#include <git2.h>
#include <stdlib.h>
#include <string.h>

#include "core/clock.h"
#include "core/mem.h"
#include "core/utf8.h"
#include "git/fetch.h"
#include "git/fetch_error.h"
#include "git/library.h"
#include "git/path_check.h"
#include "git/refs.h"
#include "git/remote.h"
#include "git/tree_check.h"
#include "git/worktree.h"

#define SUBJECT_MAX 200

void checkout_request_dispose(struct checkout_request *request)
{
    wipe_free(request->repository);
    free(request->ref);
    free(request->commit);
    free(request->directory);
    wipe_free(request->username);
    wipe_free(request->password);
    free(request->ca_bundle);
    wipe_free(request->proxy);
    free(request->no_proxy);
    *request = (struct checkout_request){.repository = NULL};
}

void checkout_result_dispose(struct checkout_result *result)
{
    free(result->ref);
    free(result->named_ref);
    free(result->default_ref);
    free(result->subject);
    *result = (struct checkout_result){.ref = NULL};
}

static void warn(struct worker *worker, const char *what, int64_t count, const struct strings *names)
{
    struct buf list;
    size_t i;

    if (!worker || count == 0)
        return;
    buf_init(&list, 4096);
    for (i = 0; i < names->len; i++)
        buf_addf(&list, "%s%s", i ? ", " : "", names->items[i]);
    if ((int64_t)names->len < count)
        buf_addf(&list, " and %lld more", (long long)(count - (int64_t)names->len));
    worker_warning(worker, "%s: %s", what, buf_text(&list));
    buf_dispose(&list);
}

static char *subject_of(git_commit *commit)
{
    const char *summary = git_commit_summary(commit);
    struct buf text;

    if (!summary)
        return NULL;
    buf_init(&text, 4096);
    path_show((struct view){summary, strnlen(summary, 1000)}, &text);
    if (text.len > SUBJECT_MAX)
        text.data[utf8_cut((struct view){text.data, text.len}, SUBJECT_MAX)] = '\0';
    return buf_take(&text);
}

static int fill_result(const struct remote *remote, git_repository *repository, struct fetched *fetched,
                       const struct tree_report *report, struct checkout_result *result, struct error *err)
{
    git_commit *commit;

    if (git_commit_lookup(&commit, repository, &fetched->commit))
        return store_error("reading the commit", git_repository_path(repository), err);
    git_oid_tostr(result->commit, sizeof result->commit, &fetched->commit);
    result->ref = fetched->ref;
    fetched->ref = NULL;
    result->subject = subject_of(commit);
    result->commit_time_ms = git_commit_time(commit) * 1000;
    result->files = report->files;
    result->bytes_received = remote->bytes_received;
    result->objects = remote->objects;
    git_commit_free(commit);
    return 0;
}

static int take_tree(struct remote *remote, git_repository *repository, struct worker *worker, struct fetched *fetched,
                     struct checkout_result *result, struct error *err)
{
    struct tree_report report;
    int status;

    if (tree_check(repository, &fetched->commit, remote->request->max_bytes, &report, err))
        return error_context(err, "%s", remote->shown);
    warn(worker, "submodules are not checked out yet", report.submodules, &report.submodule_names);
    warn(worker, "Git LFS files stay pointers", report.lfs_files, &report.lfs_names);
    status = worktree_write(repository, fetched, &report, worker, err);
    if (status == 0)
        status = fill_result(remote, repository, fetched, &report, result, err);
    tree_report_dispose(&report);
    return status;
}

/* While the connection is new: its list of references ends with it. */
static void note_refs(const struct remote *remote, struct checkout_result *result)
{
    const char *ref = remote->request->ref;

    result->default_ref = xstrdup(refs_default(remote->heads, remote->head_count));
    result->named_ref = ref ? xstrdup(refs_full_name(remote->heads, remote->head_count, ref)) : NULL;
}

static int run(struct worker *worker, const struct checkout_request *request, struct checkout_result *result,
               struct error *err)
{
    git_repository *repository = NULL;
    struct remote remote = {.request = NULL};
    struct fetched fetched = {.ref = NULL};
    int status = worktree_open(&repository, request->directory, err);

    if (status == 0)
        status = remote_open(&remote, repository, request, worker, err);
    if (status == 0)
        note_refs(&remote, result);
    if (status == 0)
        status = fetch_commit(&remote, repository, &fetched, err);
    if (status == 0)
        status = take_tree(&remote, repository, worker, &fetched, result, err);
    fetched_dispose(&fetched);
    remote_close(&remote);
    git_repository_free(repository);
    return status;
}

int checkout(struct worker *worker, const struct checkout_request *request, struct checkout_result *result,
             struct error *err)
{
    int64_t begin_ms = clock_monotonic_ms();
    int status;

    *result = (struct checkout_result){.ref = NULL};
    if (library_open(request, err))
        return -1;
    status = run(worker, request, result, err);
    if (status)
        checkout_result_dispose(result);
    result->duration_ms = clock_monotonic_ms() - begin_ms;
    return status;
}
