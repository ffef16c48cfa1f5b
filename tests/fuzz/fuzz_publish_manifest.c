/* The state document of a target: others can write to the place where it lies. */
#include <stdint.h>
#include <stdlib.h>

#include "core/fs.h"
#include "publish/manifest.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct manifest manifest, again;
    struct content content;
    struct error err;
    struct buf text;
    size_t i;

    if (manifest_parse(&manifest, (struct view){(const char *)data, size}, "the state", &err) == 0) {
        for (i = 0; i < manifest.files_len; i++)
            if (!fs_is_confined(manifest.files[i].path, false) || !manifest_find(&manifest, manifest.files[i].path))
                abort();
        buf_init(&text, MANIFEST_MAX_BYTES);
        if (manifest_format(&manifest, &text, &err) == 0) {
            /* what we write we read */
            if (manifest_parse(&again, (struct view){text.data, text.len}, "ours", &err) ||
                again.files_len != manifest.files_len || again.pending_len != manifest.pending_len)
                abort();
            manifest_dispose(&again);
        }
        buf_dispose(&text);
        manifest_dispose(&manifest);
    }
    buf_init(&text, 4096);
    buf_add(&text, data, size < 4096 ? size : 4096);
    stamp_parse(buf_text(&text), "s3://b/", &content);
    buf_dispose(&text);
    return 0;
}
