#include "publish/target.h"

#include <stdlib.h>
#include <string.h>

int target_open(struct target **target, struct loop *loop, const struct publish_request *request, const bool *stop,
                const struct publish_reporter *reporter, struct error *err)
{
    if (strncmp(request->to, "s3://", 5) == 0)
        return target_s3_open(target, loop, request, err);
    if (strncmp(request->to, "file:", 5) == 0)
        return target_folder_open(target, loop, request, stop, reporter, err);
    error_set(err, CLASS_SPEC_INVALID, "bad-target", "cannot publish to %s", request->to);
    return error_hint(err, "a target is s3://bucket/prefix/ or file:/absolute/folder");
}

void target_free(struct target *target)
{
    if (target)
        target->type->free(target);
}

int target_stopped(struct error *err)
{
    return error_set(err, CLASS_INTERRUPTED, "stopped-before-publish", "stopped before anything was published");
}
