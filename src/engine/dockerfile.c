#include "engine/dockerfile.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "core/mem.h"
#include "core/strings.h"
#include "core/utf8.h"
#include "engine/dockerfile_words.h"

#define INSTRUCTIONS_MAX 4000
#define STAGES_MAX 1000
#define TEXTS_MAX ((size_t)192 << 10)
#define NAMES_MAX ((size_t)128 << 10)
#define BASE_MAX 1024
#define NAME_LEN_MAX 255
#define HEREDOCS_MAX 64
#define BOM "\xEF\xBB\xBF"

static const char *const keywords[] = {"ADD",    "ARG",   "CMD",   "COPY",        "ENTRYPOINT", "ENV",
                                       "EXPOSE", "FROM",  "LABEL", "HEALTHCHECK", "MAINTAINER", "ONBUILD",
                                       "RUN",    "SHELL", "USER",  "STOPSIGNAL",  "VOLUME",     "WORKDIR"};

struct parser {
    struct dockerfile *out;
    struct view rest; /* not yet read */
    int line;         /* of the last line that was read, from 1 */
    char escape;
    bool escape_given, syntax_given, check_given;
    bool past_directives;
    struct buf joined; /* an instruction, its lines joined */
    size_t texts;      /* bytes of all instructions' texts */
    size_t names;      /* bytes of all stages' names and bases */
};

static int invalid(struct error *err, int line, const char *format, ...) __attribute__((format(printf, 3, 4)));

static int invalid(struct error *err, int line, const char *format, ...)
{
    CLEANUP_FREE char *what = NULL;
    va_list args;

    va_start(args, format);
    if (vasprintf(&what, format, args) < 0)
        what = NULL;
    va_end(args);
    return error_set(err, CLASS_BUILD_FAILED, "dockerfile-invalid", "line %d: %s", line, what ? what : "");
}

/* ---- lines ---- */

/* The next line without its end; false past the last. */
static bool next_line(struct parser *parser, struct view *line)
{
    const char *end;

    if (!parser->rest.len)
        return false;
    end = memchr(parser->rest.data, '\n', parser->rest.len);
    *line = (struct view){parser->rest.data, end ? (size_t)(end - parser->rest.data) : parser->rest.len};
    parser->rest.data += line->len + (end != NULL);
    parser->rest.len -= line->len + (end != NULL);
    while (line->len && line->data[line->len - 1] == '\r')
        line->len--;
    parser->line++;
    return true;
}

static bool is_comment(struct view line)
{
    line = dockerfile_trim(line);
    return line.len && line.data[0] == '#';
}

/* Takes the escape off a line's end, with the blanks behind it: the instruction goes on. Two of them are none. */
static bool take_continuation(const struct parser *parser, struct view *line)
{
    size_t len = line->len;

    while (len && (line->data[len - 1] == ' ' || line->data[len - 1] == '\t'))
        len--;
    if (!len || line->data[len - 1] != parser->escape || (len > 1 && line->data[len - 2] == parser->escape))
        return false;
    line->len = len - 1;
    return true;
}

/* ---- directives: "# escape=`", before anything else ---- */

static bool is_name(struct view text)
{
    size_t i;

    for (i = 0; i < text.len; i++) {
        char c = (char)(text.data[i] | 0x20);

        if (!(c >= 'a' && c <= 'z') && !(i && text.data[i] >= '0' && text.data[i] <= '9'))
            return false;
    }
    return text.len > 0;
}

static int set_directive(struct parser *parser, struct view value, bool *given, bool escape, struct error *err)
{
    if (*given)
        return invalid(err, parser->line, "a parser directive may be given once only");
    *given = true;
    if (!escape)
        return 0;
    if (value.len != 1 || (value.data[0] != '\\' && value.data[0] != '`'))
        return invalid(err, parser->line, "the directive escape is a backslash or a backtick, no \"%.*s\"",
                       (int)(value.len < 20 ? value.len : 20), value.data);
    parser->escape = value.data[0];
    return 0;
}

/* The first line that is no directive that we know ends them. */
static int read_directive(struct parser *parser, struct view line, struct error *err)
{
    struct view name, value;
    const char *equals;

    line = dockerfile_trim(line);
    parser->past_directives = true;
    if (!line.len || line.data[0] != '#' || !(equals = memchr(line.data, '=', line.len)))
        return 0;
    name = dockerfile_trim((struct view){line.data + 1, (size_t)(equals - line.data) - 1});
    value = dockerfile_trim((struct view){equals + 1, line.len - (size_t)(equals - line.data) - 1});
    if (!is_name(name) || !value.len)
        return 0;
    parser->past_directives = false;
    if (dockerfile_is_keyword(name, "escape"))
        return set_directive(parser, value, &parser->escape_given, true, err);
    if (dockerfile_is_keyword(name, "syntax"))
        return set_directive(parser, value, &parser->syntax_given, false, err);
    if (dockerfile_is_keyword(name, "check"))
        return set_directive(parser, value, &parser->check_given, false, err);
    parser->past_directives = true;
    return 0;
}

/* ---- instructions ---- */

static const char *find_keyword(struct view word)
{
    size_t i;

    for (i = 0; i < ARRAY_LEN(keywords); i++)
        if (dockerfile_is_keyword(word, keywords[i]))
            return keywords[i];
    return NULL;
}

/* "KEYWORD arguments": valid UTF-8, without control characters but tabs, at most so long. */
static char *make_text(struct parser *parser, const char *keyword, struct view args)
{
    size_t max = parser->texts < TEXTS_MAX ? DOCKERFILE_TEXT_MAX : 0;
    struct buf text;
    size_t i;

    buf_init(&text, strlen(keyword) + 1 + 4 * (size_t)DOCKERFILE_TEXT_MAX);
    buf_adds(&text, keyword);
    if (max && args.len) {
        buf_addc(&text, ' ');
        utf8_repair((struct view){args.data, args.len < max ? args.len : max}, &text);
        if (text.len > max) {
            text.len = utf8_cut((struct view){text.data, text.len}, max);
            text.data[text.len] = '\0';
        }
    }
    for (i = 0; i < text.len; i++)
        if (((unsigned char)text.data[i] < ' ' && text.data[i] != '\t') || text.data[i] == 0x7f)
            text.data[i] = ' ';
    parser->texts += text.len;
    return buf_take(&text);
}

static bool is_stage_name(struct view name)
{
    size_t i;

    for (i = 0; i < name.len; i++) {
        char c = name.data[i];
        bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');

        if (!letter && !(i && ((c >= '0' && c <= '9') || c == '-' || c == '_' || c == '.')))
            return false;
    }
    return name.len > 0 && name.len <= NAME_LEN_MAX;
}

static bool has_control(struct view text)
{
    size_t i;

    for (i = 0; i < text.len; i++)
        if ((unsigned char)text.data[i] < ' ' || text.data[i] == 0x7f)
            return true;
    return false;
}

static char *take_name(struct parser *parser, struct view name)
{
    struct buf text;

    buf_init(&text, 3 * name.len + 1);
    utf8_repair(name, &text);
    parser->names += text.len;
    return buf_take(&text);
}

/* FROM [--platform=…] base [AS name] */
static int add_stage(struct parser *parser, struct view args, int line, struct error *err)
{
    struct dockerfile *out = parser->out;
    struct view base = {0}, as, name = {0}, more;
    bool named;

    while (dockerfile_next_word(&args, &base) && base.len > 1 && memcmp(base.data, "--", 2) == 0)
        base.len = 0;
    if (!base.len)
        return invalid(err, line, "FROM names no base image");
    named = dockerfile_next_word(&args, &as);
    if (named &&
        (!dockerfile_is_keyword(as, "AS") || !dockerfile_next_word(&args, &name) || dockerfile_next_word(&args, &more)))
        return invalid(err, line, "after its base image FROM takes AS and a name, nothing else");
    if (named && !is_stage_name(name))
        return invalid(err, line,
                       "the name of a stage has letters, digits, - _ and . only, and begins with a letter: \"%.*s\"",
                       (int)(name.len < 60 ? name.len : 60), name.data);
    if (has_control(base))
        return invalid(err, line, "the name of the base image has control characters");
    if (base.len > BASE_MAX || parser->names > NAMES_MAX || out->stages_len == STAGES_MAX)
        return invalid(err, line, "more than %d stages, or names of images without end", STAGES_MAX);
    out->stages = xrealloc(out->stages, out->stages_len + 1, sizeof *out->stages);
    out->stages[out->stages_len++] = (struct dockerfile_stage){
        .name = named ? take_name(parser, name) : NULL,
        .base = take_name(parser, base),
        .line = line,
    };
    return 0;
}

static int check_onbuild(struct view args, int line, struct error *err)
{
    struct view word;
    const char *keyword;

    if (!dockerfile_next_word(&args, &word))
        return invalid(err, line, "ONBUILD is followed by no instruction");
    keyword = find_keyword(word);
    if (!keyword || strcmp(keyword, "ONBUILD") == 0 || strcmp(keyword, "FROM") == 0 ||
        strcmp(keyword, "MAINTAINER") == 0)
        return invalid(err, line, "ONBUILD %.*s is none that may follow it", (int)(word.len < 40 ? word.len : 40),
                       word.data);
    return 0;
}

static int add_instruction(struct parser *parser, struct view word, struct view args, int line, struct error *err)
{
    struct dockerfile *out = parser->out;
    const char *keyword = find_keyword(word);
    struct dockerfile_instruction *instruction;

    if (!keyword) {
        invalid(err, line, "unknown instruction \"%.*s\"", (int)(word.len < 40 ? word.len : 40), word.data);
        return error_hint(err, "if the line before it was to go on here, it must end in %c", parser->escape);
    }
    if (out->instructions_len == INSTRUCTIONS_MAX)
        return invalid(err, line, "more than %d instructions", INSTRUCTIONS_MAX);
    if (strcmp(keyword, "FROM") == 0 && add_stage(parser, args, line, err))
        return -1;
    if (strcmp(keyword, "ONBUILD") == 0 && check_onbuild(args, line, err))
        return -1;
    if (!out->stages_len && strcmp(keyword, "ARG") != 0) {
        invalid(err, line, "%s stands before the first FROM, where only ARG may", keyword);
        return error_hint(err, "begin the Dockerfile with FROM and a base image");
    }
    out->instructions = xrealloc(out->instructions, out->instructions_len + 1, sizeof *out->instructions);
    instruction = &out->instructions[out->instructions_len++];
    *instruction = (struct dockerfile_instruction){
        .text = make_text(parser, keyword, args),
        .line = line,
        .stage = (int)out->stages_len - 1,
    };
    memcpy(instruction->keyword, keyword, strlen(keyword) + 1);
    return 0;
}

/* Past the bodies, each to a line that is its end and nothing else. */
static int skip_heredocs(struct parser *parser, const struct strings *ends, int start, struct error *err)
{
    struct view line;
    size_t i;

    for (i = 0; i < ends->len; i++) {
        const char *end = ends->items[i];
        bool tabs = end[0] == '-';
        bool ended = false;

        end += tabs;
        while (!ended && next_line(parser, &line)) {
            while (tabs && line.len && line.data[0] == '\t') {
                line.data++;
                line.len--;
            }
            ended = view_is(line, end);
        }
        if (!ended)
            return invalid(err, start, "the heredoc that ends at \"%.60s\" does not end", end);
    }
    return 0;
}

/* The rest of an instruction's lines; comments and empty lines among them do not count. */
static void join_lines(struct parser *parser, struct view line)
{
    bool more = take_continuation(parser, &line);

    buf_reset(&parser->joined);
    buf_add(&parser->joined, line.data, line.len);
    while (more && next_line(parser, &line)) {
        if (is_comment(line) || !dockerfile_trim(line).len)
            continue;
        more = take_continuation(parser, &line);
        buf_add(&parser->joined, line.data, line.len);
    }
}

static int read_instruction(struct parser *parser, struct view line, struct error *err)
{
    struct strings ends = {0};
    struct view args, keyword;
    int start = parser->line;
    int status;

    join_lines(parser, line);
    args = (struct view){buf_text(&parser->joined), parser->joined.len};
    if (!dockerfile_next_word(&args, &keyword))
        return 0;
    args = dockerfile_trim(args);
    status = add_instruction(parser, keyword, args, start, err);
    if (status == 0) {
        dockerfile_heredocs(keyword, args, HEREDOCS_MAX, &ends);
        status = skip_heredocs(parser, &ends, start, err);
    }
    strings_dispose(&ends);
    return status;
}

static int parse_lines(struct parser *parser, struct error *err)
{
    struct view line;

    while (next_line(parser, &line)) {
        if (!parser->past_directives && read_directive(parser, line, err))
            return -1;
        line = dockerfile_trim(line);
        if (line.len && line.data[0] != '#' && read_instruction(parser, line, err))
            return -1;
    }
    if (parser->out->stages_len)
        return 0;
    invalid(err, parser->line ? parser->line : 1, "there is no FROM");
    return error_hint(err, "begin the Dockerfile with FROM and a base image");
}

int dockerfile_parse(struct view text, struct dockerfile *dockerfile, struct error *err)
{
    struct parser parser = {.out = dockerfile, .rest = text, .escape = '\\'};
    const char *nul = text.len ? memchr(text.data, '\0', text.len) : NULL;
    int status;

    *dockerfile = (struct dockerfile){.stages = NULL};
    if (text.len > DOCKERFILE_MAX)
        return error_set(err, CLASS_BUILD_FAILED, "dockerfile-invalid", "it is larger than 1 MiB");
    if (nul)
        return error_set(err, CLASS_BUILD_FAILED, "dockerfile-invalid", "it is no text: byte %zu is NUL",
                         (size_t)(nul - text.data) + 1);
    if (view_starts(parser.rest, BOM)) {
        parser.rest.data += strlen(BOM);
        parser.rest.len -= strlen(BOM);
    }
    buf_init(&parser.joined, DOCKERFILE_MAX);
    status = parse_lines(&parser, err);
    buf_dispose(&parser.joined);
    if (status)
        dockerfile_dispose(dockerfile);
    return status;
}

int dockerfile_find_stage(const struct dockerfile *dockerfile, const char *target)
{
    unsigned long number;
    char *end;
    size_t i;

    for (i = 0; i < dockerfile->stages_len; i++)
        if (dockerfile->stages[i].name && strcasecmp(dockerfile->stages[i].name, target) == 0)
            return (int)i;
    if (!*target || strspn(target, "0123456789") != strlen(target) || strlen(target) > 4)
        return -1;
    number = strtoul(target, &end, 10);
    return number < dockerfile->stages_len ? (int)number : -1;
}

void dockerfile_dispose(struct dockerfile *dockerfile)
{
    size_t i;

    for (i = 0; i < dockerfile->instructions_len; i++)
        free(dockerfile->instructions[i].text);
    for (i = 0; i < dockerfile->stages_len; i++) {
        free(dockerfile->stages[i].name);
        free(dockerfile->stages[i].base);
    }
    free(dockerfile->instructions);
    free(dockerfile->stages);
    *dockerfile = (struct dockerfile){.stages = NULL};
}
