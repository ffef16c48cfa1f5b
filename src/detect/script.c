#include "detect/script.h"

#include <stdlib.h>
#include <string.h>

#include "core/mem.h"

#define WORDS_MAX 512
#define NAMES_MAX 8
#define TEXT_MAX 8192

/* Programs whose arguments may be names of scripts. */
static const char *const runners[] = {"npm",         "pnpm",  "yarn", "bun",    "run-s",       "run-p",
                                      "npm-run-all", "turbo", "nx",   "wireit", "concurrently"};

static bool is_separator(char c)
{
    return c == '&' || c == '|' || c == ';' || c == '(' || c == ')' || c == '\n';
}

static bool is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\r';
}

static void end_command(struct strings *words)
{
    if (words->len > 0 && words->items[words->len - 1][0] != '\0')
        strings_add(words, "");
}

/* Reads one word with its quotes taken off; returns where it ends. */
static const char *read_word(const char *at, struct buf *word)
{
    char quote = '\0';

    for (; *at; at++) {
        if (quote && *at == quote)
            quote = '\0';
        else if (quote)
            buf_addc(word, *at);
        else if (*at == '"' || *at == '\'')
            quote = *at;
        else if (is_blank(*at) || is_separator(*at))
            break;
        else
            buf_addc(word, *at);
    }
    return at;
}

static void add_text(struct strings *words, const char *text)
{
    struct buf word;

    if (strlen(text) > TEXT_MAX)
        return;
    end_command(words);
    buf_init(&word, TEXT_MAX);
    while (*text && words->len < WORDS_MAX) {
        if (is_separator(*text)) {
            end_command(words);
            text++;
        } else if (is_blank(*text)) {
            text++;
        } else {
            buf_reset(&word);
            text = read_word(text, &word);
            if (word.len > 0)
                strings_add(words, buf_text(&word));
        }
    }
    buf_dispose(&word);
}

static bool is_runner(const char *word)
{
    size_t i;

    for (i = 0; i < ARRAY_LEN(runners); i++)
        if (strcmp(word, runners[i]) == 0)
            return true;
    return false;
}

/* Puts in the scripts that the words from `from` on run. A word of run-p may carry arguments: "build-only {@}". */
static void add_called(struct script *script, const struct project *project)
{
    bool runs = false;
    const char *text;
    char *name;
    size_t i;

    for (i = 0; i < script->words.len && script->names.len < NAMES_MAX; i++) {
        if (script->words.items[i][0] == '\0') {
            runs = false;
            continue;
        }
        if (!runs) {
            runs = is_runner(script->words.items[i]);
            continue;
        }
        name = xstrndup(script->words.items[i], strcspn(script->words.items[i], " "));
        text = project_script(project, name);
        if (text && !strings_has(&script->names, name)) {
            strings_add(&script->names, name);
            add_text(&script->words, text);
        }
        free(name);
    }
}

void script_read(struct script *script, const struct project *project, const char *name)
{
    const char *text = project_script(project, name);

    *script = (struct script){.words = {0}};
    if (!text)
        return;
    strings_add(&script->names, name);
    add_text(&script->words, text);
    add_called(script, project);
}

void script_read_text(struct script *script, const char *text)
{
    *script = (struct script){.words = {0}};
    add_text(&script->words, text);
}

void script_dispose(struct script *script)
{
    strings_dispose(&script->words);
    strings_dispose(&script->names);
}

/* "vite", "./node_modules/.bin/vite" and "node_modules/vite/bin/vite.js" are one program. */
static bool is_program(const char *word, const char *program, size_t len)
{
    const char *slash = strrchr(word, '/');
    const char *base = slash ? slash + 1 : word;

    if (strncmp(word, program, len) == 0 && word[len] == '\0')
        return true;
    return strncmp(base, program, len) == 0 && (base[len] == '\0' || strcmp(base + len, ".js") == 0);
}

int script_find(const struct script *script, const char *tool)
{
    size_t len = strcspn(tool, " ");
    const char *second = tool[len] ? tool + len + 1 : NULL;
    size_t i;

    for (i = 0; i < script->words.len; i++) {
        if (!is_program(script->words.items[i], tool, len))
            continue;
        if (!second)
            return (int)i + 1;
        if (i + 1 < script->words.len && strcmp(script->words.items[i + 1], second) == 0)
            return (int)i + 2;
    }
    return -1;
}

static const char *plain(const char *word)
{
    return *word && !strpbrk(word, "$`*?{}%~") ? word : NULL;
}

const char *script_flag(const struct script *script, int at, const char *flag)
{
    char *const *words = script->words.items;
    size_t len = strlen(flag);
    size_t i = (size_t)at;

    if (flag[len - 1] == '=') {
        while (i > 0 && words[i - 1][0] != '\0')
            if (strncmp(words[--i], flag, len) == 0)
                return plain(words[i] + len);
        return NULL;
    }
    for (; i < script->words.len && words[i][0] != '\0'; i++) {
        if (strncmp(words[i], flag, len) != 0)
            continue;
        if (words[i][len] == '=')
            return plain(words[i] + len + 1);
        if (words[i][len] == '\0' && i + 1 < script->words.len && words[i + 1][0] != '-')
            return plain(words[i + 1]);
    }
    return NULL;
}

const char *script_argument(const struct script *script, int at)
{
    const char *word = (size_t)at < script->words.len ? script->words.items[at] : "";

    return *word == '-' ? NULL : plain(word);
}
