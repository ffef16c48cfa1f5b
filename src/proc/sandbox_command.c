/* The two larger payloads of the sandbox's protocol: a command, and why one could not run. */
#include <stdlib.h>
#include <string.h>

#include "core/mem.h"
#include "core/utf8.h"
#include "proc/sandbox_fields.h"
#include "proc/sandbox_message.h"

/* The longest time of a spec. */
#define TIME_MAX_MS ((int64_t)31 * 24 * 3600 * 1000)

static void put_strings(struct buf *out, const struct strings *list)
{
    size_t i;

    put_u32(out, (uint32_t)list->len);
    for (i = 0; i < list->len; i++)
        put_text(out, list->items[i]);
}

int sandbox_command_encode(const struct command *command, struct buf *out)
{
    put_text(out, command->name);
    put_text(out, command->directory ? command->directory : "/");
    put_text(out, command->workspace ? command->workspace : "");
    put_strings(out, &command->argv);
    put_strings(out, &command->env);
    put_bytes(out, command->input);
    put_u64(out, (uint64_t)command->timeout_ms);
    put_u64(out, (uint64_t)command->idle_ms);
    put_u64(out, (uint64_t)command->grace_ms);
    put_u64(out, (uint64_t)command->limits.processes);
    put_u64(out, (uint64_t)command->limits.file_size_bytes);
    put_u64(out, (uint64_t)command->limits.open_files);
    put_u64(out, (uint64_t)command->memory.known_limit_bytes);
    put_u64(out, (uint64_t)command->memory.bytes);
    put_u64(out, (uint64_t)command->memory.percent);
    return out->overflow || out->len > SANDBOX_COMMAND_MAX ? -1 : 0;
}

static char *get_copy(struct fields *fields)
{
    struct view text = get_text(fields);

    return xstrndup(text.data, text.len);
}

static void get_strings(struct fields *fields, struct strings *list)
{
    uint32_t count = get_u32(fields), i;

    if (count > SANDBOX_STRINGS_MAX)
        fields->bad = true;
    for (i = 0; i < count && !fields->bad; i++)
        strings_take(list, get_copy(fields));
}

static int64_t get_limit(struct fields *fields, int64_t max)
{
    uint64_t number = get_u64(fields);

    if (number > (uint64_t)max)
        fields->bad = true;
    return fields->bad ? 0 : (int64_t)number;
}

const char *sandbox_command_decode(struct view bytes, struct sandbox_command *out)
{
    struct fields fields = fields_of(bytes);
    struct command *command = &out->command;
    struct view input;

    memset(out, 0, sizeof *out);
    command_init(command, NULL);
    command->name = out->name = get_copy(&fields);
    command->directory = out->directory = get_copy(&fields);
    out->workspace = get_copy(&fields);
    command->workspace = *out->workspace ? out->workspace : NULL;
    get_strings(&fields, &command->argv);
    get_strings(&fields, &command->env);
    input = get_bytes(&fields, get_u32(&fields));
    out->input = xmalloc(input.len + 1);
    memcpy(out->input, input.data, input.len);
    command->input = (struct view){out->input, input.len};
    command->timeout_ms = get_limit(&fields, TIME_MAX_MS);
    command->idle_ms = get_limit(&fields, TIME_MAX_MS);
    command->grace_ms = get_limit(&fields, TIME_MAX_MS);
    command->limits.processes = get_limit(&fields, (int64_t)1 << 32);
    command->limits.file_size_bytes = get_limit(&fields, (int64_t)1 << 56);
    command->limits.open_files = get_limit(&fields, (int64_t)1 << 32);
    command->memory.known_limit_bytes = get_limit(&fields, (int64_t)1 << 56);
    command->memory.bytes = get_limit(&fields, (int64_t)1 << 56);
    command->memory.percent = (int)get_limit(&fields, 100);
    if (fields_end(&fields) && command->argv.len && command->argv.items[0][0] && command->directory[0] == '/')
        return NULL;
    sandbox_command_dispose(out);
    return "a command that makes no sense";
}

void sandbox_command_dispose(struct sandbox_command *command)
{
    if (command->input)
        wipe(command->input, command->command.input.len);
    free(command->input);
    command_dispose(&command->command);
    free(command->name);
    free(command->directory);
    free(command->workspace);
    memset(command, 0, sizeof *command);
}

/* ---- why it could not run ---- */

/* Reasons that the executor in the sandbox gives: a word of its own would stand in the result as if it were ours. */
static const char *const reasons[] = {
    "command-not-found", "not-executable",     "bad-directory",       "fork-failed",
    "no-descriptors",    "confinement-failed", "left-over-processes", "no-proc",
};

void sandbox_failed_encode(const struct error *error, struct buf *out)
{
    put_byte(out, error->retryable ? 1 : 0);
    put_text(out, error->reason);
    put_text(out, error->message);
    put_text(out, error->hint);
}

/* One line of valid text, what does not fit cut off. */
static void copy_words(struct view words, char *to, size_t size)
{
    struct buf clean;
    size_t i;

    buf_init(&clean, 16 * 1024);
    utf8_repair(words, &clean);
    for (i = 0; i < clean.len; i++)
        if ((unsigned char)clean.data[i] < ' ' || clean.data[i] == 0x7f)
            clean.data[i] = ' ';
    i = utf8_cut((struct view){buf_text(&clean), clean.len}, size - 1);
    memcpy(to, buf_text(&clean), i);
    to[i] = '\0';
    buf_dispose(&clean);
}

const char *sandbox_failed_decode(struct view payload, struct error *error)
{
    struct fields fields = fields_of(payload);
    unsigned retryable = get_byte(&fields);
    struct view reason = get_text(&fields), message = get_text(&fields), hint = get_text(&fields);
    size_t i;

    if (!fields_end(&fields) || retryable > 1 || message.len == 0)
        return "a failure that makes no sense";
    error_set(error, CLASS_INTERNAL, "sandbox-error", "%s", "");
    for (i = 0; i < ARRAY_LEN(reasons); i++)
        if (view_is(reason, reasons[i]))
            snprintf(error->reason, sizeof error->reason, "%s", reasons[i]);
    copy_words(message, error->message, sizeof error->message);
    copy_words(hint, error->hint, sizeof error->hint);
    error->retryable = retryable;
    return NULL;
}
