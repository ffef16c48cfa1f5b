/* What Deployra's API reads (deployra_format.c). Private to profiles/. */
#ifndef CAISSON_PROFILES_DEPLOYRA_H
#define CAISSON_PROFILES_DEPLOYRA_H

#include "report/format.h"

extern const struct event_format format_deployra, format_deployra_logs;

#endif
