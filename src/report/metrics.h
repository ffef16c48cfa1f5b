/*
 * One line a job for CloudWatch: embedded metric format, which CloudWatch Logs turns into metrics by itself when a log
 * event is such an object. Nobody else can print one: a build's lines never stand alone (report/render.c).
 * https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/CloudWatch_Embedded_Metric_Format_Specification.html
 */
#ifndef CAISSON_REPORT_METRICS_H
#define CAISSON_REPORT_METRICS_H

#include <stdbool.h>

#include "core/buf.h"
#include "report/result.h"

#define METRICS_LINE_MAX 4096 /* PIPE_BUF: written at once */

/* What CloudWatch takes as the name of a namespace, and does not keep for itself ("AWS/…"). */
bool metrics_namespace_valid(const char *name);
/* Appends the line, its newline included. Metrics: Jobs, Failed, Seconds, Bytes (published), and where they are known
 * CacheHits, CacheMisses (layers), ImagePullSeconds, PeakMemoryBytes; each of all jobs and by Class. */
void metrics_line(const struct result *result, const char *name_space, struct buf *out);

#endif
