/* Who builds, in `caisson run` and in `caisson sandbox`. */
#ifndef CAISSON_CLI_BUILD_USER_H
#define CAISSON_CLI_BUILD_USER_H

#include <sys/types.h>

#include "core/error.h"

/* --build-uid (`wanted`; NULL: not given), else the image's user `node`, else 1000. Only root can choose: everybody else
 * builds as himself. 0 makes builds root, with few capabilities. 0 or CLASS_USAGE. */
int build_user_choose(const char *wanted, uid_t *uid, gid_t *gid, struct error *err);

#endif
