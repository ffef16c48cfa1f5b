/*
 * The forms in which tools print a secret. Internal to redaction.
 *
 *   raw; percent-encoded (RFC 3986, what encodeURIComponent and encodeURI leave, forms, a path; %20 and +; both hex)
 *   base64 and base64url at each of the three offsets within what is encoded: the digits that no neighbour decides, and
 *     the last one too where the value, or it and a newline, ends what is encoded; in lines of 64 and 76 digits where
 *     the value begins it
 *   hex, both cases
 *   JSON: plain, with "\/", with all that is not ASCII as \u (both cases), with <, > and & as \u
 *   shell: '…' with '\'' and '"'"', "…", backslashes (two habits), $'…' (also with all that is not ASCII in octal)
 */
#ifndef CAISSON_CORE_REDACT_FORMS_H
#define CAISSON_CORE_REDACT_FORMS_H

#include "core/buf.h"

enum redact_level {
    REDACT_ALL,   /* forms, the variants of each */
    REDACT_USUAL, /* for long values: raw, percent, base64, JSON, in the most usual variant */
    REDACT_RAW,
};

/* Calls `add` with each form of the value, the raw one included, some of them perhaps more than once. The bytes are
 * borrowed and wiped afterwards. */
void redact_forms(struct view value, enum redact_level level, void (*add)(void *context, struct view form),
                  void *context);

#endif
