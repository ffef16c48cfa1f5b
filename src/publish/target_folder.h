/* What the files of the folder target share: target_folder.c has files and state, target_folder_list.c lists them. */
#ifndef CAISSON_PUBLISH_TARGET_FOLDER_H
#define CAISSON_PUBLISH_TARGET_FOLDER_H

#include <sys/stat.h>

#include "publish/target.h"

#define FOLDER_STATES ".caisson"
#define FOLDER_NEW_NAME ".caisson-new" /* what is being written; in the folder itself, so that a rename suffices */

/* What stands in for an ETag. Caller frees. */
char *folder_tag(const struct stat *st);
/* As `list` of struct target_type; fd is the folder's. */
int folder_list(int fd, const char *uri, const bool *stop,
                void (*found)(void *context, const char *path, const char *etag, int64_t size), void *context,
                struct error *err);

#endif
