#include "report/console.h"

#include <stdlib.h>
#include <string.h>

#include "core/clock.h"
#include "core/json.h"
#include "core/mem.h"
#include "core/protection.h"
#include "core/utf8.h"
#include "report/links.h"

int log_format_parse(const char *name, enum log_format *format)
{
    static const struct {
        const char *name;
        enum log_format format;
    } formats[] = {
        {"auto", LOG_AUTO}, {"plain", LOG_PLAIN}, {"emoji", LOG_EMOJI}, {"json", LOG_JSON}, {"github", LOG_GITHUB}};
    size_t i;

    for (i = 0; i < ARRAY_LEN(formats); i++)
        if (strcmp(formats[i].name, name) == 0) {
            *format = formats[i].format;
            return 0;
        }
    return -1;
}

/* How a kind of record looks: its name in JSON, a word in plain text, the seeds' mark, a colour on a terminal. */
static const struct {
    const char *name, *word, *mark, *colour;
} looks[] = {
    [RECORD_OUTPUT] = {"output", "", "", ""},
    [RECORD_INFO] = {"info", "", "\xf0\x9f\x94\x84 ", ""},                          /* in progress */
    [RECORD_WARNING] = {"warning", "warning: ", "\xe2\x9a\xa0\xef\xb8\x8f ", "33"}, /* warning sign */
    [RECORD_ERROR] = {"error", "error: ", "\xe2\x9d\x8c ", "31"},                   /* cross mark */
    [RECORD_DEBUG] = {"debug", "debug: ", "", "2"},
    [RECORD_COMMAND] = {"command", "$ ", "$ ", "1"},
    [RECORD_STEP_BEGIN] = {"step-begin", "", "\xf0\x9f\x94\x84 ", "1;36"},
    [RECORD_STEP_END] = {"step-end", "", "", ""},
    [RECORD_PROGRESS] = {"progress", "", "", ""},
    [RECORD_GAP] = {"gap", "warning: ", "\xe2\x9a\xa0\xef\xb8\x8f ", "33"},
    [RECORD_RESULT] = {"result", "result ", "result ", ""},
    [RECORD_HEARTBEAT] = {"heartbeat", "", "", ""},
};
/* What CI systems take for commands wherever it stands in a line: ##[group], ##vso[task…], ##teamcity[…]. */
static bool is_ci_command(const char *text)
{
    if (text[0] != '#' || text[1] != '#')
        return false;
    for (text += 2; *text >= 'a' && *text <= 'z'; text++)
        ;
    return *text == '[';
}

/* A text of the same length, so that no line gets longer than log drivers take. */
static void defuse(char *text)
{
    if (!text || !PROTECTED(LOG_ESCAPES))
        return;
    for (; *text; text++)
        if (is_ci_command(text))
            text[1] = '-';
}

#define JSON_TEXT_MAX ((size_t)SPOOL_LINE_MAX) /* escaped; with what stands around it a line stays below 16 KiB */
#define MARK_SUCCESS "\xe2\x9c\x85 "
#define MARK_FAILURE "\xe2\x9d\x8c "

/* In JSON the same is said without the bytes: "\u0023#". */
static bool is_hidden(const char *text, size_t len)
{
    return len > 1 && text[0] == '#' && text[1] == '#';
}

static void add_hidden(struct buf *out, const char *json)
{
    size_t len = strlen(json), i;

    for (i = 0; i < len; i++)
        if (is_hidden(json + i, len - i) && PROTECTED(LOG_ESCAPES))
            buf_adds(out, "\\u0023");
        else
            buf_addc(out, json[i]);
    buf_addc(out, '\n');
}

/* How much of the text fits once it is escaped: a record of quotes alone would be twice its size. */
static size_t cut_escaped(struct view text)
{
    size_t size = 0;
    size_t i;

    for (i = 0; i < text.len; i++) {
        unsigned char c = (unsigned char)text.data[i];

        size += c == '"' || c == '\\' ? 2 : c < 0x20 ? 6 : is_hidden(text.data + i, text.len - i) ? 6 : 1;
        if (size > JSON_TEXT_MAX)
            return utf8_cut(text, i);
    }
    return text.len;
}

/* It is as long as a line may be, and whole in its own place. */
static json_t *result_of(const char *text)
{
    CLEANUP_FREE char *copy = xstrdup(text);
    char *at = copy;

    while ((at = strstr(at, "##")) && PROTECTED(LOG_ESCAPES))
        at[1] = '-';
    return json_loads(copy, 0, NULL);
}

static void render_json_line(const struct record *record, struct view part, bool continued, struct buf *out)
{
    CLEANUP_JSON json_t *line = json_object();
    char time[CLOCK_TEXT_SIZE];
    char *text;

    clock_format(record->wall_ms, time);
    json_put_text(line, "time", time);
    json_object_set_new(line, "sequence", json_integer((json_int_t)record->sequence));
    json_put_text(line, "type", looks[record->kind].name);
    if (*record->step)
        json_put_text(line, "step", record->step);
    if (record->kind == RECORD_OUTPUT)
        json_put_text(line, "stream", record->is_stderr ? "stderr" : "stdout");
    if (record->kind == RECORD_STEP_END) {
        json_object_set_new(line, "ok", json_boolean(record->ok));
        json_object_set_new(line, "seconds", json_real((double)record->duration_ms / 1000));
    }
    if (record->kind == RECORD_RESULT)
        json_object_set_new(line, "result", result_of(record->text));
    else
        json_object_set_new(line, "text", json_stringn(part.data, part.len));
    if (continued)
        json_object_set_new(line, "continued", json_true());
    text = json_dumps(line, JSON_COMPACT | JSON_REAL_PRECISION(12));
    if (text)
        add_hidden(out, text);
    free(text);
}

/* A record that is too long for a line takes several, of one sequence; all but the last say "continued". */
static void render_json(const struct record *record, struct buf *out)
{
    struct view rest = view_of(record->text);
    struct view part;

    do {
        part = (struct view){rest.data, cut_escaped(rest)};
        rest = (struct view){rest.data + part.len, rest.len - part.len};
        render_json_line(record, part, rest.len > 0 && record->kind != RECORD_RESULT, out);
    } while (rest.len > 0 && record->kind != RECORD_RESULT);
}

/* The build's own colours would bleed into files and other lines. */
static void add_without_colour(struct buf *out, const char *text)
{
    const char *escape;

    while ((escape = strchr(text, '\033')) != NULL) {
        size_t skip = 1;

        buf_add(out, text, (size_t)(escape - text));
        if (escape[1] == '[')
            skip = 2 + strspn(escape + 2, "0123456789;:");
        if (skip > 1 && escape[skip])
            skip++;
        text = escape + skip;
    }
    buf_adds(out, text);
}

static void step_end_text(const struct record *record, struct buf *out)
{
    char time[CLOCK_TEXT_SIZE];

    duration_format(record->duration_ms, time);
    buf_addf(out, "%s in %s", record->ok ? "done" : "failed", time);
}

static void add_clock(const struct record *record, struct buf *out)
{
    char time[CLOCK_TEXT_SIZE];

    clock_format(record->wall_ms, time);
    buf_add(out, time + 11, 8);
    buf_addc(out, ' ');
}

static void add_step(const char *step, struct buf *out)
{
    size_t len = strlen(step);

    if (!len)
        return;
    buf_add(out, step, len);
    buf_add(out, "         ", len < 8 ? 9 - len : 1);
}

static void render_plain(const struct render *render, const struct record *record, struct buf *out)
{
    bool emoji = render->format == LOG_EMOJI;

    if (record->kind == RECORD_OUTPUT && !PROTECTED(LOG_ESCAPES)) {
        buf_addf(out, "%s\n", record->text);
        return;
    }
    add_clock(record, out);
    add_step(record->step, out);
    if (record->kind == RECORD_OUTPUT) {
        /* By this a build's line is told from ours, whatever it says. */
        buf_adds(out, "| ");
        add_without_colour(out, record->text);
        buf_addc(out, '\n');
        return;
    }
    if (record->kind == RECORD_STEP_END) {
        if (emoji)
            buf_adds(out, record->ok ? MARK_SUCCESS : MARK_FAILURE);
        step_end_text(record, out);
        buf_addc(out, '\n');
        return;
    }
    if (record->kind == RECORD_STEP_BEGIN) {
        buf_addf(out, "%sbegins\n", emoji ? looks[record->kind].mark : "");
        return;
    }
    buf_adds(out, emoji ? looks[record->kind].mark : looks[record->kind].word);
    add_without_colour(out, record->text);
    buf_addc(out, '\n');
}

/* What would end a command or part its properties (actions/toolkit, "commands"); `property` is stricter. */
static void add_escaped(struct buf *out, const char *text, bool property)
{
    for (; *text; text++)
        if (*text == '%' || *text == '\r' || *text == '\n' || (property && (*text == ':' || *text == ',')))
            buf_addf(out, "%%%02X", (unsigned)(unsigned char)*text);
        else
            buf_addc(out, *text);
}

#define PAGES_MAX ((size_t)4096)

/* Where to find what came of it, a line each, as many as an annotation has room for. Whether there is anything. */
static bool add_pages(const json_t *document, const char *before, struct buf *out)
{
    struct result_link links[RESULT_LINKS_MAX];
    size_t len = result_links(document, links), begin = out->len, i;

    for (i = 0; i < len && out->len - begin < PAGES_MAX; i++) {
        buf_adds(out, i ? "%0A" : before);
        buf_addf(out, "%s ", links[i].label);
        add_escaped(out, links[i].url ? links[i].url : links[i].text, false);
    }
    result_links_free(links, len);
    return len > 0;
}

static void add_notice(const json_t *document, struct buf *out)
{
    CLEANUP_FREE char *title = xasprintf("job %s %s", json_text(document, "id", ""), json_text(document, "status", ""));
    struct buf pages;

    buf_init(&pages, 4 * PAGES_MAX);
    if (add_pages(document, "", &pages)) {
        buf_adds(out, "::notice title=");
        add_escaped(out, title, true);
        buf_addf(out, "::%s\n", buf_text(&pages));
    }
    buf_dispose(&pages);
}

static void add_annotation(const char *result, struct buf *out)
{
    CLEANUP_JSON json_t *document = json_loads(result, 0, NULL);
    const char *hint = json_text(document, "hint", "");

    if (!document)
        return;
    if (json_int(document, "exit_code", 0) == 0) {
        add_notice(document, out);
        return;
    }
    buf_adds(out, "::error title=");
    add_escaped(out, json_text(document, "class", "failed"), true);
    buf_adds(out, " in step ");
    add_escaped(out, json_text(document, "step", "load"), true);
    buf_adds(out, "::");
    add_escaped(out, json_text(document, "message", ""), false);
    if (*hint) {
        buf_adds(out, "%0Atry: ");
        add_escaped(out, hint, false);
    }
    add_pages(document, "%0A", out);
    buf_addc(out, '\n');
}

/*
 * Workflow commands stand at the beginning of a line: there a build's line has the time, so it gives none. A step's end
 * stands below its group, to be seen while that is folded.
 * https://docs.github.com/actions/reference/workflow-commands-for-github-actions
 */
static void render_github(const struct render *render, const struct record *record, struct buf *out)
{
    if (record->kind == RECORD_STEP_BEGIN)
        buf_addf(out, "::group::%s\n", record->text);
    if (record->kind == RECORD_STEP_END)
        buf_adds(out, "::endgroup::\n");
    if (record->kind != RECORD_STEP_BEGIN)
        render_plain(render, record, out);
    if (record->kind == RECORD_RESULT)
        add_annotation(record->text, out);
}

static void render_terminal(const struct render *render, const struct record *record, struct buf *out)
{
    const char *colour = looks[record->kind].colour;

    if (record->kind == RECORD_STEP_BEGIN) {
        buf_addf(out, "\033[%sm==> %s\033[0m\n", colour, record->text);
        return;
    }
    if (record->kind == RECORD_STEP_END) {
        buf_addf(out, "\033[%sm%s ", record->ok ? "32" : "31", record->text);
        step_end_text(record, out);
        buf_adds(out, "\033[0m\n");
        return;
    }
    if (record->kind == RECORD_OUTPUT)
        buf_adds(out, "  \033[2m\xe2\x94\x82\033[0m "); /* a margin that only output has */
    else
        buf_adds(out, *record->step ? "    " : "");
    if (*colour)
        buf_addf(out, "\033[%sm", colour);
    buf_adds(out, looks[record->kind].word);
    if (render->colour)
        buf_adds(out, record->text);
    else
        add_without_colour(out, record->text);
    buf_adds(out, *colour || render->colour ? "\033[0m\n" : "\n");
}

/* The pages of what came of it: the words that name them have been said. */
static void add_links(const char *result, struct buf *out)
{
    CLEANUP_JSON json_t *document = json_loads(result, 0, NULL);
    struct result_link links[RESULT_LINKS_MAX];
    size_t len = result_links(document, links), i;

    for (i = 0; i < len; i++) {
        if (!links[i].url)
            continue;
        buf_addf(out, "\033[2m%-9s\033[0m ", links[i].label);
        link_add(out, links[i].url, links[i].text);
        buf_addc(out, '\n');
    }
    result_links_free(links, len);
}

void render_record(const struct render *render, const struct record *record, struct buf *out)
{
    if ((record->kind == RECORD_DEBUG && !render->debug) || record->kind == RECORD_HEARTBEAT)
        return;
    if (render->format == LOG_JSON) {
        if (record->kind != RECORD_PROGRESS)
            render_json(record, out);
        return;
    }
    if (record->kind == RECORD_PROGRESS)
        return;
    if (render->format != LOG_TERMINAL) {
        size_t before = out->len;

        if (render->format == LOG_GITHUB)
            render_github(render, record, out);
        else
            render_plain(render, record, out);
        defuse(out->data ? out->data + before : NULL);
    }
    if (render->format != LOG_TERMINAL)
        return;
    if (record->kind != RECORD_RESULT)
        render_terminal(render, record, out);
    else if (render->links) /* people have had the rest in words */
        add_links(record->text, out);
}
