/*
 * Amazon SQS, standard and FIFO queues: one SendMessage a message.
 * https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_SendMessage.html (AWS JSON 1.0)
 */
#include <stdlib.h>
#include <string.h>

#include "core/json.h"
#include "core/mem.h"
#include "report/sink_aws.h"

struct sink {
    struct aws_sender sender;
    char *url, *endpoint; /* endpoint: of a queue that is not AWS's; NULL: it is, or the operator says where */
    bool fifo;
};

/* "https://sqs.eu-west-1.amazonaws.com/123456789012/name", or an ARN of the same. Caller frees *region. */
static int read_target(struct sink *sink, const char *target, char **region, struct error *err)
{
    struct url url;
    struct arn arn;
    size_t len;
    bool aws;

    if (arn_parse(target, &arn)) {
        *region = xstrdup(arn.region);
        sink->url = xasprintf("https://sqs.%s.amazonaws.com%s/%s/%s", arn.region,
                              strcmp(arn.partition, "aws-cn") == 0 ? ".cn" : "", arn.account, arn.resource);
        return 0;
    }
    if (url_parse(target, &url, err)) {
        err->class = CLASS_SPEC_INVALID;
        return error_hint(err, "write the queue's URL or its ARN");
    }
    len = strcspn(url.host + (strncmp(url.host, "sqs.", 4) == 0 ? 4 : 0), ".");
    aws = strncmp(url.host, "sqs.", 4) == 0 && strstr(url.host, ".amazonaws.com");
    *region = aws ? xstrndup(url.host + 4, len) : NULL;
    sink->url = xstrdup(target);
    if (!aws)
        sink->endpoint = xasprintf("%s://%s%s%s", url.scheme, url.host, url.port ? ":" : "", url.port ? url.port : "");
    url_dispose(&url);
    return 0;
}

static void sqs_close(struct sink *sink)
{
    aws_sender_cancel(&sink->sender);
    free(sink->url);
    free(sink->endpoint);
    free(sink);
}

static int sqs_open(struct sink **out, const struct sink_context *context, const struct sink_settings *settings,
                    struct error *err)
{
    struct sink *sink = xcalloc(1, sizeof *sink);
    CLEANUP_FREE char *region = NULL;
    size_t len = strlen(settings->target);

    if (read_target(sink, settings->target, &region, err) ||
        aws_sender_init(&sink->sender, context, "sqs", context->sqs_endpoint ? context->sqs_endpoint : sink->endpoint,
                        region, err)) {
        sqs_close(sink);
        return -1;
    }
    sink->sender.service.json_1_0 = true;
    sink->fifo = len > 5 && strcmp(settings->target + len - 5, ".fifo") == 0;
    *out = sink;
    return 0;
}

static json_t *attributes_of(const struct message *message)
{
    json_t *attributes = json_object();
    size_t i;

    for (i = 0; i < message->headers.len && i < 10; i++) {
        const char *value;
        CLEANUP_FREE char *key = xstrndup(message->headers.items[i], message_header(message->headers.items[i], &value));

        if (*value)
            json_object_set_new(attributes, key, json_pack("{s:s, s:s}", "DataType", "String", "StringValue", value));
    }
    return attributes;
}

static void sqs_send(struct sink *sink, const struct message *messages, size_t len, sink_done *done, void *context)
{
    const struct message *message = messages;
    json_t *request;
    struct error err;
    char *text, *body;

    (void)len; /* 1 */
    if (aws_message_check(message, "SQS", &err)) {
        aws_sender_refuse(&sink->sender, &err, done, context);
        return;
    }
    request = json_object();
    json_put_text(request, "QueueUrl", sink->url);
    text = aws_message_text(message);
    json_put_text(request, "MessageBody", text);
    free(text);
    if (sink->fifo) {
        json_put_text(request, "MessageGroupId", message->group);
        json_put_text(request, "MessageDeduplicationId", message->id);
    }
    if (message->headers.len)
        json_object_set_new(request, "MessageAttributes", attributes_of(message));
    body = json_dumps(request, JSON_COMPACT);
    json_decref(request);
    aws_sender_start(&sink->sender, "AmazonSQS.SendMessage", view_of(body ? body : "{}"), 1, done, context);
    free(body);
}

static void sqs_cancel(struct sink *sink)
{
    aws_sender_cancel(&sink->sender);
}

const struct sink_type sink_sqs = {
    .name = "sqs",
    .max_body = AWS_BODY_MAX,
    .max_messages = 1,
    .open = sqs_open,
    .send = sqs_send,
    .cancel = sqs_cancel,
    .close = sqs_close,
};
