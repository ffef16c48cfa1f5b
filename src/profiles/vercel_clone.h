/* What the "Vercel clone" family reads (vercel_clone_format.c). Private to profiles/. */
#ifndef CAISSON_PROFILES_VERCEL_CLONE_H
#define CAISSON_PROFILES_VERCEL_CLONE_H

#include "report/format.h"

extern const struct event_format format_vercel_clone, format_vercel_clone_complete, format_vercel_clone_kafka;
extern const struct event_format format_vercel_clone_logs, format_vercel_clone_logs_kafka;

#endif
