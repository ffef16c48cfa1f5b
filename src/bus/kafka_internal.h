/* What bus/kafka.c and bus/kafka_error.c share. For these two only. */
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

#endif
