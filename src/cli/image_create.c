#include "cli/image_create.h"

#include <stdlib.h>
#include <string.h>

#include "core/clock.h"
#include "core/mem.h"

/* 1 to 10000, as in a spec; 0 when the option is not given. */
static int take_keep(const struct cli_call *call, int *keep, struct error *err)
{
    const char *text = cli_value(call, "keep");
    size_t len = text ? strlen(text) : 0;

    *keep = 0;
    if (!text)
        return 0;
    if (len > 0 && len <= 5 && strspn(text, "0123456789") == len)
        *keep = (int)strtol(text, NULL, 10);
    if (*keep >= 1 && *keep <= 10000)
        return 0;
    return error_set(err, CLASS_USAGE, "bad-option-value", "--keep is a number from 1 to 10000, not %.40s", text);
}

static int take_untagged(const struct cli_call *call, int *days, struct error *err)
{
    static const int64_t day_ms = (int64_t)24 * 60 * 60 * 1000;
    const char *text = cli_value(call, "untagged");
    int64_t ms = 0;

    *days = 0;
    if (!text)
        return 0;
    if (duration_parse(text, &ms) || ms < day_ms || ms % day_ms)
        return error_set(err, CLASS_USAGE, "bad-option-value", "--untagged is whole days, as 7d, not %.40s", text);
    *days = (int)(ms / day_ms);
    return 0;
}

static int take_tags(const char *text, struct strings *tags, struct error *err)
{
    size_t len;

    for (; text && *text; text += len + (text[len] == ',')) {
        len = strcspn(text, ",");
        if (strcspn(text, "=") >= len || *text == '=')
            return error_set(err, CLASS_USAGE, "bad-option-value", "--repository-tags: \"%.*s\" is not KEY=VALUE",
                             len < 100 ? (int)len : 100, text);
        strings_take(tags, xstrndup(text, len));
    }
    return 0;
}

static int check_use(const struct cli_call *call, const struct image_login *login, struct error *err)
{
    static const char *const others[] = {"keep", "untagged", "immutable", "scan", "kms-key", "repository-tags"};
    size_t i;

    if (cli_flag(call, "create")) {
        if (login->ecr)
            return 0;
        error_set(err, CLASS_USAGE, "not-ecr",
                  "--create is for ECR with its own login: %.255s makes its repositories "
                  "itself",
                  login->registry);
        return error_hint(err, "leave --create out");
    }
    for (i = 0; i < ARRAY_LEN(others); i++)
        if (cli_flag(call, others[i])) {
            error_set(err, CLASS_USAGE, "option-needs-other", "--%s says nothing without --create", others[i]);
            return error_hint(err, "caisson help image push");
        }
    return 0;
}

static int ensure(const struct cli_call *call, const struct image_login *login, const char *name, bool *created,
                  struct error *err)
{
    struct strings tags = {0}, warnings = {0};
    struct ecr_repository_options options = {
        .immutable = cli_flag(call, "immutable"),
        .scan = cli_flag(call, "scan"),
        .kms_key = cli_value(call, "kms-key"),
        .tags = &tags,
    };
    int status = take_keep(call, &options.keep, err);
    size_t i;

    if (!status)
        status = take_untagged(call, &options.untagged_days, err);
    if (!status)
        status = take_tags(cli_value(call, "repository-tags"), &tags, err);
    if (!status)
        status = ecr_repository_ensure(login->ecr, name, &options, created, &warnings, err);
    for (i = 0; i < warnings.len; i++)
        fprintf(stderr, "caisson: warning: %s\n", warnings.items[i]);
    strings_dispose(&tags);
    strings_dispose(&warnings);
    return status;
}

int image_create(const struct cli_call *call, const struct image_login *login, const char *name, bool *created,
                 struct error *err)
{
    *created = false;
    if (check_use(call, login, err))
        return -1;
    return cli_flag(call, "create") ? ensure(call, login, name, created, err) : 0;
}
