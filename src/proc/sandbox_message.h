/*
 * What the runner and the sandbox say to each other: one message a packet of a SOCK_SEQPACKET connection. Bytes only,
 * no input or output here, so that both ends can be fuzzed. All numbers are little-endian. A packet is
 *
 *   byte 0      type
 *   byte 1      flags
 *   bytes 2, 3  zero
 *   bytes 4…7   number of the command that it belongs to, counted from 1; 0: of none
 *   the rest    payload, at most SANDBOX_PAYLOAD_MAX bytes
 *
 *   runner → sandbox                          sandbox → runner
 *   HELLO   version, build uid                HELLO   version, build uid
 *   COMMAND a piece of a command (flags)      OUTPUT  bytes (STDERR)
 *   CANCEL  end it within so many ms          EXIT    how it ended
 *   KILL    end it at once                    FAILED  why it could not run
 *   PING                                      PONG
 *   FINISH  end everything                    REAPED  nothing is left; the last message
 *
 * The runner speaks first. Commands come one after the other; each is answered by OUTPUT… and one EXIT or FAILED.
 * There is nothing that passes a descriptor, and no way to choose the user: commands run as the build.
 */
#ifndef CAISSON_PROC_SANDBOX_MESSAGE_H
#define CAISSON_PROC_SANDBOX_MESSAGE_H

#include <stdbool.h>
#include <stdint.h>

#include "core/buf.h"
#include "proc/command.h"

#define SANDBOX_VERSION 1
#define SANDBOX_HEADER_SIZE 8
#define SANDBOX_PAYLOAD_MAX 32768
#define SANDBOX_PACKET_MAX (SANDBOX_HEADER_SIZE + SANDBOX_PAYLOAD_MAX)
/* A whole command: the kernel takes about 2 MiB of arguments and environment. */
#define SANDBOX_COMMAND_MAX (4 * 1024 * 1024)
#define SANDBOX_STRINGS_MAX 8192

enum sandbox_side { SANDBOX_RUNNER, SANDBOX_BUILD };

enum sandbox_type {
    SANDBOX_HELLO = 1,
    SANDBOX_COMMAND,
    SANDBOX_CANCEL,
    SANDBOX_KILL,
    SANDBOX_PING,
    SANDBOX_FINISH,
    SANDBOX_OUTPUT,
    SANDBOX_EXIT,
    SANDBOX_FAILED,
    SANDBOX_PONG,
    SANDBOX_REAPED,
};

/* Of COMMAND: it is whole now; both of its streams go one way (of the last piece). */
enum { SANDBOX_LAST = 1, SANDBOX_ONE_STREAM = 2 };
enum { SANDBOX_STDERR = 1 }; /* of OUTPUT */

struct sandbox_message {
    enum sandbox_type type;
    unsigned flags;
    uint32_t number;
    struct view payload; /* borrowed from the packet */
};

/* Takes a packet apart. NULL, or a few static words on what is wrong with it when `from` cannot have meant it. */
const char *sandbox_message_decode(struct view packet, enum sandbox_side from, struct sandbox_message *message);
/* Appends a packet. The payload's length is the caller's promise. */
void sandbox_message_encode(const struct sandbox_message *message, struct buf *packet);

struct sandbox_hello {
    uint32_t version;
    uint32_t build_uid; /* whose files the runner will publish */
};
/* Payloads: NULL or what is wrong. The encoders append. */
const char *sandbox_hello_decode(struct view payload, struct sandbox_hello *hello);
void sandbox_hello_encode(const struct sandbox_hello *hello, struct buf *out);

/* One number: the milliseconds of CANCEL, the processes of REAPED. */
const char *sandbox_number_decode(struct view payload, uint32_t *number);
void sandbox_number_encode(uint32_t number, struct buf *out);

/* What of a command travels: all but its user, which is the build, its callbacks, and one_stream, which is a flag of
 * the message. */
struct sandbox_command {
    struct command command;
    char *name, *directory, *workspace, *input; /* what the command borrows */
};
const char *sandbox_command_decode(struct view bytes, struct sandbox_command *command);
/* 0, or -1: it is larger than SANDBOX_COMMAND_MAX. */
int sandbox_command_encode(const struct command *command, struct buf *out);
void sandbox_command_dispose(struct sandbox_command *command); /* wipes */

/* sandbox_exit.c. Numbers are checked to be possible; whether the kind is, the runner knows (SIGNALED and EXITED always
 * are). */
const char *sandbox_exit_decode(struct view payload, struct outcome *outcome);
void sandbox_exit_encode(const struct outcome *outcome, struct buf *out);

/* Class CLASS_INTERNAL and a reason that an executor gives, whatever it says; the words are cleaned of control
 * characters. */
const char *sandbox_failed_decode(struct view payload, struct error *error);
void sandbox_failed_encode(const struct error *error, struct buf *out);

#endif
