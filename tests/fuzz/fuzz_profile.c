/* An environment, a line a variable, or a queue message (it begins with a brace), through every profile and on to the
 * spec, until what cannot be told is left out. Of what is refused, who is told. */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "core/mem.h"
#include "profiles/profile.h"

static int load(struct spec *spec, struct profile_job *job, const struct spec_context *context,
                struct problems *problems, struct error *err)
{
    int status = spec_load_json(spec, job->document, job->origins, context, problems, err);

    while (status && profile_leave_out(job, problems)) {
        spec_dispose(spec);
        problems_dispose(problems);
        status = spec_load_json(spec, job->document, job->origins, context, problems, err);
    }
    return status;
}

static void apply(const struct profile *profile, const struct strings *env, const char *message)
{
    struct profile_input input = {.env = env, .message = message, .message_name = "message"};
    struct spec_context context = {.name = "profile", .default_id = "id", .pid1 = true};
    struct profile_job job = {0};
    struct problems problems = {0};
    struct error err = {0}, loaded;
    struct spec spec, told = {0};
    size_t i;

    if (profile_apply(profile, &input, &job, &err) == 0) {
        if (load(&spec, &job, &context, &problems, &err) == 0)
            for (i = 0; i < spec.env.len; i++)
                if (env_name_reserved(spec.env.items[i].name) || strings_has(&job.withheld, spec.env.items[i].name))
                    abort();
        spec_dispose(&spec);
        problems_dispose(&problems);
    } else {
        /* Who is told of it is told under no name that is in doubt, and nowhere without the operator's word. */
        context.told = &told;
        load(&spec, &job, &context, &problems, &loaded);
        if (strcmp(err.reason, "reserved-name-repeated") == 0 && (told.notify_len || told.project))
            abort();
        for (i = 0; i < told.notify_len; i++)
            if (told.notify[i].plain || told.notify[i].private_http)
                abort();
        spec_dispose(&told);
        spec_dispose(&spec);
        problems_dispose(&problems);
    }
    profile_job_dispose(&job);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    CLEANUP_FREE char *text = xstrndup((const char *)data, len);
    struct strings env = {0};
    char *line;
    char *rest;
    size_t i;

    if (*text == '{') {
        for (i = 0; profile_at(i); i++)
            apply(profile_at(i), &env, text);
        return 0;
    }
    for (line = strtok_r(text, "\n", &rest); line; line = strtok_r(NULL, "\n", &rest))
        strings_add(&env, line);
    for (i = 0; profile_at(i); i++)
        apply(profile_at(i), &env, NULL);
    strings_dispose(&env);
    return 0;
}
