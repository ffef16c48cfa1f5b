/* What bus/redis.c and bus/redis_error.c share, and for the fuzzing of what a server may say. */
#ifndef CAISSON_BUS_REDIS_INTERNAL_H
#define CAISSON_BUS_REDIS_INTERNAL_H

#include <hiredis/hiredis.h>

#include "bus/redis.h"
#include "net/stream.h"

/* Their context is a struct redis. */
extern const struct stream_events redis_stream_events;

/* Fills *err from an error of the server's; its first word is its kind
 * (https://redis.io/docs/latest/develop/reference/protocol-spec, "Simple errors"). */
void redis_explain(const char *host, int port, const redisReply *reply, struct error *err);

#endif
