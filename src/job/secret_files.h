/*
 * Secrets that a command gets as files (as: file, as: npmrc): made just before it, in a folder of the workspace that is
 * ours and not the build's, so that nothing in it can be replaced; readable by the build's user alone; overwritten
 * and removed when the command has ended, by then with all its processes.
 */
#ifndef CAISSON_JOB_SECRET_FILES_H
#define CAISSON_JOB_SECRET_FILES_H

#include "job/job.h"

struct secret_files;
struct secret_text {
    const char *name; /* of the file */
    const char *value;
};
/* Writes those of the step. *files is NULL when there are none. CLASS_INTERNAL or CLASS_DISK_FULL. */
int secret_files_make(struct secret_files **files, const struct job *job, const char *step, struct error *err);
/* Any others; borrowed. *files is NULL when there are none. */
int secret_files_make_of(struct secret_files **files, const struct job *job, const struct secret_text *texts,
                         size_t len, struct error *err);
/* NULL is fine. */
void secret_files_remove(struct secret_files *files);
/* Where the file of a secret is. Caller frees. */
char *secret_file_path(const struct job *job, const char *name);

#endif
