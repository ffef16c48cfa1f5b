#include "cli/build_user.h"

#include <pwd.h>
#include <stdlib.h>
#include <unistd.h>

#define DEFAULT_BUILD_UID 1000

static int parse_id(const char *text, unsigned *id)
{
    char *end;
    unsigned long value = strtoul(text, &end, 10);

    if (!*text || *end || value > 0x7fffffff)
        return -1;
    *id = (unsigned)value;
    return 0;
}

bool build_user_image_is_kaniko(void)
{
    return access(KANIKO_FOLDER "/executor", X_OK) == 0;
}

int build_user_choose(const char *wanted, uid_t *uid, gid_t *gid, struct error *err)
{
    const struct passwd *entry;
    unsigned id = DEFAULT_BUILD_UID;

    *uid = geteuid();
    *gid = getegid();
    if (geteuid() != 0)
        return 0;
    if (wanted && parse_id(wanted, &id)) {
        error_set(err, CLASS_USAGE, "bad-build-uid", "--build-uid cannot be %s: a user's number", wanted);
        return error_hint(err, "give the number of a user, as in --build-uid 1000, or leave it out");
    }
    /* Only in so many words, and those are the operator's. */
    if (wanted && id == 0) {
        *uid = 0;
        *gid = 0;
        return 0;
    }
    entry = wanted ? getpwuid(id) : getpwnam("node");
    if (entry && entry->pw_uid == 0) /* an image may call root anything */
        entry = NULL;
    *uid = entry ? entry->pw_uid : id;
    *gid = entry ? entry->pw_gid : id;
    return 0;
}
