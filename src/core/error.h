/*
 * Errors are values. A failing function fills one `struct error` where it fails (error_set), callers on the way up add
 * what they were doing (error_context), and only main prints it. The class decides the exit code; `retryable` decides
 * retries. On success the error is left untouched. No allocation: an error can always be reported.
 */
#ifndef CAISSON_CORE_ERROR_H
#define CAISSON_CORE_ERROR_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>

/* The value of a class is the program's exit code (docs/spec.md, "Exit codes"): these numbers are a promise. */
enum error_class {
    CLASS_SUCCEEDED = 0,
    CLASS_USAGE = 2,
    CLASS_SPEC_INVALID = 10,
    CLASS_SPEC_NOT_FOUND = 11,
    CLASS_SECRET_UNAVAILABLE = 12,
    CLASS_SOURCE_UNREACHABLE = 20,
    CLASS_SOURCE_NOT_AUTHORIZED = 21,
    CLASS_REF_NOT_FOUND = 22,
    CLASS_CONTENT_REFUSED = 23,
    CLASS_INSTALL_FAILED = 30,
    CLASS_BUILD_FAILED = 31,
    CLASS_NO_OUTPUT = 32,
    CLASS_OUT_OF_MEMORY = 33,
    CLASS_DISK_FULL = 34,
    CLASS_TEST_FAILED = 35,
    CLASS_BASE_IMAGE = 36,
    CLASS_UPLOAD_FAILED = 40,
    CLASS_PUSH_FAILED = 41,
    CLASS_OUTPUT_REFUSED = 42,
    CLASS_SUPERSEDED = 43,
    CLASS_CREDENTIALS = 50,
    CLASS_PLATFORM = 51,
    CLASS_SANDBOX_LOST = 52,
    CLASS_INTERNAL = 59,
    CLASS_TIME_LIMIT = 124,
    CLASS_CANCELLED = 130,
    CLASS_INTERRUPTED = 143,
};

struct error {
    enum error_class class;
    bool retryable;      /* may pass by itself if tried again */
    long retry_after_ms; /* what the other side asked for; 0: nothing */
    int child_exit;      /* exit code of the user's command; -1: none */
    int child_signal;    /* signal that ended it; 0: none */
    char reason[64];     /* stable kebab-case word for machines, e.g. "ref-not-found" */
    char message[2048];  /* what was tried, on what, and what came of it */
    char hint[768];      /* the next step for whoever reads it; may be empty */
};

/* Fills *err (all of it) and returns -1, so that `return error_set(…)` ends a function. `err` may be NULL. */
int error_set(struct error *err, enum error_class class, const char *reason, const char *format, ...)
    __attribute__((format(printf, 4, 5)));

/* As error_set, with ": strerror(errno_value)" appended. */
int error_set_errno(struct error *err, enum error_class class, const char *reason, int errno_value, const char *format,
                    ...) __attribute__((format(printf, 5, 6)));

/* Says what to do next. Replaces an earlier hint. Returns -1. */
int error_hint(struct error *err, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Puts "what: " before the message. Returns -1. */
int error_context(struct error *err, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Marks it as one that may pass by itself. Returns -1. */
int error_retryable(struct error *err, long retry_after_ms);

/* The kebab-case name of a class ("spec-invalid"); "internal" for a number that is none. Static. */
const char *error_class_name(enum error_class class);

/* What a class means, a few words for tables in help and docs. Static. */
const char *error_class_summary(enum error_class class);

/* Walks all classes in order: index 0, 1, …; returns false past the last. */
bool error_class_at(size_t index, enum error_class *class);

/* The class of a number, CLASS_INTERNAL when it is none of ours. */
enum error_class error_class_from(int code);

#endif
