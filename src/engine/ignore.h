/*
 * The .dockerignore that a context gets when it has none, so that COPY . . takes neither the repository's history nor
 * what is likely to be secret. The engines read it; nothing here matches patterns.
 * https://docs.docker.com/build/concepts/context/#dockerignore-files
 */
#ifndef CAISSON_ENGINE_IGNORE_H
#define CAISSON_ENGINE_IGNORE_H

#include <stdbool.h>

#include "core/buf.h"
#include "core/strings.h"

/* The whole text. keep_dotenv: the context's own .env stays in. */
void ignore_text(bool keep_dotenv, struct buf *out);
/* The files of an open folder, not of those below, that the text leaves out though a build may want them (.env.local,
 * server.pem), sorted; at most ten. */
void ignore_left_out(int folder_fd, bool keep_dotenv, struct strings *names);
/* Whether a .dockerignore of the user says in so many words that .env is left out. */
bool ignore_names_dotenv(struct view text);

#endif
