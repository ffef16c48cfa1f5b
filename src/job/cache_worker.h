/*
 * The layer cache is read and written in a child of its own: it parses what others stored, and reads what root of the
 * build wrote, with our credentials at hand.
 *
 * Request: {"action", "workspace", "device", "inode", "folder", "to", "project", "ref", "fallback_ref", "max_age_ms",
 * "max_bytes", "time_ms", "distrust": […], "endpoint", "region", "path_style", and those of worker_request.h}.
 * Answer: {"entries", "bytes", "from_fallback", "used", "added", "files", "transferred_bytes", "dropped",
 * "broken": […]}.
 */
#ifndef CAISSON_JOB_CACHE_WORKER_H
#define CAISSON_JOB_CACHE_WORKER_H

#include "proc/worker.h"

extern const struct worker_entry cache_worker;

#define CACHE_RESTORE "restore"
#define CACHE_SAVE "save"

#endif
