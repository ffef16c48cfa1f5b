/* The table of sinks: one word a file. */
#include <string.h>

#include "core/mem.h"
#include "report/sink.h"

extern const struct sink_type sink_amqp, sink_cloudwatch_logs, sink_eventbridge, sink_file, sink_github, sink_http,
    sink_kafka, sink_redis, sink_sns, sink_sqs;

static const struct sink_type *const types[] = {
    &sink_amqp, &sink_cloudwatch_logs, &sink_eventbridge, &sink_file, &sink_github,
    &sink_http, &sink_kafka,           &sink_redis,       &sink_sns,  &sink_sqs};

const struct sink_type *sink_type_at(size_t index)
{
    return index < ARRAY_LEN(types) ? types[index] : NULL;
}

const struct sink_type *sink_type_find(const char *name)
{
    size_t i;

    for (i = 0; i < ARRAY_LEN(types); i++)
        if (strcmp(types[i]->name, name) == 0)
            return types[i];
    return NULL;
}
