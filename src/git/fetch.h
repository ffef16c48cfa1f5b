/* Gets one commit from a connected remote into a repository, as shallow as the server lets us. */
#ifndef CAISSON_GIT_FETCH_H
#define CAISSON_GIT_FETCH_H

#include "git/remote.h"

struct fetched {
    git_oid commit;
    git_oid tag; /* the annotated tag's object; zero: none */
    char *ref;   /* what it was resolved from; NULL for a bare commit */
};
void fetched_dispose(struct fetched *fetched);

int fetch_commit(struct remote *remote, git_repository *repository, struct fetched *fetched, struct error *err);

#endif
