#include "engine/dockerfile_words.h"

#include <jansson.h>
#include <string.h>
#include <strings.h>

static bool is_space(char c)
{
    return c == ' ' || (c >= '\t' && c <= '\r');
}

struct view dockerfile_trim(struct view text)
{
    while (text.len && is_space(text.data[0])) {
        text.data++;
        text.len--;
    }
    while (text.len && is_space(text.data[text.len - 1]))
        text.len--;
    return text;
}

bool dockerfile_next_word(struct view *text, struct view *word)
{
    struct view rest = dockerfile_trim(*text);
    size_t len = 0;

    while (len < rest.len && !is_space(rest.data[len]))
        len++;
    *word = (struct view){rest.data, len};
    *text = (struct view){rest.data + len, rest.len - len};
    return len > 0;
}

bool dockerfile_is_keyword(struct view word, const char *keyword)
{
    return word.len == strlen(keyword) && strncasecmp(word.data, keyword, word.len) == 0;
}

/* ---- heredocs ---- */

/* As a shell would divide it: quotes and backslashes keep white space in a word, and stay in it. *unclosed is set when a
 * quote is left open at the text's end. */
static bool next_shell_word(struct view *text, struct view *word, bool *unclosed)
{
    struct view rest = dockerfile_trim(*text);
    char quote = '\0';
    size_t i;

    for (i = 0; i < rest.len; i++) {
        char c = rest.data[i];

        if (!quote && is_space(c))
            break;
        if (c == '\\' && quote != '\'' && i + 1 < rest.len)
            i++;
        else if (c == quote)
            quote = '\0';
        else if (!quote && (c == '\'' || c == '"'))
            quote = c;
        else if (!quote && c == '<' && i + 1 < rest.len && rest.data[i + 1] == '<')
            for (i++; i + 1 < rest.len && is_space(rest.data[i + 1]);) /* "<< EOF" is one word */
                i++;
    }
    *word = (struct view){rest.data, i};
    *text = (struct view){rest.data + i, rest.len - i};
    *unclosed = *unclosed || quote;
    return i > 0;
}

static void add_unquoted(struct view word, struct buf *out)
{
    char quote = '\0';
    size_t i;

    for (i = 0; i < word.len; i++) {
        char c = word.data[i];

        if (c == '\\' && quote != '\'' && i + 1 < word.len)
            buf_addc(out, word.data[++i]);
        else if (c == quote)
            quote = '\0';
        else if (!quote && (c == '\'' || c == '"'))
            quote = c;
        else
            buf_addc(out, c);
    }
}

/* "3<<-'EOF'" gives "-EOF". */
static void add_heredoc(struct view word, struct strings *ends)
{
    struct buf end;
    size_t i = 0;

    while (i < word.len && word.data[i] >= '0' && word.data[i] <= '9')
        i++;
    if (word.len < i + 3 || memcmp(word.data + i, "<<", 2) != 0)
        return;
    i += 2;
    buf_init(&end, word.len + 1);
    if (word.data[i] == '-') {
        buf_addc(&end, '-');
        i++;
    }
    word = dockerfile_trim((struct view){word.data + i, word.len - i});
    if (word.len && !memchr(word.data, '<', word.len)) {
        bool tabs = end.len > 0;

        add_unquoted(word, &end);
        if (end.len > tabs)
            strings_add(ends, buf_text(&end));
    }
    buf_dispose(&end);
}

/* ["sh", "-c", "cat <<EOF"] is handed to no shell. */
static bool is_json_form(struct view args)
{
    struct view word, rest = args;
    json_t *json;
    size_t i;
    bool all;

    while (dockerfile_next_word(&rest, &word) && word.len > 1 && memcmp(word.data, "--", 2) == 0)
        args = rest;
    args = dockerfile_trim(args);
    if (!args.len || args.data[0] != '[')
        return false;
    json = json_loadb(args.data, args.len, 0, NULL);
    all = json_is_array(json);
    for (i = 0; i < json_array_size(json); i++)
        all = all && json_is_string(json_array_get(json, i));
    json_decref(json);
    return all;
}

void dockerfile_heredocs(struct view keyword, struct view args, size_t max, struct strings *ends)
{
    struct strings found = {0};
    struct view word;
    bool unclosed = false;
    size_t i;

    if (dockerfile_is_keyword(keyword, "ONBUILD"))
        dockerfile_next_word(&args, &keyword);
    if (!dockerfile_is_keyword(keyword, "RUN") && !dockerfile_is_keyword(keyword, "COPY") &&
        !dockerfile_is_keyword(keyword, "ADD"))
        return;
    if (!memmem(args.data, args.len, "<<", 2) || is_json_form(args))
        return;
    while (found.len < max && next_shell_word(&args, &word, &unclosed))
        add_heredoc(word, &found);
    for (i = 0; i < found.len && !unclosed; i++) /* with an open quote the engines see no heredoc at all */
        strings_add(ends, found.items[i]);
    strings_dispose(&found);
}
