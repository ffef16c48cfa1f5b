/* A whole detection over a package.json of a stranger; the same bytes serve as .nvmrc and as a range too. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "core/fs.h"
#include "core/json.h"
#include "core/mem.h"
#include "detect/detect.h"
#include "detect/range.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static char *folder;

static void remove_folder(void)
{
    fs_remove_tree(folder);
    free(folder);
}

static void make_folder(void)
{
    const char *parent = getenv("TMPDIR");

    if (fs_make_temp(parent ? parent : "/tmp", "fuzz-", &folder))
        abort();
    atexit(remove_folder);
}

static void put(const char *name, const uint8_t *data, size_t size)
{
    CLEANUP_FREE char *path = xasprintf("%s/%s", folder, name);

    if (fs_write_file(path, data, size, 0600))
        abort();
}

static void try_range(const uint8_t *data, size_t size)
{
    CLEANUP_FREE char *text = xstrndup((const char *)data, size);
    struct range range;

    if (range_parse(&range, text) == 0 && range.len > 0 && range_highest_major(&range) < 0)
        abort();
    node_version_satisfies(text, "20");
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct detection detection;
    struct error err;

    if (!folder)
        make_folder();
    put("package.json", data, size);
    put(".nvmrc", data, size);
    try_range(data, size);
    if (detect_project(folder, ".", NULL, &detection, &err))
        return 0;
    if (!detection.node.value || !detection.node_major.value || !detection.package_manager.value)
        abort();
    json_decref(detection_to_json(&detection));
    detection_dispose(&detection);
    return 0;
}
