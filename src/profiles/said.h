/* What the formats of existing systems have in common. Private to profiles/. */
#ifndef CAISSON_PROFILES_SAID_H
#define CAISSON_PROFILES_SAID_H

#include "core/clock.h"
#include "report/format.h"

/* How a job ended, in the three words that these systems know. What was superseded has published nothing: a failure. An
 * image that was there already is a success. */
enum outcome { OUTCOME_SUCCESS, OUTCOME_FAILURE, OUTCOME_CANCELLED };
enum outcome outcome_of(const struct event *event);
/* Of an end that is no success; never NULL. Borrowed. */
const char *outcome_message(const struct event *event);

/* "s3://bucket/__outputs/P", without the slash at its end. NULL: there is none. Caller frees. */
char *said_artifact(const struct event *event);
/* "REPOSITORY:TAG" by the first tag. NULL: there is none. Caller frees. */
char *said_image(const struct event *event);

/* The text of a line as the system shows it, mark of what it is included ("$ " before a command). Caller frees. */
char *said_line(const struct event_line *line);
/* "INFO", "WARN", "ERROR"; what a command said to stderr is INFO: tools tell their progress there. */
const char *said_level(const struct event_line *line);
/* The step, or "job" outside of one. */
const char *said_stage(const struct event_line *line);
/* The id of a message as a UUID, for who keeps it in a column of that type: the same each time. */
#define SAID_UUID_SIZE 37
void said_uuid(const char *id, char out[SAID_UUID_SIZE]);
/* Wall time as "2026-01-02T03:04:05.678Z". */
void said_put_time(json_t *object, const char *key, int64_t wall_ms);

/* A message with the body, which is taken. Borrowed until the next. */
struct message *said_add(struct outbox *out, const struct event_job *job, const struct event *event, json_t *body);

#endif
