/* The rows of `caisson doctor`, what they add up to, and how they look. */
#include "cli/doctor.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "core/json.h"
#include "core/mem.h"

static const char *const status_names[] = {
    [DOCTOR_OK] = "ok", [DOCTOR_WARNING] = "warning", [DOCTOR_FAILED] = "failed", [DOCTOR_SKIPPED] = "skipped"};
/* As the log has them on a terminal (report/render.c). */
static const char *const status_colours[] = {
    [DOCTOR_OK] = "32", [DOCTOR_WARNING] = "33", [DOCTOR_FAILED] = "31", [DOCTOR_SKIPPED] = "2"};

/* ---- rows ---- */

/* Servers' words and paths stand in them: one line, nothing that moves a terminal. */
static void make_plain(char *text)
{
    for (; *text; text++)
        if ((unsigned char)*text < 0x20 || *text == 0x7f)
            *text = ' ';
}

static struct doctor_row *new_row(struct doctor *doctor, const char *subject, enum doctor_status status)
{
    struct doctor_row *row;

    doctor->rows = xrealloc(doctor->rows, doctor->rows_len + 1, sizeof *doctor->rows);
    row = &doctor->rows[doctor->rows_len++];
    *row = (struct doctor_row){.check = doctor->check, .subject = xstrdup(subject), .status = status};
    make_plain(row->subject);
    return row;
}

static void add_plain(struct doctor *doctor, const char *subject, enum doctor_status status, const char *format,
                      va_list arguments)
{
    struct doctor_row *row = new_row(doctor, subject, status);

    vsnprintf(row->error.message, sizeof row->error.message, format, arguments);
    make_plain(row->error.message);
}

void doctor_ok(struct doctor *doctor, const char *subject, const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    add_plain(doctor, subject, DOCTOR_OK, format, arguments);
    va_end(arguments);
}

void doctor_skip(struct doctor *doctor, const char *subject, const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    add_plain(doctor, subject, DOCTOR_SKIPPED, format, arguments);
    va_end(arguments);
}

void doctor_add(struct doctor *doctor, const char *subject, enum doctor_status status, const struct error *err)
{
    struct doctor_row *row = new_row(doctor, subject, status);

    row->error = *err;
    if (doctor->stop && !doctor->stopped && err->class == CLASS_INTERRUPTED) {
        error_set(&row->error, CLASS_PLATFORM, "timed-out", "no answer within %d s", DOCTOR_CHECK_MS / 1000);
        error_hint(&row->error,
                   "let the task's subnet and security group reach it, by a VPC endpoint, a NAT or a proxy");
    }
    if (!*row->error.hint && doctor->hint)
        error_hint(&row->error, "%s", doctor->hint);
    make_plain(row->error.message);
    make_plain(row->error.hint);
}

void doctor_warn(struct doctor *doctor, const char *subject, const struct error *err)
{
    doctor_add(doctor, subject, DOCTOR_WARNING, err);
}

void doctor_fail(struct doctor *doctor, const char *subject, const struct error *err)
{
    doctor_add(doctor, subject, DOCTOR_FAILED, err);
}

void doctor_rows_dispose(struct doctor *doctor)
{
    size_t i;

    for (i = 0; i < doctor->rows_len; i++)
        free(doctor->rows[i].subject);
    free(doctor->rows);
    doctor->rows = NULL;
    doctor->rows_len = 0;
}

/* ---- what they add up to ---- */

static size_t count(const struct doctor *doctor, enum doctor_status status)
{
    size_t i, found = 0;

    for (i = 0; i < doctor->rows_len; i++)
        found += doctor->rows[i].status == status;
    return found;
}

enum error_class doctor_verdict(const struct doctor *doctor)
{
    size_t i;

    for (i = 0; i < doctor->rows_len; i++)
        if (doctor->rows[i].status == DOCTOR_FAILED)
            return doctor->rows[i].error.class;
    return CLASS_SUCCEEDED;
}

static json_t *row_to_json(const struct doctor_row *row)
{
    json_t *json = json_object();
    bool bad = row->status == DOCTOR_WARNING || row->status == DOCTOR_FAILED;

    json_put_text(json, "check", row->check);
    json_put_text(json, "subject", row->subject);
    json_put_text(json, "status", status_names[row->status]);
    json_put_text(json, "message", row->error.message);
    if (bad) {
        json_put_text(json, "reason", row->error.reason);
        json_put_text(json, "class", error_class_name(row->error.class));
    }
    if (*row->error.hint)
        json_put_text(json, "hint", row->error.hint);
    return json;
}

json_t *doctor_document(const struct doctor *doctor)
{
    enum error_class class = doctor_verdict(doctor);
    json_t *json = json_object(), *rows = json_array(), *counts = json_object();
    size_t i;

    for (i = 0; i < doctor->rows_len; i++)
        json_array_append_new(rows, row_to_json(&doctor->rows[i]));
    for (i = 0; i < ARRAY_LEN(status_names); i++)
        json_object_set_new(counts, status_names[i], json_integer((json_int_t)count(doctor, (enum doctor_status)i)));
    json_put_text(json, "schema", "caisson.doctor/1");
    json_put_text(json, "version", CAISSON_VERSION);
    json_put_text(json, "class", error_class_name(class));
    json_object_set_new(json, "exit_code", json_integer((json_int_t) class));
    json_object_set_new(json, "counts", counts);
    json_object_set_new(json, "checks", rows);
    return json;
}

static json_t *texts_of(const char *const *names, size_t len)
{
    json_t *list = json_array();
    size_t i;

    for (i = 0; i < len; i++)
        json_array_append_new(list, json_string(names[i]));
    return list;
}

static json_t *text_type(const char *description)
{
    return json_pack("{s:s, s:s}", "type", "string", "description", description);
}

static json_t *row_schema(void)
{
    json_t *row = json_pack(
        "{s:s, s:[s,s,s,s], s:{s:o, s:o, s:o, s:o, s:o, s:o, s:o}}", "type", "object", "required", "check", "subject",
        "status", "message", "properties", "check", text_type("the name of the check, as --only takes it"), "subject",
        text_type("what was looked at"), "status", text_type("how it is"), "message", text_type("what was found"),
        "reason", text_type("a stable kebab-case word for machines; of warnings and failures"), "class",
        text_type("the class of a warning or failure, as of results"), "hint", text_type("what to do"));

    json_object_set_new(json_object_get(json_object_get(row, "properties"), "status"), "enum",
                        texts_of(status_names, ARRAY_LEN(status_names)));
    return row;
}

json_t *doctor_schema(void)
{
    json_t *counts = json_object();
    size_t i;

    for (i = 0; i < ARRAY_LEN(status_names); i++)
        json_object_set_new(counts, status_names[i], json_pack("{s:s}", "type", "integer"));
    /* More properties may come within version 1: readers ignore what they do not know. */
    return json_pack(
        "{s:s, s:s, s:s, s:s, s:[s,s,s,s,s,s], s:{s:{s:s}, s:o, s:o, s:{s:s, s:s}, s:{s:s, s:o}, s:{s:s, s:o}}}",
        "$schema", "https://json-schema.org/draft/2020-12/schema", "$id", "urn:caisson:doctor:1", "title",
        "caisson doctor", "type", "object", "required", "schema", "version", "class", "exit_code", "counts", "checks",
        "properties", "schema", "const", "caisson.doctor/1", "version", text_type("the version of caisson"), "class",
        text_type("of the first failure; succeeded when nothing failed"), "exit_code", "type", "integer", "description",
        "the program's exit code, one to one with class", "counts", "type", "object", "properties", counts, "checks",
        "type", "array", "items", row_schema());
}

/* ---- how it looks ---- */

static void print_row(const struct doctor_row *row, bool colour, struct buf *out)
{
    if (colour)
        buf_addf(out, "\033[%sm%-8s\033[0m", status_colours[row->status], status_names[row->status]);
    else
        buf_addf(out, "%-8s", status_names[row->status]);
    buf_addf(out, " %-12s %s: %s\n", row->check, row->subject, row->error.message);
    if (*row->error.hint)
        buf_addf(out, "%-8s %-12s try: %s\n", "", "", row->error.hint);
}

void doctor_print(const struct doctor *doctor, bool colour, struct buf *out)
{
    size_t i;

    for (i = 0; i < doctor->rows_len; i++)
        print_row(&doctor->rows[i], colour, out);
    buf_addf(out, "%zu ok, %zu warnings, %zu failed, %zu skipped\n", count(doctor, DOCTOR_OK),
             count(doctor, DOCTOR_WARNING), count(doctor, DOCTOR_FAILED), count(doctor, DOCTOR_SKIPPED));
}
