/* What Veren's two builders share: whom they tell, and in which words (veren_format.c). Private to profiles/. */
#ifndef CAISSON_PROFILES_VEREN_H
#define CAISSON_PROFILES_VEREN_H

#include "profiles/profile_internal.h"

extern const struct event_format format_veren_frontend, format_veren_frontend_older, format_veren_frontend_logs;
extern const struct event_format format_veren_backend, format_veren_backend_logs;

/* Roles of what the container gets beside the job. */
#define VEREN_TOLD_ROLES                                                                                               \
    {.key = "topic", .names = veren_topic}, {.key = "kafka", .names = veren_kafka},                                    \
        {.key = "kafka user", .names = veren_kafka_user}, {.key = "kafka password", .names = veren_kafka_password},    \
        {.key = "kafka ca", .names = veren_kafka_ca},                                                                  \
    {                                                                                                                  \
        .key = "kafka client", .names = veren_kafka_client                                                             \
    }
extern const char *const veren_topic[],
    *const veren_kafka[], *const veren_kafka_user[], *const veren_kafka_password[], *const veren_kafka_ca[],
                                                                                        *const veren_kafka_client[];

/* SNS for the status, Kafka for the log, as far as the environment names them. */
void veren_notify(struct profile_draft *draft, const char *format, const char *log_format, const char *log_topic);

#endif
