/* The end of a command, as it travels from the sandbox to the runner. */
#include <string.h>

#include "proc/sandbox_fields.h"
#include "proc/sandbox_message.h"

enum { FLAG_CORE_DUMPED = 1, FLAG_OUT_OF_MEMORY = 2 };

/* More than any machine has. */
#define BYTES_MAX ((int64_t)1 << 50)
#define TIME_MAX_MS ((int64_t)1 << 40)
#define PROCESSES_MAX (1 << 24)

static int64_t get_amount(struct fields *fields, int64_t max)
{
    uint64_t amount = get_u64(fields);

    if (amount > (uint64_t)max)
        fields->bad = true;
    return fields->bad ? 0 : (int64_t)amount;
}

/* Of fixed length, filled up with NUL. The build chose it, so only what is plain stays. */
static void get_name(struct fields *fields, char *name, size_t size)
{
    struct view bytes = get_bytes(fields, size);
    size_t i;

    memset(name, 0, size);
    for (i = 0; i < bytes.len && i < size - 1 && bytes.data[i]; i++)
        name[i] = bytes.data[i] > ' ' && bytes.data[i] < 0x7f ? bytes.data[i] : '?';
}

static void put_amount(struct buf *out, int64_t amount)
{
    put_u64(out, (uint64_t)amount);
}

const char *sandbox_exit_decode(struct view payload, struct outcome *outcome)
{
    struct fields fields = fields_of(payload);
    uint32_t kind = get_u32(&fields), code = get_u32(&fields), signal = get_u32(&fields), flags = get_u32(&fields);
    uint32_t left_over = get_u32(&fields), zero = get_u32(&fields);

    memset(outcome, 0, sizeof *outcome);
    outcome->duration_ms = get_amount(&fields, TIME_MAX_MS);
    outcome->peak_rss_bytes = get_amount(&fields, BYTES_MAX);
    outcome->memory.limit_bytes = get_amount(&fields, BYTES_MAX);
    outcome->memory.threshold_bytes = get_amount(&fields, BYTES_MAX);
    outcome->memory.peak_bytes = get_amount(&fields, BYTES_MAX);
    outcome->memory.biggest_bytes = get_amount(&fields, BYTES_MAX);
    get_name(&fields, outcome->memory.biggest_name, sizeof outcome->memory.biggest_name);
    /* That the disk is used up is seen from the runner's side. */
    if (!fields_end(&fields) || kind > OUTCOME_MEMORY || code > 255 || signal > 64 ||
        flags > (FLAG_CORE_DUMPED | FLAG_OUT_OF_MEMORY) || zero || left_over > PROCESSES_MAX)
        return "an impossible end of a command";
    /* Only a command that exited has a code, only one that did not may have a signal. */
    if ((kind == OUTCOME_EXITED && signal) || (kind == OUTCOME_SIGNALED && (!signal || code)))
        return "an end of a command that contradicts itself";
    outcome->kind = (enum outcome_kind)kind;
    outcome->exit_code = (int)code;
    outcome->signal = (int)signal;
    outcome->core_dumped = flags & FLAG_CORE_DUMPED;
    outcome->out_of_memory = flags & FLAG_OUT_OF_MEMORY;
    outcome->left_over = (int)left_over;
    return NULL;
}

void sandbox_exit_encode(const struct outcome *outcome, struct buf *out)
{
    put_u32(out, (uint32_t)outcome->kind);
    put_u32(out, (uint32_t)outcome->exit_code);
    put_u32(out, (uint32_t)outcome->signal);
    put_u32(out, (outcome->core_dumped ? FLAG_CORE_DUMPED : 0u) | (outcome->out_of_memory ? FLAG_OUT_OF_MEMORY : 0u));
    put_u32(out, (uint32_t)outcome->left_over);
    put_u32(out, 0);
    put_amount(out, outcome->duration_ms);
    put_amount(out, outcome->peak_rss_bytes);
    put_amount(out, outcome->memory.limit_bytes);
    put_amount(out, outcome->memory.threshold_bytes);
    put_amount(out, outcome->memory.peak_bytes);
    put_amount(out, outcome->memory.biggest_bytes);
    buf_add(out, outcome->memory.biggest_name, sizeof outcome->memory.biggest_name);
}
