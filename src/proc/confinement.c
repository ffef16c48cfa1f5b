#include "proc/confinement.h"

#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <linux/capability.h>
#include <pwd.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "core/mem.h"
#include "core/protection.h"
#include "proc/landlock.h"

/* Variables of a command that name files which its programs read wherever they lie. */
static const char *const named_files[] = {"SSL_CERT_FILE", "SSL_CERT_DIR", "NODE_EXTRA_CA_CERTS"};

/* Beside the workspace: temporary files, devices, and what programs write about themselves. */
static const char *const owned_folders[] = {"/tmp", "/var/tmp", "/dev", "/proc"};

/* What a program that lies in a folder called bin needs of the folders beside it. Never all of their parent: that may
 * be a home. */
static const char *const beside_bin[] = {"bin", "sbin", "lib", "lib64", "libexec", "include", "share/man"};

#define LINKS_MAX 512 /* of one folder of PATH that are followed */

/* ---- what is visible beside what is hidden ---- */

#define LINKS_FOLLOWED 40 /* of one path, as the kernel does */

static bool lies_in(const char *path, const struct strings *folders)
{
    size_t i;

    for (i = 0; i < folders->len; i++) {
        size_t len = strlen(folders->items[i]);

        if (strncmp(path, folders->items[i], len) == 0 && (path[len] == '/' || path[len] == '\0'))
            return true;
    }
    return false;
}

struct course {
    char *real; /* where we are; "" is the root */
    char *rest; /* what is left to go */
    int links;
};

static void replace(char **text, char *by)
{
    free(*text);
    *text = by;
}

/* One name of it. False: it is not there, or the build may have made it. */
static bool go_on(struct course *course, const struct strings *owned)
{
    const char *name = course->rest + strspn(course->rest, "/");
    int len = (int)strcspn(name, "/");
    char target[PATH_MAX];
    ssize_t target_len;
    char *next;

    if (len == 0 || (len == 1 && *name == '.')) {
        replace(&course->rest, xstrdup(name + len));
        return true;
    }
    if (len == 2 && strncmp(name, "..", 2) == 0) {
        char *up = strrchr(course->real, '/');

        if (up)
            *up = '\0';
        replace(&course->rest, xstrdup(name + len));
        return true;
    }
    next = xasprintf("%s/%.*s", course->real, len, name);
    if (lies_in(next, owned)) {
        free(next);
        return false;
    }
    target_len = readlink(next, target, sizeof target);
    if (target_len < 0) {
        bool is_no_link = errno == EINVAL;

        replace(&course->rest, xstrdup(name + len));
        replace(&course->real, next);
        return is_no_link;
    }
    free(next);
    replace(&course->rest, xasprintf("%.*s/%s", (int)target_len, target, name + len));
    if (target[0] == '/')
        course->real[0] = '\0';
    return target_len < (ssize_t)sizeof target && ++course->links <= LINKS_FOLLOWED;
}

/* As realpath, but never by way of what the build owns, which is visible anyway: a link that an earlier command left
 * there would show what is hidden. NULL: there is no such way. Caller frees. */
static char *trusted_path(const char *path, const struct strings *owned)
{
    struct course course = {xstrdup(""), xstrdup(path), 0};
    bool arrives = true;

    while (arrives && *course.rest)
        arrives = go_on(&course, owned);
    free(course.rest);
    if (arrives && *course.real)
        return course.real;
    free(course.real);
    return NULL;
}

static void add_trusted(struct strings *visible, const char *path, const struct strings *owned)
{
    char *real = trusted_path(path, owned);

    if (real)
        strings_take(visible, real);
}

static void add_installation(struct strings *visible, const char *bin, const struct strings *owned)
{
    const char *name = strrchr(bin, '/');
    size_t i;

    strings_add(visible, bin);
    if (name && (strcmp(name, "/bin") == 0 || strcmp(name, "/sbin") == 0))
        for (i = 0; i < ARRAY_LEN(beside_bin); i++) {
            CLEANUP_FREE char *beside = xasprintf("%.*s/%s", (int)(name - bin), bin, beside_bin[i]);

            add_trusted(visible, beside, owned);
        }
}

/* Of a folder of PATH also what its links lead to: "~/.local/bin/node -> ~/opt/node-20/bin/node". */
static void add_path_folder(struct strings *visible, const char *folder, const struct strings *owned)
{
    CLEANUP_FREE char *real = trusted_path(folder, owned);
    const struct dirent *entry;
    DIR *entries;
    int links = 0;

    if (!real || !(entries = opendir(real)))
        return;
    add_installation(visible, real, owned);
    while (links < LINKS_MAX && (entry = readdir(entries))) {
        CLEANUP_FREE char *path = entry->d_type == DT_LNK ? xasprintf("%s/%s", real, entry->d_name) : NULL;
        CLEANUP_FREE char *target = path ? trusted_path(path, owned) : NULL;
        char *end = target ? strrchr(target, '/') : NULL;

        links += path != NULL;
        if (!end || end == target)
            continue;
        *end = '\0';
        if (!strings_has(visible, target))
            add_installation(visible, target, owned);
    }
    closedir(entries);
}

/* Without a container the programs that the command needs may lie in the home that is hidden from it. */
static void find_visible(struct strings *visible, const struct command *command, const struct strings *owned)
{
    const char *path = env_get(&command->env, "PATH");
    size_t i;

    for (i = 0; i < ARRAY_LEN(named_files); i++) {
        const char *file = env_get(&command->env, named_files[i]);

        if (file && file[0] == '/')
            add_trusted(visible, file, owned);
    }
    while (path && *path) {
        size_t len = strcspn(path, ":");
        CLEANUP_FREE char *folder = xstrndup(path, len);

        if (folder[0] == '/')
            add_path_folder(visible, folder, owned);
        path += len + (path[len] == ':');
    }
}

static void add_owned(struct strings *owned, const char *folder)
{
    char *real = realpath(folder, NULL);

    strings_add(owned, folder);
    if (real)
        strings_take(owned, real);
}

static int make_ruleset(int version, const struct executor_options *options, const struct command *command)
{
    const struct passwd *user = options->pid1 ? getpwuid(options->build_uid) : NULL;
    struct strings hidden = {0}, visible = {0}, owned = {0};
    size_t i;
    int ruleset;

    for (i = 0; options->hidden && i < options->hidden->len; i++)
        strings_add(&hidden, options->hidden->items[i]);
    for (i = 0; i < ARRAY_LEN(owned_folders); i++)
        add_owned(&owned, owned_folders[i]);
    add_owned(&owned, command->workspace);
    /* In an image the user's home is made for builds: caches lie there. */
    if (user && user->pw_dir && strlen(user->pw_dir) > 1)
        add_owned(&owned, user->pw_dir);
    find_visible(&visible, command, &owned);
    strings_add(&visible, "/etc/resolv.conf"); /* often a link to where its maker works */
    if (!hidden.items)
        strings_add(&hidden, "/nothing/is/hidden");
    ruleset = landlock_make(version, &(struct landlock_wish){.hidden = (const char *const *)hidden.items,
                                                             .visible = (const char *const *)visible.items,
                                                             .owned = (const char *const *)owned.items});
    strings_dispose(&hidden);
    strings_dispose(&visible);
    strings_dispose(&owned);
    return ruleset;
}

/* A root build writes all over its container's files, which is what it is for. */
static bool wants_landlock(const struct confinement *confinement, const struct command *command)
{
    return command->user == COMMAND_AS_BUILD && !command->self && command->workspace && !confinement->root;
}

static enum seccomp_subject subject_of(const struct confinement *confinement)
{
    if (confinement->drop_root)
        return SECCOMP_OTHER_UID;
    return geteuid() == 0 ? SECCOMP_ROOT : SECCOMP_OUR_UID;
}

static bool may_make_namespaces(void)
{
    struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
    struct __user_cap_data_struct sets[_LINUX_CAPABILITY_U32S_3] = {{0}};

    return syscall(SYS_capget, &header, sets) == 0 && (sets[0].effective >> CAP_SYS_ADMIN & 1);
}

/* What is not confined must confine what it runs: in a container as the platform gives them it cannot. */
static int check_contained(const struct executor_options *options, const struct command *command, struct error *err)
{
    if (!command->contains_itself || !options->pid1 || may_make_namespaces())
        return 0;
    error_set(err, CLASS_USAGE, "cannot-contain-itself",
              "%s makes containers of its own, which this container does not allow (CAP_SYS_ADMIN)", command->name);
    return error_hint(err, "use the engine kaniko in containers");
}

int confinement_make(struct confinement *confinement, const struct executor_options *options,
                     const struct command *command, struct error *err)
{
    bool confined = !command->contains_itself;
    int version;

    *confinement = (struct confinement){.ruleset = -1};
    if (check_contained(options, command, err))
        return -1;
    *confinement = (struct confinement){
        .drop_root = executor_drops_root(options, command, geteuid()),
        .root = confined && executor_is_root_build(options, command, geteuid()),
        .uid = options->build_uid,
        /* A root build has our own group. */
        .gid = executor_drops_root(options, command, geteuid()) ? options->build_gid : getegid(),
        .drop_capabilities = confined && PROTECTED(CAPABILITIES),
        .no_new_privs = confined && PROTECTED(NO_NEW_PRIVS),
        .raise_oom_score = PROTECTED(OOM_SCORE),
        .limit = PROTECTED(RESOURCE_LIMITS),
        .limits = command->limits,
        .ruleset = -1,
    };
    /* Whose uid is ours shares the number of its processes with everything that we run. */
    if (!confinement->drop_root)
        confinement->limits.processes = 0;
    /* The kernel lets only those filter themselves who can gain nothing any more. */
    if (!confinement->no_new_privs)
        return 0;
    if (PROTECTED(SECCOMP) && seccomp_available() && !(command->self && memory_is_leak_checked()))
        confinement->filter_len = seccomp_build(SECCOMP_NATIVE, subject_of(confinement), confinement->filter);
    version = PROTECTED(LANDLOCK) && wants_landlock(confinement, command) ? landlock_version() : 0;
    if (version) {
        confinement->ruleset = make_ruleset(version, options, command);
        if (confinement->ruleset < 0)
            return error_set_errno(err, CLASS_INTERNAL, "confinement-failed", errno,
                                   "%s: cannot keep it from files that are not its own", command->name);
    }
    return 0;
}

void confinement_dispose(struct confinement *confinement)
{
    if (confinement->ruleset >= 0)
        close(confinement->ruleset);
    confinement->ruleset = -1;
}

void confinement_describe(const struct executor_options *options, struct buf *out)
{
    const struct command command = {.user = COMMAND_AS_BUILD};
    bool own_user = executor_drops_root(options, &command, geteuid());
    bool root = executor_is_root_build(options, &command, geteuid());
    int version = landlock_version();
    const char *gap = "; missing here: ";

    if (own_user)
        buf_addf(out, "build uid %u, no capabilities, ", (unsigned)options->build_uid);
    else if (root)
        buf_adds(out, "the build is root with few capabilities, ");
    else
        buf_addf(out, "the build runs with our own uid %u, ", (unsigned)getuid());
    buf_adds(out, "no_new_privs, ");
    if (seccomp_available())
        buf_adds(out, "system call filter, ");
    if (version && !root)
        buf_addf(out, "files confined (Landlock %d), ", version);
    buf_adds(out, "resource limits, own session, no core dumps");
    if (!seccomp_available()) {
        buf_addf(out, "%sa system call filter (the kernel or a profile refuses seccomp)", gap);
        gap = ", ";
    }
    if (root && !standing_has_saved_uid()) {
        buf_addf(out, "%sa saved uid of ours", gap);
        gap = ", ";
    }
    if (root)
        buf_addf(out, "%sa user of its own (--build-uid 0), confined files", gap);
    else if (!version)
        buf_addf(out, "%sconfined files (Landlock is not in this kernel, or refused)", gap);
    else if (!own_user)
        buf_addf(out, "%sa user of its own (we are not root)", gap);
}
