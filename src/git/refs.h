/* Which of a remote's references a request means, and which ones it may have meant. */
#ifndef CAISSON_GIT_REFS_H
#define CAISSON_GIT_REFS_H

#include <git2.h>

#include "core/error.h"

/* The reference that `name` (branch, tag, full name; NULL: the default branch) stands for, as its full name; *id gets
 * what it points to. Caller frees *full. Errors: CLASS_REF_NOT_FOUND. `where` is for messages. */
int refs_resolve(const git_remote_head *const *heads, size_t count, const char *name, const char *where, char **full,
                 git_oid *id, struct error *err);
/* Whether some reference points to the commit; borrowed name or NULL. */
const char *refs_pointing_to(const git_remote_head *const *heads, size_t count, const git_oid *id);

/* The full name of the branch that the remote's HEAD stands for, as far as the server says so; borrowed or NULL. */
const char *refs_default(const git_remote_head *const *heads, size_t count);
/* The full name of what `name` names, as refs_resolve finds it; borrowed or NULL. */
const char *refs_full_name(const git_remote_head *const *heads, size_t count, const char *name);

#endif
