#include "proc/landlock.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "core/mem.h"

/* Headers of our oldest builder know only the first versions. The numbers are the same on all architectures. */
#define CREATE_RULESET 444L
#define ADD_RULE 445L
#define RESTRICT_SELF 446L
#define CREATE_VERSION 1u
#define RULE_PATH_BENEATH 1

#define FS_EXECUTE (1ull << 0)
#define FS_WRITE_FILE (1ull << 1)
#define FS_READ_FILE (1ull << 2)
#define FS_READ_DIR (1ull << 3)
#define FS_REMOVE_DIR (1ull << 4)
#define FS_MAKE_SYM (1ull << 12)
#define FS_REFER (1ull << 13)    /* version 2 */
#define FS_TRUNCATE (1ull << 14) /* version 3 */
#define SCOPE_ABSTRACT_UNIX_SOCKET (1ull << 0)
#define SCOPE_SIGNAL (1ull << 1) /* both: version 6 */

#define FS_READ (FS_EXECUTE | FS_READ_FILE)
#define FS_OF_FILES (FS_EXECUTE | FS_WRITE_FILE | FS_READ_FILE | FS_TRUNCATE)
/* All from removing to making, without the two that need a later version. */
#define FS_CHANGE_FOLDERS ((FS_MAKE_SYM << 1) - FS_REMOVE_DIR)

#define DEPTH_MAX 16 /* of a hidden folder */

struct ruleset_attributes {
    uint64_t handled_access_fs, handled_access_net, scoped;
};

struct path_beneath_attributes {
    uint64_t allowed_access;
    int32_t parent_fd;
} __attribute__((packed));

int landlock_version(void)
{
    struct path_beneath_attributes rule = {.parent_fd = -1};
    long version = syscall(CREATE_RULESET, NULL, 0ul, CREATE_VERSION);

    /* A profile may refuse some of the three calls only: those that it lets through complain about the descriptor. */
    if (version < 2 || (syscall(ADD_RULE, -1, RULE_PATH_BENEATH, &rule, 0u) < 0 && errno != EBADF) ||
        (syscall(RESTRICT_SELF, -1, 0u) < 0 && errno == ENOSYS))
        return 0;
    return (int)version;
}

static uint64_t handled_by(int version)
{
    uint64_t handled = FS_EXECUTE | FS_WRITE_FILE | FS_READ_FILE | FS_READ_DIR | FS_CHANGE_FOLDERS | FS_REFER;

    return version >= 3 ? handled | FS_TRUNCATE : handled;
}

/* What is missing needs no rule. `flags`: O_NOFOLLOW where a link's target has a path of its own. */
static int allow(int ruleset, const char *path, uint64_t access, int flags)
{
    struct path_beneath_attributes rule = {.allowed_access = access};
    struct stat status;
    int result;

    rule.parent_fd = open(path, O_PATH | O_CLOEXEC | flags);
    if (rule.parent_fd < 0)
        return errno == ENOENT || errno == EACCES || errno == ENOTDIR ? 0 : -1;
    result = fstat(rule.parent_fd, &status);
    if (result == 0 && !S_ISDIR(status.st_mode))
        rule.allowed_access &= FS_OF_FILES;
    if (result == 0 && !S_ISLNK(status.st_mode))
        result = (int)syscall(ADD_RULE, ruleset, RULE_PATH_BENEATH, &rule, 0u);
    close(rule.parent_fd);
    return result;
}

static bool is_beneath(const char *path, const char *folder)
{
    size_t len = strlen(folder);

    return strncmp(path, folder, len) == 0 && (path[len] == '/' || path[len] == '\0');
}

enum visibility { ALL_VISIBLE, PARTLY_HIDDEN, HIDDEN };

static enum visibility visibility_of(const char *path, const char *const *hidden)
{
    enum visibility visibility = ALL_VISIBLE;

    for (; *hidden; hidden++) {
        if (is_beneath(path, *hidden))
            return HIDDEN;
        if (is_beneath(*hidden, path))
            visibility = PARTLY_HIDDEN;
    }
    return visibility;
}

/* A rule counts for all beneath a folder, so one that hides something is taken apart. */
static int allow_visible(int ruleset, const char *folder, const char *const *hidden, int depth)
{
    DIR *entries = opendir(*folder ? folder : "/");
    const struct dirent *entry;
    int result = 0;

    if (!entries)
        return errno == ENOENT || errno == EACCES || errno == ENOTDIR ? 0 : -1;
    while (result == 0 && (entry = readdir(entries))) {
        CLEANUP_FREE char *path = NULL;

        if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
            continue;
        path = xasprintf("%s/%s", folder, entry->d_name);
        switch (visibility_of(path, hidden)) {
        case HIDDEN: break;
        case ALL_VISIBLE: result = allow(ruleset, path, FS_READ, O_NOFOLLOW); break;
        case PARTLY_HIDDEN: result = depth < DEPTH_MAX ? allow_visible(ruleset, path, hidden, depth + 1) : 0; break;
        }
    }
    closedir(entries);
    return result;
}

static int fill(int ruleset, int version, const struct landlock_wish *wish)
{
    const char *const *path;

    if (allow(ruleset, "/", FS_READ_DIR, 0) || allow_visible(ruleset, "", wish->hidden, 0))
        return -1;
    for (path = wish->visible; *path; path++)
        if (allow(ruleset, *path, FS_READ | FS_READ_DIR, 0))
            return -1;
    for (path = wish->owned; *path; path++)
        if (allow(ruleset, *path, handled_by(version), 0))
            return -1;
    return 0;
}

int landlock_make(int version, const struct landlock_wish *wish)
{
    struct ruleset_attributes attributes = {.handled_access_fs = handled_by(version)};
    size_t size = sizeof attributes.handled_access_fs;
    int ruleset, number;

    if (version >= 6) {
        attributes.scoped = SCOPE_ABSTRACT_UNIX_SOCKET | SCOPE_SIGNAL;
        size = sizeof attributes;
    }
    ruleset = (int)syscall(CREATE_RULESET, &attributes, size, 0u);
    if (ruleset < 0 || fill(ruleset, version, wish) == 0)
        return ruleset;
    number = errno;
    close(ruleset);
    errno = number;
    return -1;
}

int landlock_enforce(int ruleset)
{
    return syscall(RESTRICT_SELF, ruleset, 0u) < 0 ? errno : 0;
}
