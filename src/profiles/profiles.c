/*
 * The list of profiles. To add one: a file beside this one with a `const struct profile`, its declaration in
 * profile_internal.h, and its name here. Its test gives it an environment as the system's worker sends it.
 */
#include <string.h>

#include "core/mem.h"
#include "profiles/profile_internal.h"

static const struct profile *const profiles[] = {&profile_vercel_clone, &profile_veren_frontend, &profile_veren_backend,
                                                 &profile_deployra, &profile_blacktree};

const struct profile *profile_at(size_t index)
{
    return index < ARRAY_LEN(profiles) ? profiles[index] : NULL;
}

const struct profile *profile_find(const char *name)
{
    size_t i;

    for (i = 0; i < ARRAY_LEN(profiles); i++)
        if (name && strcmp(profiles[i]->name, name) == 0)
            return profiles[i];
    return NULL;
}

const struct event_format *profile_format_at(size_t index)
{
    size_t i, j;

    for (i = 0; i < ARRAY_LEN(profiles); i++)
        for (j = 0; profiles[i]->formats && profiles[i]->formats[j]; j++)
            if (index-- == 0)
                return profiles[i]->formats[j];
    return NULL;
}

const struct event_format *profile_format(const char *name)
{
    const struct event_format *format;
    size_t i;

    for (i = 0; (format = profile_format_at(i)); i++)
        if (strcmp(format->name, name) == 0)
            return format;
    return NULL;
}

const char *profile_name(const struct profile *profile)
{
    return profile->name;
}

const char *profile_summary(const struct profile *profile)
{
    return profile->summary;
}
