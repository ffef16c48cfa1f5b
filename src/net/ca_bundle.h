/*
 * Bundles of CAs as they were when they were first named. Whom a connection may trust is decided by them, and the libraries
 * read the file again for one connection or another: by then a build that is root beside us may have put its own there, or
 * a pipe at which the reader waits for ever. So each is read once, into a sealed file in memory, and that is what libraries
 * are told to read. The copies live as long as the loop: curl's multi handle remembers them by their path.
 */
#ifndef CAISSON_NET_CA_BUNDLE_H
#define CAISSON_NET_CA_BUNDLE_H

#include "net/loop.h"

/* What to give to a library in place of the path; borrowed from the loop. NULL is the first of the usual places
 * (http_ca_places) where there is one, and stays NULL where there is none; a path that was given out here stays what it is.
 * Of what is not a file that can be read (at most 4 MiB) it is a path that leads nowhere, now and later, and ends in the one
 * that was asked for: the library says so when it connects. */
const char *ca_bundle_hold(struct loop *loop, const char *path);

/* For the loop. */
struct ca_bundles;
void ca_bundles_free(struct ca_bundles *bundles);
/* The name of a bundle that could not be read when it was to be held; NULL: it was. Borrowed. */
const char *ca_bundle_lacking(const char *held);

#endif
