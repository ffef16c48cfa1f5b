/* WWW-Authenticate of a registry, and the answer of its token server. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "core/mem.h"
#include "oci/registry_internal.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_printable(const char *text, size_t size)
{
    if (strnlen(text, size) == size)
        abort();
    for (; *text; text++)
        if ((unsigned char)*text < 0x20 || (unsigned char)*text > 0x7e)
            abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct view text = {(const char *)data, size};
    struct challenge challenge = {.scheme = AUTH_NONE};
    char *token = NULL;
    int64_t lifetime_ms = 0;

    challenge_parse(text, &challenge);
    check_printable(challenge.realm, sizeof challenge.realm);
    check_printable(challenge.service, sizeof challenge.service);
    check_printable(challenge.scope, sizeof challenge.scope);
    if ((challenge.scheme == AUTH_BEARER) != (*challenge.realm != '\0') || challenge.scheme == AUTH_UNKNOWN)
        abort();
    if (token_parse(text, &token, &lifetime_ms) == 0) {
        /* What goes into a header. */
        if (!*token || strpbrk(token, " \r\n\t") || lifetime_ms <= 0)
            abort();
    }
    secret_free(token);
    return 0;
}
