/*
 * The list of profiles. To add one, say of a system called Example:
 *
 *   1. A file profiles/example.c with `const struct profile profile_example` (profiles/profile_internal.h says what is in
 *      it): the table of what the system sends, where each part goes in the spec, and whom the system wants to be told.
 *      What it reads may be formats of its own: functions from an event to messages, beside the table, by profiles/said.h.
 *   2. Its name in the list below: X(example, "example").
 *
 * That is all of the program. What says what there is follows: `caisson generate` writes the manual anew, and the terraform
 * modules builder and events list who may be named; each has a test that tells what is missing.
 *
 * Its tests are environments and messages as the system sends them (tests/vectors/profiles), and what its consumer makes
 * of events (tests/e2e/bed/consumers.py). UPDATE_VECTORS=1 writes what is expected, to be read before it is believed.
 * tests/fixtures/example_profile.c is such a file, which a test builds in this way.
 */
#include <string.h>

#include "core/mem.h"
#include "profiles/profile_internal.h"

#define PROFILES(X)                                                                                                    \
    X(vercel_clone, "vercel-clone")                                                                                    \
    X(veren_frontend, "veren-frontend")                                                                                \
    X(veren_backend, "veren-backend")                                                                                  \
    X(deployra, "deployra")                                                                                            \
    X(blacktree, "blacktree")

#define DECLARED(id, name) extern const struct profile profile_##id;
#define LISTED(id, name) &profile_##id,
#define NAMED(id, name) " " name
PROFILES(DECLARED)

const char profile_names[] = PROFILES(NAMED);

static const struct profile *const profiles[] = {PROFILES(LISTED)};

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
