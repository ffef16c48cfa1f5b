/* Stop signals that the build sends us. They stop nothing; the log says that they came, and is not flooded by them. */
#include "core/clock.h"
#include "job/job.h"

#define WINDOW_MS 1000
#define SAID_AT_MOST 5 /* of a window */
/* A signal that waits to be read hides another one of the same number, which could be a real stop: nobody who means
 * well sends so many. */
#define FLOOD 100

void job_stop_attempt(struct job *job, int signal_number, pid_t sender)
{
    struct stop_attempts *attempts = &job->attempts;
    int64_t now_ms = clock_monotonic_ms();

    if (now_ms - attempts->window_ms >= WINDOW_MS)
        *attempts = (struct stop_attempts){.window_ms = now_ms};
    attempts->count++;
    if (attempts->count <= SAID_AT_MOST) {
        if (sender > 0)
            log_warning(job->options->log, "ignored an attempt to stop the job: signal %d from process %d within",
                        signal_number, (int)sender);
        else
            log_warning(job->options->log, "ignored an attempt to stop the job: a forged signal %d from within",
                        signal_number);
        if (attempts->count == SAID_AT_MOST)
            log_warning(job->options->log, "further attempts of this second are not listed");
    }
    if (attempts->count == FLOOD) {
        log_error(job->options->log, "so many stop signals from within could hide a real one: the command is killed");
        executor_kill(job->options->executor);
    }
}
