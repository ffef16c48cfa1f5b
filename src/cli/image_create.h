/* ECR's repository, made when it is missing, as the command line says: what a job takes from image.create. */
#ifndef CAISSON_CLI_IMAGE_CREATE_H
#define CAISSON_CLI_IMAGE_CREATE_H

#include "cli/image_login.h"

#define IMAGE_CREATE_OPTIONS                                                                                           \
    {"create", NULL, "ECR: make the repository when it is missing; the options below are for a new one.", NULL},       \
        {"keep", "N", "ECR keeps so many images.", NULL},                                                              \
        {"untagged", "TIME", "ECR removes images without a tag after this time, in whole days (7d).", NULL},           \
        {"immutable", NULL, "Tags cannot be moved.", NULL}, {"scan", NULL, "Images are scanned on push.", NULL},       \
        {"kms-key", "KEY", "Encrypted with this key of KMS (ARN, id or alias), not with AES256.", NULL},               \
    {                                                                                                                  \
        "repository-tags", "TAGS", "Of the repository itself: KEY=VALUE, with commas.", NULL                           \
    }

/* Does nothing without --create. *created: it was missing. Warnings go to standard error. */
int image_create(const struct cli_call *call, const struct image_login *login, const char *name, bool *created,
                 struct error *err);

#endif
