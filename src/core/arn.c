#include "core/arn.h"

#include <string.h>

#define LOWER "abcdefghijklmnopqrstuvwxyz"
#define DIGITS "0123456789"

bool arn_looks_like(const char *text)
{
    return strncmp(text, "arn:", 4) == 0;
}

/* The text up to the next colon, which must hold some of the allowed characters and no others; moves behind it. */
static bool take(const char **text, const char *allowed, char *field, size_t size)
{
    size_t len = strcspn(*text, ":");

    if (len == 0 || len >= size || (*text)[len] != ':' || strspn(*text, allowed) < len)
        return false;
    memcpy(field, *text, len);
    field[len] = '\0';
    *text += len + 1;
    return true;
}

bool arn_parse(const char *text, struct arn *arn)
{
    if (!arn_looks_like(text))
        return false;
    text += 4;
    if (!take(&text, LOWER DIGITS "-", arn->partition, sizeof arn->partition) ||
        !take(&text, LOWER DIGITS "-", arn->service, sizeof arn->service) ||
        !take(&text, LOWER DIGITS "-", arn->region, sizeof arn->region) ||
        !take(&text, DIGITS, arn->account, sizeof arn->account))
        return false;
    arn->resource = text;
    return strncmp(arn->partition, "aws", 3) == 0 && strlen(arn->account) == 12 && *text;
}
