/* Folders, S3 addresses and URLs as texts. Private to spec/. */
#ifndef CAISSON_SPEC_PATHS_H
#define CAISSON_SPEC_PATHS_H

#include <stdbool.h>
#include <stddef.h>

bool text_has_control(const char *text);

/* The path without ".", empty parts and a slash at the end; a leading slash stays. NULL when a part is "..". "" gives
 * ".". Caller frees. */
char *path_normalise(const char *path);

/* Parts of "s3://bucket/key". False when it is none. Borrowed: key points into the text; the bucket ends at a slash. */
bool s3_split(const char *url, const char **bucket, size_t *bucket_len, const char **key);

/* The last part of a repository's URL without .git, made into a valid project name. Caller frees. */
char *repository_name(const char *url);

#endif
