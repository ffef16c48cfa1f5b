#include "cli/log_print.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/clock.h"
#include "core/json.h"
#include "core/lines.h"
#include "core/mem.h"

void log_print_init(struct log_print *print, bool json)
{
    *print = (struct log_print){.json = json, .terminal = !json && isatty(STDOUT_FILENO), .indent = ""};
}

struct log_access log_access_of(struct setup *setup)
{
    return (struct log_access){.client = setup->client,
                               .credentials = setup->credentials,
                               .region = setup->platform.region,
                               .endpoint = setup->platform.endpoint,
                               .path_style = setup->platform.path_style};
}

struct pieces {
    const char *indent;
    int printed;
};

static void on_piece(void *context, const char *text, size_t len)
{
    struct pieces *pieces = context;

    if (pieces->printed++)
        printf("\n%s", pieces->indent);
    fwrite(text, 1, len, stdout);
}

void log_print_safely(const char *text, size_t len, const char *indent)
{
    struct pieces pieces = {.indent = indent};
    struct lines lines;

    lines_init(&lines, false, on_piece, &pieces);
    lines_feed(&lines, (struct view){text, len});
    lines_end(&lines);
    lines_dispose(&lines);
    putchar('\n');
}

static const char *colour_of(const struct log_line *line)
{
    static const struct {
        const char *type, *colour;
    } colours[] = {{"error", "31"}, {"warning", "33"},      {"gap", "33"},     {"command", "1"},
                   {"debug", "2"},  {"step-begin", "1;36"}, {"step-end", "32"}};
    size_t i;

    if (line->failed)
        return "31";
    for (i = 0; i < ARRAY_LEN(colours); i++)
        if (strcmp(colours[i].type, line->type) == 0)
            return colours[i].colour;
    return NULL;
}

/* The day is known of logs with an index; without it a time of day is all there is. */
static void put_time(json_t *object, const struct log_line *line)
{
    char time[CLOCK_TEXT_SIZE];

    if (line->wall_ms) {
        clock_format(line->wall_ms, time);
        json_put_text(object, "time", time);
    } else if (line->clock_s >= 0) {
        snprintf(time, sizeof time, "%02d:%02d:%02d", line->clock_s / 3600, line->clock_s / 60 % 60,
                 line->clock_s % 60);
        json_put_text(object, "time", time);
    }
}

static void print_json(const struct log_line *line)
{
    CLEANUP_JSON json_t *object = json_object();
    CLEANUP_FREE char *text = xstrndup(line->text.data, line->text.len);

    json_object_set_new(object, "line", json_integer((json_int_t)line->number));
    put_time(object, line);
    if (*line->step)
        json_put_text(object, "step", line->step);
    json_put_text(object, "type", line->type);
    if (*line->stream)
        json_put_text(object, "stream", line->stream);
    json_put_text(object, "text", text);
    json_dumpf(object, stdout, cli_json_flags() | JSON_COMPACT);
    putchar('\n');
}

bool log_print_line(void *context, const struct log_line *line)
{
    struct log_print *print = context;
    const char *colour = print->terminal ? colour_of(line) : NULL;

    print->ended = print->ended || line->last;
    if (print->json) {
        print_json(line);
    } else if (print->terminal) {
        /* people are told the same in words, by `caisson result` */
        if (strcmp(line->type, "result") == 0)
            return !ferror(stdout);
        printf("%s", print->indent);
        if (colour)
            printf("\033[%sm", colour);
        log_print_safely(line->whole.data, line->whole.len, print->indent);
        if (colour)
            printf("\033[0m");
    } else {
        printf("%s", print->indent);
        fwrite(line->whole.data, 1, line->whole.len, stdout);
        putchar('\n');
    }
    return !ferror(stdout);
}
