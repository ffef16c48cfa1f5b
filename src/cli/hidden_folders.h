/* Which folders hold what is not the build's business, where the kernel lets us hide them from it. */
#ifndef CAISSON_CLI_HIDDEN_FOLDERS_H
#define CAISSON_CLI_HIDDEN_FOLDERS_H

#include "cli/setup.h"

/* Absolute, without links. Adds to *folders. */
void hidden_folders(const struct setup *setup, struct strings *folders);
/* The same in a container that knows nothing of the job: where the platform lays secrets. */
void hidden_folders_of_container(struct strings *folders);

#endif
