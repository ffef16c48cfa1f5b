#include <stdlib.h>
#include <string.h>

#include "core/clock.h"
#include "core/mem.h"
#include "git/checkout.h"
#include "job/image.h"

static void keep(struct job *job, const struct checkout_result *checkout)
{
    struct result *result = job->result;

    snprintf(result->commit, sizeof result->commit, "%s", checkout->commit);
    job->commit_time_ms = checkout->commit_time_ms;
    free(result->ref);
    result->ref = xstrdup(checkout->ref);
    free(result->subject);
    result->subject = xstrdup(checkout->subject);
    free(job->named_ref);
    job->named_ref = xstrdup(checkout->named_ref);
    free(job->default_ref);
    job->default_ref = xstrdup(checkout->default_ref);
}

static void tell(const struct job *job, const struct checkout_result *checkout)
{
    char size[CLOCK_TEXT_SIZE], time[CLOCK_TEXT_SIZE];

    size_format(checkout->bytes_received, size);
    duration_format(checkout->duration_ms, time);
    log_info(job->options->log, "checked out %.12s%s%s: %lld files, %s received in %s", checkout->commit,
             checkout->subject ? " " : "", checkout->subject ? checkout->subject : "", (long long)checkout->files, size,
             time);
}

int step_checkout(struct job *job, struct error *err)
{
    const struct platform *platform = job->options->platform;
    const struct spec *spec = &job->spec;
    struct checkout_request request = {
        .repository = spec->source.repository,
        .ref = spec->source.ref,
        .commit = spec->source.commit,
        .directory = job->source,
        .username = job->git_username,
        .password = job->git_password,
        .ca_bundle = platform->ca_bundle,
        .proxy = (char *)platform_proxy_for(platform, spec->source.repository),
        .no_proxy = platform->no_proxy,
    };
    struct checkout_result checkout = {0};
    int status;

    log_info(job->options->log, "cloning %s%s%s", job->result->repository, spec->source.ref ? ", " : "",
             spec->source.ref ? spec->source.ref : "");
    status =
        checkout_run(job->options->workers, job->options->log, &request, spec->timeouts.checkout_ms, &checkout, err);
    if (status == 0) {
        keep(job, &checkout);
        tell(job, &checkout);
        status = spec_expand(&job->spec, checkout.commit, checkout.ref, err);
        /* An image's context is made ready by who checked it out: it is given away just before it is built. */
        if (status == 0 && !image_wanted(job))
            status = job_source_give(job, err);
    } else if (!job->stopping) {
        struct error problem;

        /* The next attempt starts from an empty folder. */
        if (job_source_remake(job, &problem))
            *err = problem;
    }
    checkout_result_dispose(&checkout);
    return status;
}
