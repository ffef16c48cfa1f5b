/*
 * Looks for secrets in bytes that come in pieces, without copying them: the caller writes each piece where
 * secret_search_place says. The end of what came before is kept in front of it, so that a secret that lies across two
 * pieces is found.
 *
 * Life cycle: secret_search_init … (place, look)… secret_search_restart … secret_search_dispose.
 */
#ifndef CAISSON_PUBLISH_SECRET_SEARCH_H
#define CAISSON_PUBLISH_SECRET_SEARCH_H

#include "core/redact.h"

struct secret_search {
    const struct redactor *secrets; /* borrowed; gets no more values */
    unsigned char *window;          /* overlap + room */
    size_t overlap, kept;
};
void secret_search_init(struct secret_search *search, const struct redactor *secrets, size_t room);
void secret_search_dispose(struct secret_search *search);
/* For another file. */
void secret_search_restart(struct secret_search *search);
/* Where the next piece goes: `room` bytes. */
unsigned char *secret_search_place(const struct secret_search *search);
/* So many bytes are there now. The name of a secret ("": it has none), borrowed from the redactor, or NULL. */
const char *secret_search_look(struct secret_search *search, size_t len);

#endif
