/* What the tests of reading an output share: a folder, a request about it, and what came of reading it. */
#ifndef CAISSON_TESTS_TREE_BED_H
#define CAISSON_TESTS_TREE_BED_H

#include <stdlib.h>
#include <string.h>

#include "core/mem.h"
#include "publish/tree.h"
#include "support/publish_bed.h"

struct tree_bed {
    struct publish_bed base;
    struct publish_request request;
    struct tree tree;
    struct error err;
};

static inline int tree_bed_setup(void **state)
{
    struct tree_bed *bed = xcalloc(1, sizeof *bed);

    publish_bed_init(&bed->base);
    bed_request(&bed->base, &bed->request, "job", BED_TIME, PUBLISH_MIRROR);
    tree_init(&bed->tree);
    *state = bed;
    return 0;
}

static inline int tree_bed_teardown(void **state)
{
    struct tree_bed *bed = *state;

    tree_dispose(&bed->tree);
    publish_request_dispose(&bed->request);
    publish_bed_dispose(&bed->base);
    free(bed);
    return 0;
}

static inline char *in(struct tree_bed *bed, const char *path)
{
    return xasprintf("%s/%s", bed->base.folder, path);
}

/* "" or the reason. */
static inline const char *read_tree(struct tree_bed *bed)
{
    tree_dispose(&bed->tree);
    memset(&bed->err, 0, sizeof bed->err);
    if (tree_open(&bed->tree, &bed->request, &bed->err) || tree_walk(&bed->tree, 10, &bed->err) ||
        tree_hash(&bed->tree, NULL, NULL, &bed->err))
        return bed->err.reason;
    return "";
}

static inline void expect_paths(struct tree_bed *bed, const char *paths)
{
    struct buf found;
    size_t i;

    assert_string_equal(read_tree(bed), "");
    buf_init(&found, 4096);
    for (i = 0; i < bed->tree.len; i++)
        buf_addf(&found, "%s%s", i ? " " : "", bed->tree.files[i].path);
    assert_string_equal(buf_text(&found), paths);
    buf_dispose(&found);
}

static inline void refused(struct tree_bed *bed, const char *reason, const char *named)
{
    assert_string_equal(read_tree(bed), reason);
    assert_int_equal(bed->err.class, CLASS_OUTPUT_REFUSED);
    if (!strstr(bed->err.message, named))
        fail_msg("\"%s\" does not name %s", bed->err.message, named);
}

#endif
