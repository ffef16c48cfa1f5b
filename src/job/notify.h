/* What a sink is told of an entry of `notify`: for the job, and for who looks whether it would be told. */
#ifndef CAISSON_JOB_NOTIFY_H
#define CAISSON_JOB_NOTIFY_H

#include "report/sink.h"
#include "spec/spec.h"

/* All but the values, the headers and the commit. The entry's texts are borrowed. */
struct sink_settings notify_settings(const struct spec_notify *entry);

#endif
