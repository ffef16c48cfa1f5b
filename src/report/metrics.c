#include "report/metrics.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "core/clock.h"
#include "core/json.h"

#define NAMESPACE_MAX 255
#define TEXT_MAX 256 /* ids and projects are shorter; nothing of a job can make the line long */

bool metrics_namespace_valid(const char *name)
{
    size_t i, len = strlen(name);

    if (!len || len > NAMESPACE_MAX || name[0] == ':' || strncmp(name, "AWS/", 4) == 0)
        return false;
    for (i = 0; i < len; i++)
        if (!isalnum((unsigned char)name[i]) && !strchr("._/#:-", name[i]))
            return false;
    return true;
}

/* Its value, and its name among those that CloudWatch is to read. */
static void put(json_t *line, json_t *metrics, const char *name, const char *unit, json_t *value)
{
    json_t *metric = json_object();

    json_put_text(metric, "Name", name);
    json_put_text(metric, "Unit", unit);
    json_array_append_new(metrics, metric);
    json_object_set_new(line, name, value);
}

static int64_t published_bytes(const struct result *result)
{
    int64_t bytes = result->image.published ? result->image.bytes : 0;
    size_t i;

    for (i = 0; i < result->artifacts_len; i++)
        bytes += result->artifacts[i].bytes;
    return bytes;
}

static void put_metrics(json_t *line, json_t *metrics, const struct result *result)
{
    enum error_class class = result->error.class;
    /* What a person or another job ended has not failed. */
    bool failed =
        class != CLASS_SUCCEEDED && class != CLASS_CANCELLED && class != CLASS_SUPERSEDED && class != CLASS_INTERRUPTED;

    put(line, metrics, "Jobs", "Count", json_integer(1));
    put(line, metrics, "Failed", "Count", json_integer(failed));
    put(line, metrics, "Seconds", "Seconds", json_real((double)result->duration_ms / 1000));
    put(line, metrics, "Bytes", "Bytes", json_integer(published_bytes(result)));
    if (result->cache.wanted) {
        put(line, metrics, "CacheHits", "Count", json_integer(result->cache.used));
        put(line, metrics, "CacheMisses", "Count", json_integer(result->cache.added));
    }
    if (result->image_pull_ms)
        put(line, metrics, "ImagePullSeconds", "Seconds", json_real((double)result->image_pull_ms / 1000));
    if (result->peak_memory_bytes)
        put(line, metrics, "PeakMemoryBytes", "Bytes", json_integer(result->peak_memory_bytes));
}

static void put_text(json_t *line, const char *name, const char *text)
{
    if (text && *text && strlen(text) <= TEXT_MAX)
        json_put_text(line, name, text);
}

/* For people who look into the log: fields of a line are no dimensions, so they cost nothing. */
static void put_properties(json_t *line, const struct result *result)
{
    put_text(line, "Id", result->id);
    put_text(line, "Project", result->project);
    json_put_text(line, "Status", result_status(result));
    json_object_set_new(line, "ExitCode", json_integer(result_exit_code(result)));
    if (result->error.class == CLASS_SUCCEEDED)
        return;
    put_text(line, "Reason", result->error.reason);
    put_text(line, "Step", result->step_now);
    json_object_set_new(line, "Retryable", json_boolean(result->error.retryable));
}

/* Each metric twice: of all jobs, and by class. A project is no dimension: each value of one is a metric to pay for. */
static json_t *directive(json_t *metrics, const char *name_space)
{
    json_t *directive = json_object();

    json_put_text(directive, "Namespace", name_space);
    json_object_set_new(directive, "Dimensions", json_pack("[[], [s]]", "Class"));
    json_object_set(directive, "Metrics", metrics);
    return directive;
}

void metrics_line(const struct result *result, const char *name_space, struct buf *out)
{
    CLEANUP_JSON json_t *line = json_object();
    CLEANUP_JSON json_t *metrics = json_array();
    json_t *about = json_object();
    char *text;

    json_object_set_new(line, "_aws", about);
    json_object_set_new(about, "Timestamp", json_integer(result->finished_ms ? result->finished_ms : clock_wall_ms()));
    json_put_text(line, "Class", error_class_name(result->error.class));
    put_metrics(line, metrics, result);
    put_properties(line, result);
    json_object_set_new(about, "CloudWatchMetrics", json_pack("[o]", directive(metrics, name_space)));
    text = json_dumps(line, JSON_COMPACT | JSON_REAL_PRECISION(12));
    if (text) {
        buf_adds(out, text);
        buf_adds(out, "\n");
    }
    free(text);
}
