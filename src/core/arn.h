/*
 * Amazon Resource Names: arn:PARTITION:SERVICE:REGION:ACCOUNT:RESOURCE.
 * https://docs.aws.amazon.com/IAM/latest/UserGuide/reference-arns.html
 */
#ifndef CAISSON_CORE_ARN_H
#define CAISSON_CORE_ARN_H

#include <stdbool.h>

#define ARN_PARTITION_SIZE 24
#define ARN_REGION_SIZE 32

struct arn {
    char partition[ARN_PARTITION_SIZE]; /* "aws", "aws-cn", "aws-us-gov" */
    char service[32];
    char region[ARN_REGION_SIZE]; /* lower-case letters, digits and dashes; not empty */
    char account[16];             /* 12 digits */
    const char *resource;         /* not empty; borrowed from the text */
};

/* Whether the text begins as an ARN does. */
bool arn_looks_like(const char *text);
/* False when it is no ARN of something that lies in a region and an account. */
bool arn_parse(const char *text, struct arn *arn);

#endif
