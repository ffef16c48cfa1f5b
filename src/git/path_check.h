/*
 * Names that a tree may hold. A repository is a stranger's: a name that leaves the folder, or that some file system
 * takes for ".git", is refused on every system, as the same tree is checked out on others too.
 */
#ifndef CAISSON_GIT_PATH_CHECK_H
#define CAISSON_GIT_PATH_CHECK_H

#include <stdbool.h>
#include <stddef.h>

#include "core/buf.h"

/* What is wrong with one name of a tree, in words (static), or NULL. */
const char *path_fault(struct view name);
/* Whether a name is `special` (".gitmodules") or what NTFS or HFS+ would take for it. */
bool path_is_like(struct view name, const char *special);
/* Appends the name as a file system that folds case sees it: two names that fold to the same are one file there. */
void path_fold(struct view name, struct buf *out);
/* Appends a path for messages: valid UTF-8, control characters as "?". */
void path_show(struct view path, struct buf *out);

#endif
