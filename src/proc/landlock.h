/*
 * Landlock (Linux 5.13 and later; we need 5.19, whose second version lets files be moved between folders): a process
 * takes from itself, and from all that it starts, the right to files that no rule names. Only files and, where the
 * kernel has it, signals and abstract sockets towards processes outside: never ports. Source: the kernel's
 * Documentation/userspace-api/landlock.rst.
 */
#ifndef CAISSON_PROC_LANDLOCK_H
#define CAISSON_PROC_LANDLOCK_H

#include <stddef.h>

/* The version that the kernel has; 0: none that we can use, or it is forbidden. */
int landlock_version(void);

struct landlock_wish {
    const char *const *hidden;  /* what must not be read; NULL-terminated, absolute; may be missing */
    const char *const *visible; /* read all the same, beneath what is hidden; NULL-terminated */
    const char *const *owned;   /* may be read and changed; NULL-terminated */
};
/* A ruleset, close-on-exec; -1 with errno: none. Names in folders stay visible everywhere, contents do not. */
int landlock_make(int version, const struct landlock_wish *wish);
/* In the child, after no_new_privs: async-signal-safe. 0 or an errno. */
int landlock_enforce(int ruleset);

#endif
