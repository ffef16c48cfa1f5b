/*
 * Every protection between the build and what is ours, by name. In the program that we release each of them is simply
 * on: PROTECTED(NAME) is the constant true, and nothing can change that. One test-only binary (CMake option
 * CAISSON_MUTANT) can switch them off at run time, so that a test can show that the attack which a protection is there
 * for succeeds without it: a protection that no test misses is not there. It reads the names, one a line, from
 * PROTECTIONS_OFF_FILE.
 *
 * A new protection is a line here, `if (PROTECTED(NAME))` where it acts, and an attack in tests/e2e/attacks.
 */
#ifndef CAISSON_CORE_PROTECTION_H
#define CAISSON_CORE_PROTECTION_H

#include <stdbool.h>

/* Sorted by where they act. */
#define PROTECTIONS(X)                                                                                                 \
    X(MEMORY_HIDDEN, "memory-hidden")         /* our processes are not dumpable */                                     \
    X(ENVIRONMENT_WIPED, "environment-wiped") /* /proc/1/environ is empty */                                           \
    X(OWN_SAVED_UID, "own-saved-uid")         /* PID 1's saved uid keeps root's prlimit away */                        \
    X(OOM_SCORE, "oom-score")                 /* the kernel takes the build before us */                               \
    X(STOP_GENUINE, "stop-genuine")           /* a stop from inside the PID namespace is none */                       \
    X(BUILD_UID, "build-uid")                 /* the build runs as another user */                                     \
    X(CAPABILITIES, "capabilities")           /* … with empty sets and bounding set; root builds lack some */        \
    X(NO_NEW_PRIVS, "no-new-privs")                                                                                    \
    X(SECCOMP, "seccomp")                                                                                              \
    X(LANDLOCK, "landlock")                                                                                            \
    X(RESOURCE_LIMITS, "resource-limits")                                                                              \
    X(DESCRIPTORS, "descriptors")         /* only the three standard ones */                                           \
    X(CLEAN_ENVIRON, "clean-environ")     /* allow-listed environment of steps and empty one of workers */             \
    X(SWEEP, "sweep")                     /* nothing outlives a step */                                                \
    X(CONFINED_OPEN, "confined-open")     /* output is opened beneath its folder, without links */                     \
    X(FILE_CHECKS, "file-checks")         /* … regular, owner, link count, size */                                   \
    X(FILES_RESTORED, "files-restored") /* hosts, resolv.conf and the CA bundle, after a root build here */            \
    X(SAME_CHECKOUT, "same-checkout")     /* the checkout is still the folder that we made */                          \
    X(OPEN_AS_BUILD, "open-as-build")     /* … with the build's fsuid */                                             \
    X(LAYOUT_CONFINED, "layout-confined") /* an image's layout is opened beneath its folder, without links */          \
    X(LAYOUT_FILES, "layout-files")       /* … regular files of one name and of the size that is said */             \
    X(LAYOUT_HASHED, "layout-hashed")     /* … whose content is what its digest says when it is sent */              \
    X(OUTPUT_SCAN, "output-scan")         /* published files hold no secret */                                         \
    X(REDACTION, "redaction")                                                                                          \
    X(LOG_ESCAPES, "log-escapes")       /* no terminal control, no forged lines of ours */                             \
    X(RESERVED_NAMES, "reserved-names") /* env and secrets cannot set AWS_*, LD_*, … */                              \
    X(SECRET_STEPS, "secret-steps")     /* a secret reaches the steps that are named for it, no other */               \
    X(SECRET_FILES, "secret-files")     /* files of secrets are overwritten and removed after their step */            \
    X(MEMORY_WATCH, "memory-watch")                                                                                    \
    X(DISK_WATCH, "disk-watch")                                                                                        \
    X(SANDBOX_ONCE, "sandbox-once")       /* its socket is accepted once, its path gone before the first command */    \
    X(SANDBOX_PEER, "sandbox-peer")       /* the peer of the socket is root */                                         \
    X(SANDBOX_STOPPED, "sandbox-stopped") /* task metadata must say STOPPED before publishing */                       \
    X(SELF_BY_DESCRIPTOR, "self-by-descriptor") /* workers are run from an open descriptor, never from a path */

enum protection {
#define X(name, text) PROTECT_##name,
    PROTECTIONS(X)
#undef X
        PROTECTION_COUNT
};

#ifdef CAISSON_MUTANT
#define PROTECTIONS_OFF_FILE "/etc/caisson/protections-off"
bool protection_on(enum protection protection);
#define PROTECTED(name) protection_on(PROTECT_##name)
#else
#define PROTECTED(name) true
#endif

#endif
