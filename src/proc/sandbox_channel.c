#include "proc/sandbox_channel.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "core/mem.h"

/* More than two pipes can hold and a whole command, which is all that may come at once. */
#define QUEUE_MAX (8 * 1024 * 1024)
/* Packets read before the loop's other work has its turn. */
#define READ_AT_ONCE 16

struct sandbox_channel {
    struct loop *loop; /* borrowed */
    int fd;
    enum sandbox_side self;
    struct sandbox_calls calls;
    struct loop_watch *watch;
    struct buf queue; /* packets, each after its length as a size_t */
    size_t sent;      /* of the queue */
    enum sandbox_end end;
    bool reset; /* the other side went with words of ours unread */
    char packet[SANDBOX_PACKET_MAX];
};

static void end(struct sandbox_channel *channel, enum sandbox_end how, const char *why)
{
    if (channel->end != SANDBOX_OPEN)
        return;
    channel->end = how;
    loop_watch_events(channel->watch, 0);
    channel->calls.ended(channel->calls.context, how, why);
}

void sandbox_channel_refuse(struct sandbox_channel *channel, const char *why)
{
    end(channel, SANDBOX_NONSENSE, why);
}

/* ---- out ---- */

/* 1: gone out, 0: not now, -1: never. */
static int send_packet(struct sandbox_channel *channel, const char *data, size_t len)
{
    ssize_t sent;

    do
        sent = send(channel->fd, data, len, MSG_NOSIGNAL | MSG_DONTWAIT);
    while (sent < 0 && errno == EINTR);
    if (sent >= 0)
        return 1;
    return errno == EAGAIN || errno == ENOBUFS || errno == ENOMEM ? 0 : -1;
}

static void queue_packet(struct sandbox_channel *channel, const struct buf *packet)
{
    if (channel->sent > QUEUE_MAX / 2) {
        buf_consume(&channel->queue, channel->sent);
        channel->sent = 0;
    }
    if (buf_add(&channel->queue, &packet->len, sizeof packet->len) ||
        buf_add(&channel->queue, packet->data, packet->len)) {
        end(channel, SANDBOX_CLOGGED, "it does not read what it is sent");
        return;
    }
    loop_watch_events(channel->watch, LOOP_READ | LOOP_WRITE);
}

void sandbox_channel_send(struct sandbox_channel *channel, enum sandbox_type type, unsigned flags, uint32_t number,
                          struct view payload)
{
    const struct sandbox_message message = {type, flags, number, payload};
    struct buf packet;

    if (channel->end != SANDBOX_OPEN)
        return;
    buf_init(&packet, SANDBOX_PACKET_MAX);
    sandbox_message_encode(&message, &packet);
    /* A peer that is gone is noticed by reading: there may be words of it to read before that. */
    if (sandbox_channel_is_full(channel) || send_packet(channel, packet.data, packet.len) == 0)
        queue_packet(channel, &packet);
    buf_wipe(&packet);
}

bool sandbox_channel_is_full(const struct sandbox_channel *channel)
{
    return channel->queue.len > channel->sent;
}

static void send_queued(struct sandbox_channel *channel)
{
    size_t len;

    while (sandbox_channel_is_full(channel)) {
        memcpy(&len, channel->queue.data + channel->sent, sizeof len);
        if (send_packet(channel, channel->queue.data + channel->sent + sizeof len, len) == 0)
            return;
        channel->sent += sizeof len + len;
    }
    wipe(channel->queue.data, channel->queue.len);
    buf_reset(&channel->queue);
    channel->sent = 0;
    loop_watch_events(channel->watch, LOOP_READ);
    if (channel->calls.drained)
        channel->calls.drained(channel->calls.context);
}

/* ---- in ---- */

/* A packet without bytes and the end look the same to recvmsg. */
static bool is_over(const struct sandbox_channel *channel)
{
    struct pollfd state = {.fd = channel->fd, .events = POLLIN};

    return poll(&state, 1, 0) > 0 && state.revents & POLLHUP;
}

/* False: nothing more has come. */
static bool read_packet(struct sandbox_channel *channel)
{
    struct iovec bytes = {channel->packet, sizeof channel->packet};
    /* No room for control data: the kernel closes descriptors that come along, and says that something was cut. */
    struct msghdr header = {.msg_iov = &bytes, .msg_iovlen = 1};
    ssize_t got = recvmsg(channel->fd, &header, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
    struct sandbox_message message;
    const char *wrong;

    if (got < 0 && (errno == EAGAIN || errno == EINTR))
        return false;
    /* The kernel says this before it gives what the other side had said until then. */
    if (got < 0 && errno == ECONNRESET && !channel->reset)
        return channel->reset = true;
    if (got < 0 || (got == 0 && is_over(channel))) {
        end(channel, SANDBOX_CLOSED, "it closed the connection");
        return false;
    }
    if (header.msg_flags & MSG_CTRUNC)
        wrong = "a message that passes a descriptor";
    else if (header.msg_flags & MSG_TRUNC)
        wrong = "a message that is too long";
    else
        wrong = sandbox_message_decode((struct view){channel->packet, (size_t)got},
                                       channel->self == SANDBOX_RUNNER ? SANDBOX_BUILD : SANDBOX_RUNNER, &message);
    if (wrong) {
        end(channel, SANDBOX_NONSENSE, wrong);
        return false;
    }
    channel->calls.message(channel->calls.context, &message);
    wipe(channel->packet, (size_t)got);
    return channel->end == SANDBOX_OPEN;
}

static void on_ready(void *context, int events)
{
    struct sandbox_channel *channel = context;
    int i;

    if (events & LOOP_WRITE)
        send_queued(channel);
    if (events & LOOP_READ && channel->end == SANDBOX_OPEN)
        for (i = 0; i < READ_AT_ONCE && read_packet(channel);)
            i++;
}

struct sandbox_channel *sandbox_channel_new(struct loop *loop, int fd, enum sandbox_side self,
                                            const struct sandbox_calls *calls)
{
    struct sandbox_channel *channel = xcalloc(1, sizeof *channel);

    *channel = (struct sandbox_channel){.loop = loop, .fd = fd, .self = self, .calls = *calls};
    buf_init(&channel->queue, QUEUE_MAX);
    fcntl(fd, F_SETFL, O_NONBLOCK);
    channel->watch = loop_watch(loop, fd, LOOP_READ, on_ready, channel);
    return channel;
}

void sandbox_channel_free(struct sandbox_channel *channel)
{
    if (!channel)
        return;
    loop_unwatch(channel->watch);
    close(channel->fd);
    buf_wipe(&channel->queue);
    wipe(channel->packet, sizeof channel->packet);
    free(channel);
}
