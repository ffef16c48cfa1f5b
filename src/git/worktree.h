/* The new repository and its files. */
#ifndef CAISSON_GIT_WORKTREE_H
#define CAISSON_GIT_WORKTREE_H

#include "git/fetch.h"
#include "git/tree_check.h"

/* Makes the folder where it does not exist, refuses one that is not empty, and starts a repository in it. */
int worktree_open(git_repository **repository, const char *directory, struct error *err);
/* Writes HEAD and the one reference, then the files. */
int worktree_write(git_repository *repository, const struct fetched *fetched, const struct tree_report *report,
                   struct worker *worker, struct error *err);

#endif
