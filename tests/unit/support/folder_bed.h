/* What the tests of publishing to a folder share: a small site as output, and what is expected of a publish. */
#ifndef CAISSON_TESTS_FOLDER_BED_H
#define CAISSON_TESTS_FOLDER_BED_H

#include <stdlib.h>
#include <string.h>

#include "core/mem.h"
#include "publish/publish.h"
#include "support/publish_bed.h"

static inline int folder_bed_setup(void **state)
{
    struct publish_bed *bed = xcalloc(1, sizeof *bed);

    publish_bed_init(bed);
    bed_write(bed, "site/index.html", "<h1>one</h1>");
    bed_write(bed, "site/assets/app-1.js", "one()");
    bed_write(bed, "site/robots.txt", "allow");
    *state = bed;
    return 0;
}

static inline int folder_bed_teardown(void **state)
{
    publish_bed_dispose(*state);
    free(*state);
    return 0;
}

/* Publishes as that job, `at` ms after BED_TIME; reason "": it succeeds. */
static inline void expect(struct publish_bed *bed, const char *job, int64_t at, enum publish_mode mode,
                          const char *reason)
{
    struct publish_request request;
    const char *got;

    bed_request(bed, &request, job, BED_TIME + at, mode);
    got = bed_publish(bed, &request);
    if (strcmp(got, reason) != 0)
        fail_msg("job %s: expected \"%s\", got \"%s\": %s", job, reason, got, bed->error.message);
}

static inline void expect_tree(struct publish_bed *bed, const char *tree)
{
    CLEANUP_FREE char *found = bed_tree(bed, "www/site");

    assert_string_equal(found, tree);
}

#endif
