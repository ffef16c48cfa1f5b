/*
 * Where a person finds what a result names: the pages of a commit, of what was published, of an image, of the log; and
 * how a terminal is told of them (OSC 8: https://gist.github.com/egmontkob/eb114294efbcd5adb1944c9f3cb5feda).
 *
 * The document may be anybody's: what is shown is on one line and moves no cursor, and an address is of web pages or
 * files of this machine, all else in it percent-encoded.
 */
#ifndef CAISSON_REPORT_LINKS_H
#define CAISSON_REPORT_LINKS_H

#include <jansson.h>
#include <stdbool.h>

#include "core/buf.h"
#include "core/strings.h"

#define RESULT_LINKS_MAX 12

struct result_link {
    const char *label; /* "commit", "published", "image", "log"; static */
    char *text;        /* as the document has it */
    char *url;         /* NULL: no page is known */
};
/* How many there are. Free them with result_links_free. */
size_t result_links(const json_t *document, struct result_link links[RESULT_LINKS_MAX]);
void result_links_free(struct result_link *links, size_t len);

/* The address as a terminal and a person may have it. NULL: it is none of a web page or a file. Caller frees with free. */
char *link_address(const char *url);
/* The text, as a link where `url` is an address (see above). Appends. */
void link_add(struct buf *out, const char *url, const char *text);

/* Whether what reads `fd` shows links: a terminal, not a dumb one, without NO_COLOR (https://no-color.org), and no CI
 * system's. */
bool links_shown(const struct strings *env, int fd);

#endif
