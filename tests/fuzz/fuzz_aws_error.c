/* Error documents and small XML answers of S3. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "aws/s3_internal.h"
#include "aws/xml.h"
#include "core/mem.h"
#include "core/utf8.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(const char *text, size_t size)
{
    if (strnlen(text, size) == size || !utf8_is_valid(view_of(text)))
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct view body = {(const char *)data, size};
    struct s3_error_document document;
    char id[64];

    s3_error_parse(body, &document);
    check(document.code, sizeof document.code);
    check(document.message, sizeof document.message);
    check(document.request_id, sizeof document.request_id);
    check(document.region, sizeof document.region);
    xml_text(body, "UploadId", id, sizeof id);
    xml_root_is(body, "Error");
    return 0;
}
