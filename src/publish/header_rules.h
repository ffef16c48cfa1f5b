/*
 * Which headers an object gets: the content type by its name, the content coding of a pre-compressed sibling
 * ("app.js.gz" beside "app.js" is published as what app.js is, with Content-Encoding: gzip), and what the first rule
 * that matches sets. Values come from the spec: what would break a header line is refused.
 */
#ifndef CAISSON_PUBLISH_HEADER_RULES_H
#define CAISSON_PUBLISH_HEADER_RULES_H

#include "core/error.h"
#include "core/strings.h"
#include "publish/publish.h"

/* Hex digits of the short hash over an object's headers: "unchanged" means the same bytes and the same headers. */
#define META_SIZE 17

struct header_rules;
/* The rules are borrowed. CLASS_SPEC_INVALID, reasons "bad-glob", "bad-header". */
int header_rules_new(struct header_rules **rules, const struct publish_header_rule *items, size_t len,
                     struct error *err);
void header_rules_free(struct header_rules *rules);

/* Appends "Name: value" lines for the path. `encoding`: NULL, or the coding of a pre-compressed sibling. */
void header_rules_apply(const struct header_rules *rules, const char *path, const char *encoding,
                        struct strings *headers);
/* The hash over such a list, and whether it says that the object is a page. */
void header_rules_summary(const struct strings *headers, char meta[META_SIZE], bool *page);

#endif
