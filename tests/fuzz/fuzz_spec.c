/* Any text as a job spec: as PID 1 and not, and what is accepted is expanded too; of what is refused, what is told. */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "core/mem.h"
#include "spec/spec.h"

/* What goes to a registry as a tag is one. */
static void check_tags(const struct strings *tags)
{
    static const char letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_.-";
    size_t i;

    for (i = 0; i < tags->len; i++) {
        size_t len = strlen(tags->items[i]);

        if (len == 0 || len > 128 || strspn(tags->items[i], letters) < len || strchr(".-", tags->items[i][0]))
            abort();
    }
}

/* Nobody said that it may be told in the clear, to private addresses, or into files of root's. */
static void check_notify(const struct spec *spec, bool pid1)
{
    static const char *const refused[] = {"redis://", "amqp://", "kafka://", "http://"};
    size_t i, j;

    for (i = 0; i < spec->notify_len; i++) {
        const struct spec_notify *notify = &spec->notify[i];
        bool own = !pid1 && (notify->plain || notify->private_http);

        if (!*notify->target || !*notify->format || strpbrk(notify->target, "\r\n\t\x7f"))
            abort();
        if (pid1 && (notify->plain || notify->private_http || strcmp(notify->type, "file") == 0))
            abort();
        for (j = 0; !own && j < ARRAY_LEN(refused); j++)
            if (strncasecmp(notify->target, refused[j], strlen(refused[j])) == 0)
                abort();
    }
    if (spec->control && strncmp(spec->control, "s3://", 5) != 0 && strncasecmp(spec->control, "https://", 8) != 0)
        abort();
    if (spec->cancel.redis && pid1 &&
        (strncasecmp(spec->cancel.redis, "rediss://", 9) != 0 || spec->cancel.password.kind == VALUE_NONE))
        abort();
}

static void load(struct view text, bool pid1)
{
    struct spec told = {0};
    struct spec_context context = {
        .name = "spec", .default_id = "id", .pid1 = pid1, .now_ms = INT64_C(1780000000000), .told = &told};
    struct problems problems = {0};
    struct error err = {0};
    struct spec spec;
    struct buf out;

    buf_init(&out, (size_t)1 << 20);
    if (spec_load(&spec, text, &context, &problems, &err)) {
        /* A refusal always says why. */
        if (problems.len == 0 || err.class != CLASS_SPEC_INVALID)
            abort();
        check_notify(&told, pid1);
        if ((problems.more && told.notify_len) || (pid1 && told.result && strncmp(told.result, "s3://", 5) != 0))
            abort();
        problems_print(&problems, "spec", &out);
        json_decref(problems_to_json(&problems));
    } else {
        if (problems.len || !spec.resolved || !spec.source.repository || !spec.id)
            abort();
        if ((spec.build.builder == BUILDER_DOCKERFILE) != (spec.image.tags.len > 0) ||
            (pid1 && spec.image.repository && strncmp(spec.image.repository, "oci:", 4) == 0))
            abort();
        check_notify(&spec, pid1);
        if (spec_expand(&spec, "0f3c1a9be27d40c58f6a1b2c3d4e5f6071829304", "refs/heads/a/b", &err) == 0)
            check_tags(&spec.image.tags);
    }
    spec_dispose(&spec);
    spec_dispose(&told);
    problems_dispose(&problems);
    buf_dispose(&out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    struct view text = {(const char *)data, len};

    load(text, false);
    load(text, true);
    return 0;
}
