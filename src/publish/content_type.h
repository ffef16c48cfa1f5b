/*
 * What a file is, from its name alone: a table of extensions (IANA's media types and what browsers expect for
 * JavaScript, RFC 9239, and WebAssembly). Text types say charset=utf-8. Pure functions, static texts.
 */
#ifndef CAISSON_PUBLISH_CONTENT_TYPE_H
#define CAISSON_PUBLISH_CONTENT_TYPE_H

#include <stdbool.h>
#include <stddef.h>

/* Never NULL: "application/octet-stream" for what is not known. Static. */
const char *content_type_of(const char *path);

/* The coding of a name that ends in ".gz", ".br" or ".zst", with the length of the name before that; else NULL. */
const char *content_encoding_of(const char *path, size_t *base_len);

/* Pages are what people open first: they are published last, when everything that they load is there. */
bool content_type_is_page(const char *content_type);

#endif
