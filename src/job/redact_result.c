#include "job/redact_result.h"

#include <stdio.h>
#include <string.h>

void redact_in_place(const struct redactor *redactor, char *text)
{
    struct buf redacted;
    size_t len = text ? strlen(text) : 0;

    if (!len || !redact_finds(redactor, (struct view){text, len}))
        return;
    /* The mark is shorter than any secret. */
    buf_init(&redacted, len);
    redact_text(redactor, (struct view){text, len}, &redacted);
    snprintf(text, len + 1, "%s", buf_text(&redacted));
    buf_dispose(&redacted);
}

/* A line of the log or of the document is ours: what a message quotes (a folder's name, a file of the project) cannot
 * begin another. */
static void flatten(char *text)
{
    for (; text && *text; text++)
        if ((unsigned char)*text < 0x20 || *text == 0x7F)
            *text = '?';
}

static void redact_labels(const struct redactor *redactor, json_t *labels)
{
    const char *name;
    json_t *value;
    struct buf redacted;

    json_object_foreach(labels, name, value)
    {
        struct view text = {json_string_value(value), json_string_length(value)};

        if (!text.data || !redact_finds(redactor, text))
            continue;
        buf_init(&redacted, text.len);
        redact_text(redactor, text, &redacted);
        json_string_set(value, buf_text(&redacted));
        buf_dispose(&redacted);
    }
}

static void redact_image(const struct redactor *redactor, struct result_image *image)
{
    size_t i;

    redact_in_place(redactor, image->repository);
    for (i = 0; i < image->tags.len; i++)
        redact_in_place(redactor, image->tags.items[i]);
    for (i = 0; i < image->bases.len; i++) {
        redact_in_place(redactor, image->bases.items[i]);
        flatten(image->bases.items[i]);
    }
    for (i = 0; i < image->instructions_len; i++) {
        redact_in_place(redactor, image->instructions[i].text);
        flatten(image->instructions[i].text);
    }
}

void redact_result(const struct redactor *redactor, struct result *result)
{
    size_t i;

    redact_in_place(redactor, result->error.message);
    redact_in_place(redactor, result->error.hint);
    redact_in_place(redactor, result->biggest_name);
    redact_in_place(redactor, result->subject);
    redact_in_place(redactor, result->ref);
    redact_in_place(redactor, result->repository);
    redact_in_place(redactor, result->log_url);
    redact_labels(redactor, result->labels);
    for (i = 0; i < result->artifacts_len; i++) {
        redact_in_place(redactor, result->artifacts[i].from);
        redact_in_place(redactor, result->artifacts[i].url);
    }
    redact_image(redactor, &result->image);
    /* Afterwards: a secret may have several lines. */
    flatten(result->error.message);
    flatten(result->error.hint);
    flatten(result->subject);
    flatten(result->ref);
}
