#include "report/log_line.h"

#include <string.h>

#include "core/clock.h"
#include "core/json.h"
#include "core/mem.h"

#define DAY_MS ((int64_t)24 * 60 * 60 * 1000)
#define STEP_WIDTH 8
#define CLOCK_LEN 9                 /* "12:00:01 " */
#define WHOLE_MAX ((size_t)2 << 20) /* an event of a file is at most 1 MiB */

/* ---- text ---- */

static bool is_digits(const char *text)
{
    return text[0] >= '0' && text[0] <= '9' && text[1] >= '0' && text[1] <= '9';
}

static int number(const char *text)
{
    return (text[0] - '0') * 10 + text[1] - '0';
}

int log_clock_parse(struct view text)
{
    const char *at = text.data;
    int second = 0;

    if ((text.len != 5 && text.len != 8) || !is_digits(at) || at[2] != ':' || !is_digits(at + 3))
        return -1;
    if (text.len == 8) {
        if (at[5] != ':' || !is_digits(at + 6))
            return -1;
        second = number(at + 6);
    }
    if (number(at) > 23 || number(at + 3) > 59 || second > 60)
        return -1;
    return number(at) * 3600 + number(at + 3) * 60 + second;
}

/* What a line of ours begins with. */
static int parse_clock(struct view line)
{
    if (line.len < CLOCK_LEN || line.data[CLOCK_LEN - 1] != ' ')
        return -1;
    return log_clock_parse((struct view){line.data, CLOCK_LEN - 1});
}

/* The text has no day: it is that which is nearest to the line before. */
static int64_t nearest(int64_t near_ms, int clock_s)
{
    int64_t wall_ms = near_ms - near_ms % DAY_MS + (int64_t)clock_s * 1000;

    if (wall_ms - near_ms > DAY_MS / 2)
        return wall_ms - DAY_MS;
    return near_ms - wall_ms > DAY_MS / 2 ? wall_ms + DAY_MS : wall_ms;
}

static bool take(struct view *text, const char *prefix)
{
    size_t len = strlen(prefix);

    if (!view_starts(*text, prefix))
        return false;
    *text = (struct view){text->data + len, text->len - len};
    return true;
}

/* The name of a step and what stands behind it, where it is `expected`. */
static bool takes_name(struct log_lines *lines, struct view text, bool (*expected)(struct view rest))
{
    size_t len = 0, end;

    while (len < text.len && len < sizeof lines->step - 1 &&
           ((text.data[len] >= 'a' && text.data[len] <= 'z') || text.data[len] == '-'))
        len++;
    for (end = len; end < text.len && text.data[end] == ' ' && (end == len || end <= STEP_WIDTH); end++)
        ;
    if (!len || end != (len < STEP_WIDTH ? STEP_WIDTH : len) + 1 ||
        !expected((struct view){text.data + end, text.len - end}))
        return false;
    memcpy(lines->step, text.data, len);
    lines->step[len] = '\0';
    return true;
}

static bool is_begin(struct view rest)
{
    return view_is(rest, "begins");
}

/* What stands first behind lines that a full disk has lost, the beginning of its step perhaps among them
 * (core/spool.h). */
static bool is_loss(struct view rest)
{
    if (!take(&rest, "warning: "))
        return false;
    while (rest.len && *rest.data >= '0' && *rest.data <= '9')
        rest = (struct view){rest.data + 1, rest.len - 1};
    return view_is(rest, " lines of the log were lost: the disk was full");
}

/* What our own lines begin with says what they are. */
static const char *type_of(struct view *text)
{
    static const struct {
        const char *word, *type;
    } words[] = {
        {"| ", "output"}, {"$ ", "command"}, {"warning: ", "warning"}, {"error: ", "error"}, {"debug: ", "debug"}};
    size_t i;

    for (i = 0; i < ARRAY_LEN(words); i++)
        if (take(text, words[i].word))
            return words[i].type;
    return "info";
}

static void parse_step_line(struct log_lines *lines, struct log_line *line)
{
    char prefix[sizeof lines->step + 9];

    snprintf(prefix, sizeof prefix, "%-8s ", lines->step);
    if (!*lines->step || !take(&line->text, prefix))
        return;
    line->step = lines->step;
    line->failed = view_starts(line->text, "failed in ");
    if (line->failed || view_starts(line->text, "done in "))
        line->type = "step-end";
}

/* A file sink's text ends so, without a time (report/format_plain.c). */
static bool is_plain_end(struct view line)
{
    static const char *const words[] = {"succeeded", "skipped",     "failed",    "timed_out",
                                        "cancelled", "interrupted", "superseded"};
    const char *space;
    size_t i;

    if (!take(&line, "job ") || !(space = memchr(line.data, ' ', line.len)))
        return false;
    line = (struct view){space + 1, line.len - (size_t)(space + 1 - line.data)};
    for (i = 0; i < ARRAY_LEN(words); i++)
        if (take(&line, words[i]))
            return !line.len || view_starts(line, ":");
    return false;
}

static bool add_text(struct log_lines *lines, struct view whole)
{
    struct log_line line = {.number = ++lines->number,
                            .clock_s = parse_clock(whole),
                            .step = "",
                            .stream = "",
                            .text = whole,
                            .whole = whole,
                            .type = "info"};
    bool go_on;

    if (line.clock_s < 0) {
        line.last = is_plain_end(whole);
        return lines->emit(lines->context, &line);
    }
    line.text = (struct view){whole.data + CLOCK_LEN, whole.len - CLOCK_LEN};
    if (lines->near_ms)
        line.wall_ms = lines->near_ms = nearest(lines->near_ms, line.clock_s);
    if (takes_name(lines, line.text, is_begin)) {
        line.type = "step-begin";
        line.step = lines->step;
        line.text = view_of(lines->step);
    } else {
        (void)takes_name(lines, line.text, is_loss);
        parse_step_line(lines, &line);
        if (*line.type == 'i' && !*line.step && take(&line.text, "result {")) {
            line.text = (struct view){line.text.data - 1, line.text.len + 1};
            line.type = "result";
            line.last = true;
        } else if (*line.type == 'i') {
            line.type = type_of(&line.text);
        }
    }
    go_on = lines->emit(lines->context, &line);
    if (strcmp(line.type, "step-end") == 0)
        *lines->step = '\0';
    return go_on;
}

/* ---- JSON ---- */

/* The line as the text would have it. */
static void write_whole(const struct log_line *line, struct buf *out)
{
    char time[CLOCK_TEXT_SIZE];
    const char *mark = strcmp(line->type, "output") == 0 ? "| " : strcmp(line->type, "command") == 0 ? "$ " : "";

    if (line->wall_ms) {
        clock_format(line->wall_ms, time);
        buf_addf(out, "%.8s ", time + 11);
    }
    if (*line->step)
        buf_addf(out, "%-8s ", line->step);
    if (strcmp(line->type, "warning") == 0 || strcmp(line->type, "error") == 0 || strcmp(line->type, "debug") == 0)
        buf_addf(out, "%s: ", line->type);
    if (strcmp(line->type, "gap") == 0)
        buf_adds(out, "warning: ");
    buf_adds(out, strcmp(line->type, "result") == 0 ? "result " : mark);
    buf_add(out, line->text.data, line->text.len);
}

static bool emit_json(struct log_lines *lines, struct log_line *line, const json_t *json)
{
    struct buf whole;
    bool go_on;

    buf_init(&whole, WHOLE_MAX);
    line->number = ++lines->number;
    line->clock_s = -1;
    if (clock_parse(json_text(json, "time", ""), &line->wall_ms) == 0)
        line->clock_s = (int)((line->wall_ms % DAY_MS + DAY_MS) % DAY_MS / 1000);
    write_whole(line, &whole);
    line->whole = (struct view){buf_text(&whole), whole.len};
    go_on = lines->emit(lines->context, line);
    buf_dispose(&whole);
    return go_on;
}

static bool emit_line(struct log_lines *lines, const json_t *json)
{
    struct log_line line = {.step = json_text(json, "step", ""),
                            .type = json_text(json, "type", "info"),
                            .stream = json_text(json, "stream", ""),
                            .text = view_of(json_text(json, "text", "")),
                            .failed = !json_flag(json, "ok", true)};

    return emit_json(lines, &line, json);
}

static bool emit_result(struct log_lines *lines, const json_t *json, const json_t *result)
{
    char *text = json_dumps(result, JSON_COMPACT | JSON_REAL_PRECISION(12));
    struct log_line line = {
        .step = "", .type = "result", .stream = "", .text = view_of(text ? text : "{}"), .last = true};
    bool go_on = emit_json(lines, &line, json);

    free(text);
    return go_on;
}

static bool emit_step(struct log_lines *lines, const json_t *event, const json_t *data)
{
    bool begins = strcmp(json_text(data, "phase", ""), "begin") == 0;
    double seconds = json_number_value(json_object_get(data, "seconds"));
    const char *status = json_text(data, "status", "");
    char time[CLOCK_TEXT_SIZE], text[64];
    struct log_line line = {
        .step = json_text(data, "step", ""), .stream = "", .type = begins ? "step-begin" : "step-end"};

    line.failed = !begins && strcmp(status, "failed") == 0;
    duration_format(seconds > 0 && seconds < 1e9 ? (int64_t)(seconds * 1000) : 0, time);
    snprintf(text, sizeof text, "%s in %s", line.failed ? "failed" : "done", time);
    line.text = view_of(begins ? "begins" : text);
    return emit_json(lines, &line, event);
}

/* A CloudEvent of ours (report/format_cloudevents.c); others say nothing to a reader of lines. */
static bool add_event(struct log_lines *lines, const char *type, const json_t *event)
{
    const json_t *data = json_object_get(event, "data"), *item;
    const json_t *list = json_object_get(data, "lines");
    size_t i;

    if (strcmp(type, "step") == 0)
        return emit_step(lines, event, data);
    if (strcmp(type, "finished") == 0)
        return emit_result(lines, event, json_object_get(data, "result"));
    if (strcmp(type, "log") != 0)
        return true;
    json_array_foreach(list, i, item) if (!emit_line(lines, item)) return false;
    return true;
}

static bool add_json(struct log_lines *lines, const json_t *json)
{
    const char *type = json_text(json, "type", "");

    if (json_object_get(json, "specversion"))
        return strncmp(type, "dev.caisson.job.", 16) != 0 || add_event(lines, type + 16, json);
    if (strcmp(type, "result") == 0)
        return emit_result(lines, json, json_object_get(json, "result"));
    return emit_line(lines, json);
}

bool log_lines_add(struct log_lines *lines, struct view line)
{
    CLEANUP_JSON json_t *json = NULL;

    if (line.len && *line.data == '{')
        json = json_loadb(line.data, line.len, 0, NULL);
    if (json_is_object(json) && json_object_get(json, "type"))
        return add_json(lines, json);
    return add_text(lines, line);
}
