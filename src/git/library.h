/* libgit2's process-wide settings for a checkout: it reads no configuration of the machine and keeps little memory. */
#ifndef CAISSON_GIT_LIBRARY_H
#define CAISSON_GIT_LIBRARY_H

#include "git/checkout.h"

/* Once or again. There is no way back: libgit2 1.9 frees its user agent on shutdown without forgetting it, and the next
 * start would free it a second time. The process is a worker and ends soon. */
int library_open(const struct checkout_request *request, struct error *err);

#endif
