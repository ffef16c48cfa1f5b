#include "git/worktree.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>

#include "core/fs.h"
#include "core/mem.h"
#include "git/fetch_error.h"

static int folder_error(const char *directory, int errno_value, struct error *err)
{
    return error_set_errno(err, errno_value == ENOSPC ? CLASS_DISK_FULL : CLASS_INTERNAL, "checkout-failed",
                           errno_value, "%s", directory);
}

static int check_empty(const char *directory, struct error *err)
{
    DIR *folder = opendir(directory);
    const struct dirent *entry;
    int count = 0;

    if (!folder)
        return folder_error(directory, errno, err);
    while ((entry = readdir(folder)))
        count += strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0;
    closedir(folder);
    return count == 0 ? 0 : folder_error(directory, ENOTEMPTY, err);
}

int worktree_open(git_repository **repository, const char *directory, struct error *err)
{
    git_repository_init_options options;
    int result = fs_make_folders(directory, 0755);

    if (result)
        return folder_error(directory, -result, err);
    if (check_empty(directory, err))
        return -1;
    git_repository_init_options_init(&options, GIT_REPOSITORY_INIT_OPTIONS_VERSION);
    options.flags = GIT_REPOSITORY_INIT_NO_REINIT;
    if (git_repository_init_ext(repository, directory, &options))
        return store_error("starting a repository", directory, err);
    return 0;
}

/* A branch that was asked for becomes the current one; a tag is kept beside a detached HEAD. */
static int write_head(git_repository *repository, const struct fetched *fetched)
{
    bool is_branch = fetched->ref && strncmp(fetched->ref, "refs/heads/", 11) == 0;
    bool is_tag = fetched->ref && strncmp(fetched->ref, "refs/tags/", 10) == 0;
    const git_oid *id = git_oid_is_zero(&fetched->tag) ? &fetched->commit : &fetched->tag;
    git_reference *reference = NULL;
    int result = 0;

    if (is_branch || is_tag)
        result = git_reference_create(&reference, repository, fetched->ref, is_tag ? id : &fetched->commit, 1, NULL);
    git_reference_free(reference);
    if (result)
        return result;
    return is_branch ? git_repository_set_head(repository, fetched->ref)
                     : git_repository_set_head_detached(repository, &fetched->commit);
}

static void on_checkout(const char *path, size_t done, size_t total, void *payload)
{
    (void)path;
    if (payload && total)
        worker_progress(payload, "writing files %zu %%", done * 100 / total);
}

int worktree_write(git_repository *repository, const struct fetched *fetched, const struct tree_report *report,
                   struct worker *worker, struct error *err)
{
    git_checkout_options options;
    git_object *commit = NULL;
    int result;

    git_checkout_options_init(&options, GIT_CHECKOUT_OPTIONS_VERSION);
    /* The folder is empty and the tree was checked: what is in the way is our own fault. */
    options.checkout_strategy = GIT_CHECKOUT_FORCE | GIT_CHECKOUT_DONT_REMOVE_EXISTING;
    options.disable_filters = !report->converts;
    options.progress_cb = on_checkout;
    options.progress_payload = worker;
    result = git_object_lookup(&commit, repository, &fetched->commit, GIT_OBJECT_COMMIT);
    if (result == 0)
        result = git_checkout_tree(repository, commit, &options);
    if (result == 0)
        result = write_head(repository, fetched);
    git_object_free(commit);
    return result ? store_error("writing the files", git_repository_workdir(repository), err) : 0;
}
