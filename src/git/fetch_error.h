/* What libgit2 says when a fetch fails, as a class, a reason, and what to do. */
#ifndef CAISSON_GIT_FETCH_ERROR_H
#define CAISSON_GIT_FETCH_ERROR_H

#include "core/error.h"
#include "git/remote.h"

/* Fills *err from libgit2's last error: what was asked for, of which server, and what came of it. Returns -1. */
int fetch_error(const struct remote *remote, struct error *err);
/* A failure on our own side: writing .git or the worktree. */
int store_error(const char *doing, const char *where, struct error *err);

#endif
