/* Who builds, in `caisson run` and in `caisson sandbox`. */
#ifndef CAISSON_CLI_BUILD_USER_H
#define CAISSON_CLI_BUILD_USER_H

#include <stdbool.h>
#include <sys/types.h>

#include "core/error.h"

/* --build-uid (`wanted`; NULL: not given), else the image's user `node`, else 1000. Only root can choose: everybody else
 * builds as himself. 0 makes builds root, with few capabilities. 0 or CLASS_USAGE. */
int build_user_choose(const char *wanted, uid_t *uid, gid_t *gid, struct error *err);

/* Where the kaniko image keeps its own: all else goes when Kaniko makes room for a base image. */
#define KANIKO_FOLDER "/kaniko"
/* Whether this is that image. */
bool build_user_image_is_kaniko(void);

#endif
