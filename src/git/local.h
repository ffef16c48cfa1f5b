/* A repository in a folder of this machine (file:): libgit2's own local transport knows no depth. */
#ifndef CAISSON_GIT_LOCAL_H
#define CAISSON_GIT_LOCAL_H

#include "git/remote.h"

/* The path of a file: URL or a plain absolute path. Caller frees; NULL when it is neither. */
char *local_path(const char *repository);
/* Copies a commit, or a tag and its commit, with all that its tree holds and without history. The tree is checked
 * before. CLASS_REF_NOT_FOUND, reason "commit-not-found", when there is no such object. */
int local_copy(struct remote *remote, git_repository *repository, const git_oid *id, struct error *err);

#endif
