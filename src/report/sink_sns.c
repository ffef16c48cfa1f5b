/*
 * Amazon SNS, standard and FIFO topics: one Publish a message.
 * https://docs.aws.amazon.com/sns/latest/api/API_Publish.html (AWS query protocol)
 */
#include <stdlib.h>
#include <string.h>

#include "core/mem.h"
#include "report/sink_aws.h"

#define FORM_MAX (4 * AWS_MESSAGE_MAX)
#define SUBJECT_MAX 100

struct sink {
    struct aws_sender sender;
    char *topic;
    bool fifo;
};

static int sns_open(struct sink **out, const struct sink_context *context, const struct sink_settings *settings,
                    struct error *err)
{
    struct sink *sink = xcalloc(1, sizeof *sink);
    struct arn arn;
    size_t len = strlen(settings->target);

    if (!arn_parse(settings->target, &arn)) {
        free(sink);
        error_set(err, CLASS_SPEC_INVALID, "bad-topic", "%.300s is no ARN of a topic", settings->target);
        return error_hint(err, "write it as arn:aws:sns:REGION:ACCOUNT:NAME");
    }
    if (aws_sender_init(&sink->sender, context, "sns", context->sns_endpoint, arn.region, err)) {
        free(sink);
        return -1;
    }
    sink->sender.service.query = true;
    sink->topic = xstrdup(settings->target);
    sink->fifo = len > 5 && strcmp(settings->target + len - 5, ".fifo") == 0;
    *out = sink;
    return 0;
}

static void add(struct buf *form, const char *name, const char *value)
{
    buf_addf(form, "&%s=", name);
    url_encode(value, false, form);
}

/* "name: value" as attributes: what is told apart without reading the body. */
static void add_attributes(struct buf *form, const struct message *message)
{
    char name[64];
    size_t i, number = 0;

    for (i = 0; i < message->headers.len && number < 10; i++) {
        const char *value;
        CLEANUP_FREE char *key = xstrndup(message->headers.items[i], message_header(message->headers.items[i], &value));

        if (!*value)
            continue;
        number++;
        snprintf(name, sizeof name, "MessageAttributes.entry.%zu.Name", number);
        add(form, name, key);
        snprintf(name, sizeof name, "MessageAttributes.entry.%zu.Value.DataType", number);
        add(form, name, "String");
        snprintf(name, sizeof name, "MessageAttributes.entry.%zu.Value.StringValue", number);
        add(form, name, value);
    }
}

static void sns_send(struct sink *sink, const struct message *messages, size_t len, sink_done *done, void *context)
{
    const struct message *message = messages;
    char *text;
    struct error err;
    struct buf form;

    (void)len; /* 1 */
    if (aws_message_check(message, "SNS", &err)) {
        aws_sender_refuse(&sink->sender, &err, done, context);
        return;
    }
    buf_init(&form, FORM_MAX);
    buf_adds(&form, "Action=Publish&Version=2010-03-31");
    add(&form, "TopicArn", sink->topic);
    text = aws_message_text(message);
    add(&form, "Message", text);
    free(text);
    if (message->subject && strlen(message->subject) <= SUBJECT_MAX)
        add(&form, "Subject", message->subject);
    if (sink->fifo) {
        add(&form, "MessageGroupId", message->group);
        add(&form, "MessageDeduplicationId", message->id);
    }
    add_attributes(&form, message);
    aws_sender_start(&sink->sender, "sns:Publish", view_of(buf_text(&form)), 1, done, context);
    buf_dispose(&form);
}

static void sns_cancel(struct sink *sink)
{
    aws_sender_cancel(&sink->sender);
}

static void sns_close(struct sink *sink)
{
    sns_cancel(sink);
    free(sink->topic);
    free(sink);
}

const struct sink_type sink_sns = {
    .name = "sns",
    .max_body = AWS_BODY_MAX,
    .max_messages = 1,
    .open = sns_open,
    .send = sns_send,
    .cancel = sns_cancel,
    .close = sns_close,
};
