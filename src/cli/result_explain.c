#include "cli/result_explain.h"

#include <stdlib.h>
#include <string.h>

#include "cli/log_print.h"
#include "core/clock.h"
#include "core/json.h"
#include "core/lines.h"
#include "core/mem.h"
#include "report/links.h"

#define LAST_LINES 20
#define LIST_MAX 50
#define WORD_MAX ((size_t)2000)

/* ---- texts that anybody wrote ---- */

static char *word(const char *text)
{
    return lines_one(text, WORD_MAX);
}

/* "label value" on a line, where there is a value. */
static void print_field(const json_t *document, const char *key, const char *label)
{
    CLEANUP_FREE char *value = word(json_text(document, key, ""));

    if (*value)
        printf("  %-9s %s\n", label, value);
}

static void print_list(const json_t *document, const char *key, const char *label)
{
    const json_t *list = json_object_get(document, key);
    size_t i, len = json_array_size(list);

    if (len)
        printf("\n%s:\n", label);
    for (i = 0; i < len && i < LIST_MAX; i++) {
        CLEANUP_FREE char *text =
            word(json_string_value(json_array_get(list, i)) ? json_string_value(json_array_get(list, i)) : "");

        printf("  %s\n", text);
    }
    if (len > LIST_MAX)
        printf("  and %zu more\n", len - LIST_MAX);
}

static bool lists(const json_t *list, const char *text)
{
    size_t i;

    for (i = 0; i < json_array_size(list); i++)
        if (json_is_string(json_array_get(list, i)) && strcmp(json_string_value(json_array_get(list, i)), text) == 0)
            return true;
    return false;
}

/* Who was not told is warned of too, and stands below in a list of its own. */
static void print_warnings(const json_t *document)
{
    static const char mark[] = "not told: ";
    const json_t *all = json_object_get(document, "warnings"), *undelivered = json_object_get(document, "undelivered");
    CLEANUP_JSON json_t *shown = json_object();
    json_t *warnings = json_array();
    size_t i;

    for (i = 0; i < json_array_size(all); i++) {
        json_t *warning = json_array_get(all, i);
        const char *text = json_string_value(warning);

        if (!text || strncmp(text, mark, strlen(mark)) != 0 || !lists(undelivered, text + strlen(mark)))
            json_array_append(warnings, warning);
    }
    json_object_set_new(shown, "warnings", warnings);
    print_list(shown, "warnings", "warnings");
}

static void format_seconds(const json_t *object, char text[CLOCK_TEXT_SIZE])
{
    double seconds = json_number_value(json_object_get(object, "seconds"));

    duration_format(seconds > 0 && seconds < 1e9 ? (int64_t)(seconds * 1000) : 0, text);
}

/* ---- how it ended ---- */

static void print_head(const json_t *document)
{
    CLEANUP_FREE char *id = word(json_text(document, "id", "without an id"));
    CLEANUP_FREE char *project = word(json_text(document, "project", ""));
    CLEANUP_FREE char *status = word(json_text(document, "status", "ended"));
    CLEANUP_FREE char *step = word(json_text(document, "step", ""));
    char time[CLOCK_TEXT_SIZE];

    format_seconds(document, time);
    printf("job %s%s%s %s %s %s%s%s\n", id, *project ? " of " : "", project, status, *step ? "after" : "in", time,
           *step ? " in step " : "", step);
}

/* The class in words, where it is one that we know. */
static void print_class(const json_t *document)
{
    int64_t code = json_int(document, "exit_code", -1);
    CLEANUP_FREE char *name = word(json_text(document, "class", "unknown"));
    enum error_class class = error_class_from(code >= 0 && code < 256 ? (int)code : -1);
    bool known = (int64_t) class == code && strcmp(error_class_name(class), name) == 0;

    printf("  class     %s%s%s, exit code %lld\n", name, known ? ": " : "", known ? error_class_summary(class) : "",
           (long long)code);
    print_field(document, "reason", "reason");
    if (json_object_get(document, "child_exit_code"))
        printf("  command   ended with exit code %lld\n", (long long)json_int(document, "child_exit_code", -1));
    if (json_object_get(document, "child_signal"))
        printf("  command   was ended by signal %lld\n", (long long)json_int(document, "child_signal", 0));
}

static void print_failure(const json_t *document)
{
    const char *message = json_text(document, "message", "");

    if (json_int(document, "exit_code", 0) == 0)
        return;
    if (*message) {
        printf("\n  ");
        log_print_safely(message, strnlen(message, 2 * WORD_MAX), "  ");
    }
    putchar('\n');
    print_class(document);
    print_field(document, "hint", "try");
    if (json_flag(document, "retryable", false))
        printf("  again?    it may pass when it is tried again as it is\n");
    else if (strcmp(json_text(document, "status", ""), "failed") == 0)
        printf("  again?    it will end the same way until something is changed\n");
}

/* ---- what was done ---- */

static void print_step(const json_t *step)
{
    CLEANUP_FREE char *name = word(json_text(step, "name", "?"));
    CLEANUP_FREE char *status = word(json_text(step, "status", "?"));
    CLEANUP_FREE char *started = word(json_text(step, "started_at", ""));
    int64_t attempts = json_int(step, "attempts", 1);
    char time[CLOCK_TEXT_SIZE];

    format_seconds(step, time);
    printf("  %-10s %-10s %8s  %s", name, status, time, started);
    if (attempts > 1)
        printf("  %lld attempts", (long long)attempts);
    putchar('\n');
}

static void print_steps(const json_t *document)
{
    const json_t *list = json_object_get(document, "steps");
    size_t i, printed = 0;

    for (i = 0; i < json_array_size(list) && printed < LIST_MAX; i++) {
        const json_t *step = json_array_get(list, i);

        if (strcmp(json_text(step, "status", ""), "skipped") == 0)
            continue;
        if (!printed++)
            printf("\nsteps:\n");
        print_step(step);
    }
}

static void print_source(const json_t *document)
{
    const json_t *source = json_object_get(document, "source");

    if (!json_object_size(source))
        return;
    printf("\nsource:\n");
    print_field(source, "repository", "from");
    print_field(source, "ref", "ref");
    print_field(source, "commit", "commit");
    print_field(source, "subject", "subject");
}

static void print_artifacts(const json_t *document)
{
    const json_t *list = json_object_get(document, "artifacts");
    size_t i;

    for (i = 0; i < json_array_size(list) && i < LIST_MAX; i++) {
        const json_t *artifact = json_array_get(list, i);
        CLEANUP_FREE char *url = word(json_text(artifact, "url", "?"));
        char size[CLOCK_TEXT_SIZE];

        size_format(json_int(artifact, "bytes", 0), size);
        printf("%spublished %lld files (%s) to %s: %lld written, %lld removed\n", i ? "" : "\n",
               (long long)json_int(artifact, "files", 0), size, url, (long long)json_int(artifact, "written", 0),
               (long long)json_int(artifact, "removed", 0));
    }
}

static void print_image(const json_t *document)
{
    const json_t *image = json_object_get(document, "image");
    CLEANUP_FREE char *repository = word(json_text(image, "repository", ""));
    CLEANUP_FREE char *digest = word(json_text(image, "digest", ""));
    bool published = json_flag(image, "published", false);

    if (!*repository || (!published && !json_flag(image, "existed", false)))
        return;
    printf("\n%s %s%s%s\n", published ? "pushed" : "found (nothing was built)", repository, *digest ? "@" : "", digest);
    print_list(image, "tags", "tags");
}

/* ---- the last lines ---- */

static bool same_host(const char *left, const char *right)
{
    struct url a = {0}, b = {0};
    struct error err;
    bool same = url_parse(left, &a, &err) == 0 && url_parse(right, &b, &err) == 0 && a.host && b.host &&
                strcmp(a.scheme, b.scheme) == 0 && strcmp(a.host, b.host) == 0 &&
                strcmp(a.port ? a.port : "", b.port ? b.port : "") == 0;

    url_dispose(&a);
    url_dispose(&b);
    return same;
}

/* Whoever wrote the document chose this address: it may not have us read a file of this machine because of what came
 * from elsewhere, nor ask a server that the document did not come from. Objects are read with rights of their own. */
static bool may_read(const char *log, const char *name)
{
    bool from_url = strncmp(name, "https://", 8) == 0 || strncmp(name, "http://", 7) == 0;

    if (strncmp(log, "s3://", 5) == 0)
        return true;
    if (strncmp(log, "file:", 5) == 0)
        return !from_url && strncmp(name, "s3://", 5) != 0;
    return from_url && same_host(log, name);
}

struct last {
    struct log_print print;
    int printed;
};

static bool on_line(void *context, const struct log_line *line)
{
    struct last *last = context;

    if (!last->printed++)
        putchar('\n');
    return log_print_line(&last->print, line);
}

static int read_last(const char *log, const char *step, const struct log_access *access, struct last *last,
                     struct error *err)
{
    struct log_query query = {.step = step, .tail = LAST_LINES, .since.clock_s = -1, .emit = on_line, .context = last};
    CLEANUP_FREE char *note = NULL;
    struct log_source *source;
    int status;

    if (log_source_open(&source, access, log, err))
        return -1;
    status = log_query_run(&query, access, source, &note, err);
    log_source_free(source);
    return status;
}

static void print_log(const json_t *document, const char *name, const struct log_access *access)
{
    const char *log = json_text(document, "log_url", "");
    const char *step = json_text(document, "step", NULL);
    CLEANUP_FREE char *shown = word(log);
    CLEANUP_FREE char *shown_step = word(step ? step : "");
    struct last last = {0};
    struct error err;

    if (!*log) {
        if (step)
            printf("\nThe job stored no log (its spec has no `log`): what it said went to standard output.\n");
        return;
    }
    if (!step) {
        printf("\nlog: caisson logs %s\n", shown);
        return;
    }
    log_print_init(&last.print, false);
    last.print.indent = "  ";
    if (may_read(log, name) && read_last(log, step, access, &last, &err) == 0) {
        printf("\nThese are its last lines. All of it: caisson logs %s --step %s\n", shown, shown_step);
        return;
    }
    if (may_read(log, name)) {
        CLEANUP_FREE char *message = word(err.message);

        printf("\nThe log was not read: %s\n", message);
    }
    printf("\nWhat it said: caisson logs %s --step %s\n", shown, shown_step);
}

/* ---- pages, where the terminal shows links ---- */

static void print_links(const json_t *document)
{
    struct result_link links[RESULT_LINKS_MAX];
    size_t len = result_links(document, links), printed = 0, i;
    struct buf out;

    buf_init(&out, 65536);
    for (i = 0; i < len; i++) {
        if (!links[i].url)
            continue;
        buf_addf(&out, "%s  %-9s ", printed++ ? "" : "\npages:\n", links[i].label);
        link_add(&out, links[i].url, links[i].text);
        buf_addc(&out, '\n');
    }
    fputs(buf_text(&out), stdout);
    buf_dispose(&out);
    result_links_free(links, len);
}

void result_explain(const json_t *document, const char *name, const struct log_access *access, bool links)
{
    print_head(document);
    print_failure(document);
    print_steps(document);
    print_source(document);
    print_artifacts(document);
    print_image(document);
    if (links)
        print_links(document);
    print_warnings(document);
    print_list(document, "undelivered", "not delivered");
    print_log(document, name, access);
}
