#include <stdlib.h>
#include <string.h>

#include "aws/s3_internal.h"
#include "core/mem.h"

#define SCHEME "s3://"
#define KEY_MAX 1024 /* bytes of UTF-8, S3's own limit */

static bool has_control(const char *text)
{
    for (; *text; text++)
        if ((unsigned char)*text < ' ' || *text == 0x7f)
            return true;
    return false;
}

int s3_uri_parse(const char *uri, char **bucket, char **key, struct error *err)
{
    const char *name, *slash;
    CLEANUP_FREE char *found = NULL;

    if (strncmp(uri, SCHEME, strlen(SCHEME)) != 0) {
        error_set(err, CLASS_USAGE, "bad-s3-uri", "\"%.512s\" does not begin with " SCHEME, uri);
        return error_hint(err, "write it as s3://bucket/key");
    }
    name = uri + strlen(SCHEME);
    slash = name + strcspn(name, "/");
    found = xstrndup(name, (size_t)(slash - name));
    if (s3_place_check(&(struct s3_options){.bucket = found}, err))
        return error_context(err, "%.512s", uri);
    if (*slash)
        slash++;
    if (strlen(slash) > KEY_MAX || has_control(slash))
        return error_set(err, CLASS_USAGE, "bad-s3-uri",
                         "%.512s: the key is longer than %d bytes or holds control characters", uri, KEY_MAX);
    *bucket = found;
    found = NULL;
    *key = xstrdup(slash);
    return 0;
}
