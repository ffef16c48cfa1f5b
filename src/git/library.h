/* libgit2's process-wide settings for a checkout: it reads no configuration of the machine and keeps little memory. */
#ifndef CAISSON_GIT_LIBRARY_H
#define CAISSON_GIT_LIBRARY_H

#include "git/checkout.h"

int library_open(const struct checkout_request *request, struct error *err);
void library_close(void);

#endif
