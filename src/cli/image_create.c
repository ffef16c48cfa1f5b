#include "cli/image_create.h"

#include <stdlib.h>
#include <string.h>

#include "core/mem.h"

/* 1 to 3650; 0 when the option is not given. */
static int take_number(const struct cli_call *call, const char *option, int *number, struct error *err)
{
    const char *text = cli_value(call, option);
    size_t len = text ? strlen(text) : 0;

    *number = 0;
    if (!text)
        return 0;
    if (len > 0 && len <= 4 && strspn(text, "0123456789") == len)
        *number = atoi(text);
    if (*number >= 1 && *number <= 3650)
        return 0;
    return error_set(err, CLASS_USAGE, "bad-option-value", "--%s is a number from 1 to 3650, not %.40s", option, text);
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
    static const char *const others[] = {"keep", "untagged-days", "immutable", "scan", "kms-key", "repository-tags"};
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
    int status = take_number(call, "keep", &options.keep, err);
    size_t i;

    if (!status)
        status = take_number(call, "untagged-days", &options.untagged_days, err);
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
