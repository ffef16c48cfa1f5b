#include "report/sink_aws.h"

#include <stdio.h>
#include <string.h>

#include "core/mem.h"

int aws_sender_init(struct aws_sender *sender, const struct sink_context *context, const char *service,
                    const char *endpoint, const char *region, struct error *err)
{
    if (!region)
        region = context->region;
    if (!region || !json_service_region(region)) {
        error_set(err, CLASS_SPEC_INVALID, "no-region", "nothing says in which region it is");
        return error_hint(err, "name it by its ARN, or set AWS_REGION");
    }
    snprintf(sender->region, sizeof sender->region, "%s", region);
    /* The queue before it has the patience. */
    sender->service = (struct json_service){.client = context->client,
                                            .provider = context->credentials,
                                            .name = service,
                                            .region = sender->region,
                                            .endpoint = endpoint,
                                            .max_attempts = 1};
    return 0;
}

/* A message that is wrong is left out; with all else that is wrong (no such queue, no right to it) a later one would
 * fare no better, and somebody may mend it. */
static void judge(struct error *err)
{
    if (strcmp(err->reason, "request-refused") == 0 || strcmp(err->reason, "message-too-large") == 0)
        return;
    if (strcmp(err->reason, "access-denied") == 0 || strcmp(err->reason, "not-found") == 0) {
        err->class = CLASS_CREDENTIALS;
        error_hint(err, "check its name, and that the task's role may send to it");
        return;
    }
    error_retryable(err, err->retry_after_ms);
}

/* SQS and CloudWatch Logs say so with 400, as they say that a message is wrong. */
static bool is_missing(const struct json_failure *failure)
{
    static const char *const codes[] = {"QueueDoesNotExist", "AWS.SimpleQueueService.NonExistentQueue",
                                        "ResourceNotFoundException"};
    size_t i;

    for (i = 0; failure && i < ARRAY_LEN(codes); i++)
        if (strcmp(failure->code, codes[i]) == 0)
            return true;
    return false;
}

static void on_answer(void *context, struct view answer, const struct json_failure *failure, const struct error *error)
{
    struct aws_sender *sender = context;
    size_t taken = error ? 0 : sender->len;
    struct error err;

    sender->call = NULL;
    if (error)
        err = *error;
    if (error && is_missing(failure))
        snprintf(err.reason, sizeof err.reason, "not-found");
    if (!error && sender->read)
        taken = sender->read(sender->len, answer, &err);
    if (taken < sender->len)
        judge(&err);
    sender->done(sender->context, taken, taken < sender->len ? &err : NULL);
}

void aws_sender_start(struct aws_sender *sender, const char *target, struct view body, size_t len, sink_done *done,
                      void *context)
{
    sender->len = len;
    sender->done = done;
    sender->context = context;
    sender->call = json_call_start(&sender->service, target, body, on_answer, sender);
}

static void on_refused(void *context)
{
    struct aws_sender *sender = context;

    sender->timer = NULL;
    sender->done(sender->context, 0, &sender->error);
}

void aws_sender_refuse(struct aws_sender *sender, const struct error *error, sink_done *done, void *context)
{
    sender->error = *error;
    sender->done = done;
    sender->context = context;
    sender->timer = loop_timer_start(http_client_loop(sender->service.client), 0, on_refused, sender);
}

void aws_sender_cancel(struct aws_sender *sender)
{
    json_call_cancel(sender->call);
    loop_timer_stop(sender->timer);
    sender->call = NULL;
    sender->timer = NULL;
}

int aws_message_check(const struct message *message, const char *service, struct error *err)
{
    if (message->body_len <= AWS_BODY_MAX)
        return 0;
    return error_set(err, CLASS_PLATFORM, "message-too-large", "%s takes messages of %zu bytes, this one has %zu",
                     service, AWS_MESSAGE_MAX, message->body_len);
}

/* U+FFFE and U+FFFF, as UTF-8. */
static bool is_noncharacter(const char *at)
{
    return strncmp(at, "\xef\xbf\xbe", 3) == 0 || strncmp(at, "\xef\xbf\xbf", 3) == 0;
}

char *aws_message_text(const struct message *message)
{
    char *text = xmalloc(message->body_len + 2), *end = text;
    const char *at = message->body;

    while (*at)
        if (is_noncharacter(at))
            at += 3;
        else if ((unsigned char)*at < 0x20 && !strchr("\t\n\r", *at))
            at++;
        else
            *end++ = *at++;
    if (end == text) /* an empty one is refused */
        *end++ = ' ';
    *end = '\0';
    return text;
}
