/* s3:// URIs, and where a request for such a bucket and key would go. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "aws/s3_internal.h"
#include "core/mem.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    CLEANUP_FREE char *uri = xstrndup((const char *)data, size);
    char *bucket = NULL, *key = NULL;
    struct s3_place place;
    struct error err;

    if (s3_uri_parse(uri, &bucket, &key, &err))
        return 0;
    s3_place_init(&place, &(struct s3_options){.bucket = bucket}, "us-east-1");
    /* No bucket may lead away from AWS. */
    if (strlen(place.host) < 26 || strcmp(place.host + strlen(place.host) - 26, "s3.us-east-1.amazonaws.com") != 0)
        abort();
    s3_place_dispose(&place);
    free(bucket);
    free(key);
    return 0;
}
