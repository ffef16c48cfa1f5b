/* Who we are for a registry when no job says it: named on the command line, ECR's own login, or what `docker login` and
 * its like have left. */
#ifndef CAISSON_CLI_IMAGE_LOGIN_H
#define CAISSON_CLI_IMAGE_LOGIN_H

#include "aws/ecr.h"
#include "cli/setup.h"
#include "oci/registry.h"

struct image_login {
    struct setup *setup;  /* borrowed */
    const char *registry; /* borrowed: host[:port] */
    const char *username; /* of the command line; NULL: none */
    char *password;
    struct ecr *ecr; /* NULL: the registry is not ECR's */
};

#define IMAGE_LOGIN_OPTIONS                                                                                            \
    {"username", "NAME", "The user for the registry.", NULL},                                                          \
        {"password-file", "FILE", "Holds the password; else CAISSON_REGISTRY_PASSWORD does.", NULL},                   \
    {                                                                                                                  \
        "insecure", NULL, "Allow plain http, which is otherwise for this machine alone.", NULL                         \
    }

int image_login_init(struct image_login *login, struct setup *setup, const char *registry, struct error *err);
void image_login_dispose(struct image_login *login);
/* For struct registry_options; the context is the login. */
int image_login_credentials(void *context, bool renew, struct registry_credentials *credentials, struct error *err);

#endif
