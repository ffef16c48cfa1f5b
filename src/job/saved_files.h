/*
 * A build that is root in our own container can write what name lookup and TLS of ours go by: /etc/hosts,
 * /etc/resolv.conf, the bundle of CAs. They are read before its first command, and put back when nothing of the build
 * lives any more and before anything of ours is sent to anybody.
 */
#ifndef CAISSON_JOB_SAVED_FILES_H
#define CAISSON_JOB_SAVED_FILES_H

#include "core/error.h"

struct saved_files;
/* ca_bundle: the one that we use; NULL: none. CLASS_INTERNAL "files-unreadable". */
int saved_files_read(struct saved_files **files, const char *ca_bundle, struct error *err);
/* All as they were, verified: written in place where that is possible (they may be mounts), else made anew; links and
 * folders in their place, or in that of a folder on the way, go. What was not there is removed. NULL is fine.
 * CLASS_OUTPUT_REFUSED "files-replaced": nothing may be sent. */
int saved_files_restore(const struct saved_files *files, struct error *err);
/* NULL is fine. */
void saved_files_free(struct saved_files *files);

/* The same beneath a folder instead of "/", for tests. */
int saved_files_read_in(struct saved_files **files, const char *root, const char *ca_bundle, struct error *err);

#endif
