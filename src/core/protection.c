#include "core/protection.h"

#ifdef CAISSON_MUTANT

#include <stdio.h>
#include <string.h>

#include "core/mem.h"

static const char *const names[] = {
#define X(name, text) text,
    PROTECTIONS(X)
#undef X
};

/* The file is read once: what is off is off for the life of the process, also after its root has changed. */
static bool off[PROTECTION_COUNT], known;

static void read_file(void)
{
    CLEANUP_FCLOSE FILE *file = fopen(PROTECTIONS_OFF_FILE, "re");
    char line[64];
    size_t i;

    known = true;
    while (file && fgets(line, sizeof line, file)) {
        line[strcspn(line, "\n")] = '\0';
        for (i = 0; i < ARRAY_LEN(names); i++)
            if (strcmp(names[i], line) == 0)
                off[i] = true;
    }
}

bool protection_on(enum protection protection)
{
    if (!known)
        read_file();
    return !off[protection];
}

#else
typedef int protection_has_no_code; /* an empty file is not C */
#endif
