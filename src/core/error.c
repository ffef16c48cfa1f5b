#include "core/error.h"

#include <stdio.h>
#include <string.h>

static const struct {
    enum error_class class;
    const char *name;
    const char *summary;
} classes[] = {
    {CLASS_SUCCEEDED, "succeeded", "succeeded"},
    {CLASS_USAGE, "usage", "wrong command line"},
    {CLASS_SPEC_INVALID, "spec-invalid", "the job spec has mistakes"},
    {CLASS_SPEC_NOT_FOUND, "spec-not-found", "no job spec where one was expected"},
    {CLASS_SECRET_UNAVAILABLE, "secret-unavailable", "a secret that the spec names is not available"},
    {CLASS_SOURCE_UNREACHABLE, "source-unreachable", "the repository's server does not answer"},
    {CLASS_SOURCE_NOT_AUTHORIZED, "source-not-authorized", "the repository refused the credentials"},
    {CLASS_REF_NOT_FOUND, "ref-not-found", "no such repository, branch, tag, commit or directory"},
    {CLASS_CONTENT_REFUSED, "content-refused", "the repository holds something that we do not check out"},
    {CLASS_INSTALL_FAILED, "install-failed", "the install command failed"},
    {CLASS_BUILD_FAILED, "build-failed", "the build command failed"},
    {CLASS_NO_OUTPUT, "no-output", "the build left no output"},
    {CLASS_OUT_OF_MEMORY, "out-of-memory", "out of memory"},
    {CLASS_DISK_FULL, "disk-full", "the disk is full"},
    {CLASS_TEST_FAILED, "test-failed", "the test command failed"},
    {CLASS_BASE_IMAGE, "base-image", "a base image is missing or refused"},
    {CLASS_UPLOAD_FAILED, "upload-failed", "publishing the artifacts failed"},
    {CLASS_PUSH_FAILED, "push-failed", "pushing the image failed"},
    {CLASS_OUTPUT_REFUSED, "output-refused", "the output holds something that we do not publish"},
    {CLASS_SUPERSEDED, "superseded", "a newer job has published"},
    {CLASS_CREDENTIALS, "credentials", "no usable credentials"},
    {CLASS_PLATFORM, "platform", "AWS or another platform service failed"},
    {CLASS_SANDBOX_LOST, "sandbox-lost", "the sandbox was lost"},
    {CLASS_INTERNAL, "internal", "a fault of caisson"},
    {CLASS_TIME_LIMIT, "time-limit", "a time limit was reached"},
    {CLASS_CANCELLED, "cancelled", "cancelled by a person"},
    {CLASS_INTERRUPTED, "interrupted", "stopped from outside (SIGTERM)"},
};

static void set_message(struct error *err, const char *format, va_list args) __attribute__((format(printf, 2, 0)));

static void set_message(struct error *err, const char *format, va_list args)
{
    int written = vsnprintf(err->message, sizeof err->message, format, args);

    /* A cut message says that it was cut. */
    if (written >= (int)sizeof err->message)
        memcpy(err->message + sizeof err->message - 4, "...", 4);
}

static void reset(struct error *err, enum error_class class, const char *reason)
{
    memset(err, 0, sizeof *err);
    err->class = class;
    err->child_exit = -1;
    snprintf(err->reason, sizeof err->reason, "%s", reason);
}

int error_set(struct error *err, enum error_class class, const char *reason, const char *format, ...)
{
    va_list args;

    if (!err)
        return -1;
    reset(err, class, reason);
    va_start(args, format);
    set_message(err, format, args);
    va_end(args);
    return -1;
}

int error_set_errno(struct error *err, enum error_class class, const char *reason, int errno_value, const char *format,
                    ...)
{
    va_list args;
    size_t used;

    if (!err)
        return -1;
    reset(err, class, reason);
    va_start(args, format);
    set_message(err, format, args);
    va_end(args);
    used = strlen(err->message);
    snprintf(err->message + used, sizeof err->message - used, ": %s", strerror(errno_value));
    return -1;
}

int error_hint(struct error *err, const char *format, ...)
{
    va_list args;

    if (!err)
        return -1;
    va_start(args, format);
    vsnprintf(err->hint, sizeof err->hint, format, args);
    va_end(args);
    return -1;
}

int error_context(struct error *err, const char *format, ...)
{
    char before[sizeof err->message];
    va_list args;
    int used;

    if (!err)
        return -1;
    memcpy(before, err->message, sizeof before);
    va_start(args, format);
    used = vsnprintf(err->message, sizeof err->message, format, args);
    va_end(args);
    if (used >= 0 && (size_t)used < sizeof err->message)
        snprintf(err->message + used, sizeof err->message - (size_t)used, ": %s", before);
    return -1;
}

int error_retryable(struct error *err, long retry_after_ms)
{
    if (!err)
        return -1;
    err->retryable = true;
    err->retry_after_ms = retry_after_ms;
    return -1;
}

static size_t find_class(int code)
{
    size_t i;

    for (i = 0; i < sizeof classes / sizeof *classes; i++)
        if ((int)classes[i].class == code)
            return i;
    return find_class(CLASS_INTERNAL);
}

const char *error_class_name(enum error_class class)
{
    return classes[find_class((int)class)].name;
}

const char *error_class_summary(enum error_class class)
{
    return classes[find_class((int)class)].summary;
}

bool error_class_at(size_t index, enum error_class *class)
{
    if (index >= sizeof classes / sizeof *classes)
        return false;
    *class = classes[index].class;
    return true;
}

enum error_class error_class_from(int code)
{
    return classes[find_class(code)].class;
}
