#include "job/job.h"

/*
 * A new step: one file with its `run` (and `wanted`) function, declared in job/job.h, and one line here. `run` fills a
 * struct command or a worker call and gives it to the executor; it never forks. The runner (job/run.c) times it,
 * retries what is retryable, and ends it when the job is stopped.
 */
const struct step job_steps[] = {
    {"checkout", NULL, step_checkout},
    {"detect", NULL, step_detect},
    {"lookup", step_lookup_wanted, step_lookup},
    {"install", step_install_wanted, step_install},
    {"restore", step_restore_wanted, step_restore},
    {"build", step_build_wanted, step_build},
    {"test", step_test_wanted, step_test},
    {"publish", step_publish_wanted, step_publish},
    {"save", step_save_wanted, step_save},
    {NULL, NULL, NULL},
};
