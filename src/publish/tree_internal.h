/* What the parts of the tree share. */
#ifndef CAISSON_PUBLISH_TREE_INTERNAL_H
#define CAISSON_PUBLISH_TREE_INTERNAL_H

#include "core/utf8.h"
#include "publish/tree.h"

/* fs_open_beneath with the reader's fsuid and fsgid when we are root. */
int tree_open_beneath(const struct publish_request *request, int folder_fd, const char *path, int flags);
/* Ours and git's own files, at any depth: the one would be taken for state, the other often holds the whole history. */
bool tree_is_never_published(struct view name);
/* The reader may not read it: what to do about that. -1. */
int tree_hint_unreadable(const struct publish_request *request, int error_number, struct error *err);
int tree_refuse_unreadable(const struct publish_request *request, const char *path, int error_number,
                           struct error *err);
int tree_refuse_changed(const char *path, struct error *err);

#endif
