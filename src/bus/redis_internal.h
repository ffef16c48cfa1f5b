/* For bus/redis.c and the fuzzing of what a server may say. */
#ifndef CAISSON_BUS_REDIS_INTERNAL_H
#define CAISSON_BUS_REDIS_INTERNAL_H

#include "bus/redis.h"
#include "net/stream.h"

/* Their context is a struct redis. */
extern const struct stream_events redis_stream_events;

#endif
