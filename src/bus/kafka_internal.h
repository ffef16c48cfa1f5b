/* What the files bus/kafka*.c share. For these only. */
#ifndef CAISSON_BUS_KAFKA_INTERNAL_H
#define CAISSON_BUS_KAFKA_INTERNAL_H

#include <librdkafka/rdkafka.h>

#include "bus/kafka.h"

/* What is known of why nothing is delivered: the latest of librdkafka's errors. */
struct kafka_trouble {
    rd_kafka_resp_err_t code; /* RD_KAFKA_RESP_ERR_NO_ERROR: none */
    char text[304];
};

/* Whether it is of no use to go on trying. */
bool kafka_trouble_is_final(const struct kafka_trouble *trouble);
/* Fills *err from the code of one message; `trouble` says more where that is only that time is over. */
void kafka_explain(const char *brokers, rd_kafka_resp_err_t code, const struct kafka_trouble *trouble,
                   struct error *err);

/* Ending librdkafka means to join its threads, and one of them may be waiting for a name server. A thread of its own
 * does it, and where that takes long nobody waits for it. It is there from the beginning: in the end there may be no more
 * processes to be had, because a build has taken all. */
struct farewell;
/* NULL: the system has no more threads or descriptors. To be said in any case. */
struct farewell *farewell_prepare(void);
/* For librdkafka to tell by that its queue has something; it lives as long as the handle. */
int farewell_event_fd(const struct farewell *farewell);
/* Everything is taken; handle and queue NULL: there is nothing to end. Waits for the thread for wait_ms at most. */
void farewell_say(struct farewell *farewell, rd_kafka_t *handle, rd_kafka_queue_t *queue, int wait_ms);

#endif
