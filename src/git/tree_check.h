/*
 * Looks through all of a commit's tree before any file of it is written: refuses what could leave the folder or stand
 * for something else (CLASS_CONTENT_REFUSED, with the path), and learns what the checkout has to know.
 */
#ifndef CAISSON_GIT_TREE_CHECK_H
#define CAISSON_GIT_TREE_CHECK_H

#include <git2.h>
#include <stdbool.h>
#include <stdint.h>

#include "core/error.h"
#include "core/strings.h"

#define TREE_NAMED_MAX 5 /* examples that a warning names */

struct tree_report {
    int64_t files; /* and links */
    int64_t bytes; /* of the files; only counted when there is a limit */
    bool converts; /* .gitattributes asks for a conversion on checkout */
    bool has_lfs;  /* .gitattributes names the LFS filter */
    int64_t submodules, lfs_files;
    struct strings submodule_names, lfs_names; /* the first TREE_NAMED_MAX of each */
};
void tree_report_dispose(struct tree_report *report);

/* max_bytes 0: none. On failure the report is empty. */
int tree_check(git_repository *repository, const git_oid *commit, int64_t max_bytes, struct tree_report *report,
               struct error *err);

#endif
