/* What the sinks of AWS share: one signed call a send. Private to report/. */
#ifndef CAISSON_REPORT_SINK_AWS_H
#define CAISSON_REPORT_SINK_AWS_H

#include "aws/json_call.h"
#include "core/arn.h"
#include "report/sink.h"

#define AWS_MESSAGE_MAX ((size_t)262144) /* of SNS, SQS and an entry of EventBridge, attributes included */
#define AWS_BODY_MAX (AWS_MESSAGE_MAX - 8192)

/* Begins a sink's own struct. */
struct aws_sender {
    struct json_service service;
    char region[ARN_REGION_SIZE];
    struct json_call *call;
    struct loop_timer *timer; /* of an error that needs no call */
    struct error error;
    size_t len; /* messages under way */
    sink_done *done;
    void *context;
    /* Reads a 2xx answer; how many of the messages it has taken, and the error where that is not all. NULL: all are. */
    size_t (*read)(size_t len, struct view answer, struct error *err);
};

/* region: of the target, NULL: context's. CLASS_SPEC_INVALID where none is known. */
int aws_sender_init(struct aws_sender *sender, const struct sink_context *context, const char *service,
                    const char *endpoint, const char *region, struct error *err);
/* Calls the target with the body (copied). Then `done` for all the messages. */
void aws_sender_start(struct aws_sender *sender, const char *target, struct view body, size_t len, sink_done *done,
                      void *context);
/* The first of them cannot be sent: `done` is told so. */
void aws_sender_refuse(struct aws_sender *sender, const struct error *error, sink_done *done, void *context);
void aws_sender_cancel(struct aws_sender *sender);
/* What two services answer to several messages at once, by `read` above: hostile JSON. */
size_t put_events_read(size_t len, struct view answer, struct error *err);
size_t put_log_events_read(size_t len, struct view answer, struct error *err);
/* 0, or an error for a message that no service takes. */
int aws_message_check(const struct message *message, const char *service, struct error *err);
/* The body without what SQS, and so SNS, takes in no message: only #x9 | #xA | #xD | #x20 to #xD7FF | #xE000 to #xFFFD |
 * #x10000 to #x10FFFF. Caller frees.
 * https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_SendMessage.html */
char *aws_message_text(const struct message *message);

#endif
