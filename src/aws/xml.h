/*
 * Small XML answers of AWS, read as text: hostile, bounded, no entities but the five, no document type. An element is
 * found wherever it stands: for documents whose elements have names of their own.
 */
#ifndef CAISSON_AWS_XML_H
#define CAISSON_AWS_XML_H

#include <stdbool.h>

#include "core/buf.h"

/* The text of the first element of that name, unescaped, cut at the ceiling of `out` (overflow then). */
bool xml_find(struct view body, const char *element, struct buf *out);
/* The same into `text`; false, and empty, when it is absent or does not fit. */
bool xml_text(struct view body, const char *element, char *text, size_t size);
/* For messages: valid UTF-8 on one line, cut where it does not fit; empty when absent. */
void xml_words(struct view body, const char *element, char *text, size_t size);
/* Whether the root element has that name. */
bool xml_root_is(struct view body, const char *element);

#endif
