/* What bus/amqp.c (life, messages) and bus/amqp_session.c (the conversation) share. For these two only. */
#ifndef CAISSON_BUS_AMQP_INTERNAL_H
#define CAISSON_BUS_AMQP_INTERNAL_H

#include "bus/amqp.h"
#include "bus/amqp_frame.h"
#include "net/stream.h"

enum amqp_state {
    AMQP_CLOSED,
    AMQP_CONNECTING,
    AMQP_STARTING,   /* for connection.start */
    AMQP_TUNING,     /* signed in; for connection.tune */
    AMQP_OPENING,    /* for connection.open-ok */
    AMQP_CHANNEL,    /* for channel.open-ok */
    AMQP_CONFIRMING, /* for confirm.select-ok */
    AMQP_READY,
};

struct amqp {
    struct loop *loop; /* borrowed */
    struct amqp_options options;
    char *host, *virtual_host, *username, *password, *ca_bundle;
    enum amqp_state state;
    struct stream *stream;
    struct buf input;
    size_t frame_max;
    amqp_pool_t pool; /* of the frame at hand */
    uint64_t sequence;
    uint64_t written;  /* when patience began */
    bool returning;    /* a message comes back: its content header is next */
    char blocked[304]; /* the broker's reason for not reading; "": it reads */
    struct requests requests, refused;
    struct loop_timer *patience, *pulse, *refusal;
    int heartbeat_s;           /* agreed on; 0: none */
    int64_t heard_ms, said_ms; /* monotonic */
};

extern const struct stream_events amqp_stream_events;

/* amqp.c: */
/* All that wait are told; nothing of the connection may be touched after it. */
void amqp_fail(struct amqp *amqp, const struct error *error);
void amqp_fail_bad_response(struct amqp *amqp, const char *what);
/* Starts the time of the broker's next word anew, or stops it when none is owed. */
void amqp_wait(struct amqp *amqp);
void amqp_send_requests(struct amqp *amqp);
/* A method of ours, now. -1: one of its fields is longer than the protocol has room for. */
int amqp_say(struct amqp *amqp, uint16_t channel, amqp_method_number_t method, void *fields);

#endif
