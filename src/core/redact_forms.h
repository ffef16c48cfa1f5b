/* The forms in which tools print a secret. Internal to redaction. */
#ifndef CAISSON_CORE_REDACT_FORMS_H
#define CAISSON_CORE_REDACT_FORMS_H

#include "core/buf.h"

/* Calls `add` with each form of the value, the raw one included, some of them perhaps more than once. The bytes are
 * borrowed and wiped afterwards. */
void redact_forms(struct view value, void (*add)(void *context, struct view form), void *context);

#endif
