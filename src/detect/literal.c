#include "detect/literal.h"

#include <ctype.h>
#include <string.h>

#define DEPTH_MAX 64

enum token_kind { TOKEN_END, TOKEN_WORD, TOKEN_STRING, TOKEN_COMPUTED, TOKEN_MARK };

struct token {
    enum token_kind kind;
    struct view text; /* of a string: what is between the quotes */
    char mark;
};

struct scanner {
    struct view text;
    size_t at;
    struct token previous;
};

static char peek(const struct scanner *scanner, size_t ahead)
{
    return scanner->at + ahead < scanner->text.len ? scanner->text.data[scanner->at + ahead] : '\0';
}

static bool at_end(const struct scanner *scanner)
{
    return scanner->at >= scanner->text.len;
}

static void skip_line(struct scanner *scanner)
{
    while (!at_end(scanner) && peek(scanner, 0) != '\n')
        scanner->at++;
}

static void skip_space(struct scanner *scanner)
{
    while (!at_end(scanner)) {
        if (isspace((unsigned char)peek(scanner, 0))) {
            scanner->at++;
        } else if (peek(scanner, 0) == '/' && peek(scanner, 1) == '/') {
            skip_line(scanner);
        } else if (peek(scanner, 0) == '/' && peek(scanner, 1) == '*') {
            scanner->at += 2;
            while (!at_end(scanner) && !(peek(scanner, 0) == '*' && peek(scanner, 1) == '/'))
                scanner->at++;
            scanner->at += 2;
        } else {
            return;
        }
    }
}

/* A quoted text; one with an escape, or a template with a hole, is computed. */
static struct token read_string(struct scanner *scanner, char quote)
{
    struct token token = {.kind = TOKEN_STRING};
    size_t begin = ++scanner->at;

    while (!at_end(scanner) && peek(scanner, 0) != quote && (quote == '`' || peek(scanner, 0) != '\n')) {
        if (peek(scanner, 0) == '\\') {
            token.kind = TOKEN_COMPUTED;
            scanner->at++;
        } else if (quote == '`' && peek(scanner, 0) == '$' && peek(scanner, 1) == '{') {
            token.kind = TOKEN_COMPUTED;
        }
        scanner->at++;
    }
    if (scanner->at > scanner->text.len)
        scanner->at = scanner->text.len;
    token.text = (struct view){scanner->text.data + begin, scanner->at - begin};
    scanner->at++;
    return token;
}

/* A slash where a value may stand begins a regular expression. */
static bool is_regex_place(const struct token *previous)
{
    if (previous->kind == TOKEN_WORD)
        return view_is(previous->text, "return");
    return previous->kind == TOKEN_END || (previous->kind == TOKEN_MARK && !strchr(")]}", previous->mark));
}

static struct token read_regex(struct scanner *scanner)
{
    bool in_class = false;
    char c;

    for (scanner->at++; !at_end(scanner) && peek(scanner, 0) != '\n'; scanner->at++) {
        c = peek(scanner, 0);
        if (c == '\\')
            scanner->at++;
        else if (c == '[' || c == ']')
            in_class = c == '[';
        else if (c == '/' && !in_class)
            break;
    }
    scanner->at++;
    return (struct token){.kind = TOKEN_COMPUTED};
}

static bool is_word_character(char c)
{
    return isalnum((unsigned char)c) || c == '_' || c == '$' || (unsigned char)c >= 0x80;
}

static struct token scan(struct scanner *scanner)
{
    struct token token = {.kind = TOKEN_END};
    size_t begin;
    char c;

    skip_space(scanner);
    if (at_end(scanner))
        return token;
    c = peek(scanner, 0);
    if (c == '\'' || c == '"' || c == '`')
        return read_string(scanner, c);
    if (c == '/' && is_regex_place(&scanner->previous))
        return read_regex(scanner);
    if (is_word_character(c)) {
        begin = scanner->at;
        while (!at_end(scanner) && is_word_character(peek(scanner, 0)))
            scanner->at++;
        token.kind = TOKEN_WORD;
        token.text = (struct view){scanner->text.data + begin, scanner->at - begin};
        return token;
    }
    scanner->at++;
    token.kind = TOKEN_MARK;
    token.mark = c;
    return token;
}

static struct token next(struct scanner *scanner)
{
    scanner->previous = scan(scanner);
    return scanner->previous;
}

static struct token look_ahead(const struct scanner *scanner)
{
    struct scanner copy = *scanner;

    return next(&copy);
}

static bool is_mark(const struct token *token, const char *marks)
{
    return token->kind == TOKEN_MARK && strchr(marks, token->mark);
}

struct search {
    struct view parent; /* the wanted object's own key; empty: none */
    struct view key;
    struct view parents[DEPTH_MAX]; /* of the objects that are open; an empty view: not a value of a key */
    size_t depth;
    enum literal_state state;
    struct view found;
};

static bool same(struct view a, struct view b)
{
    return a.len == b.len && (a.len == 0 || memcmp(a.data, b.data, a.len) == 0);
}

static bool is_wanted(const struct search *search, const struct token *key)
{
    return search->depth > 0 && search->depth <= DEPTH_MAX &&
           same(search->parents[search->depth - 1], search->parent) && same(key->text, search->key);
}

/* The scanner stands right after the key. */
static void take_value(struct search *search, const struct scanner *scanner)
{
    struct scanner copy = *scanner;
    struct token colon = next(&copy);
    struct token value = next(&copy);
    struct token after = next(&copy);
    bool is_word = value.kind == TOKEN_WORD && (view_is(value.text, "true") || view_is(value.text, "false"));

    /* `'export' as const` is TypeScript's way to write a literal */
    if (after.kind == TOKEN_WORD && view_is(after.text, "as") && (next(&copy), copy.previous.kind == TOKEN_WORD))
        after = next(&copy);
    if (!is_mark(&colon, ":") || !(value.kind == TOKEN_STRING || is_word) || !is_mark(&after, ",}") ||
        (search->state == LITERAL_FOUND && !same(search->found, value.text))) {
        search->state = LITERAL_DYNAMIC;
        return;
    }
    if (search->state == LITERAL_ABSENT) {
        search->state = LITERAL_FOUND;
        search->found = value.text;
    }
}

static void open_object(struct search *search, const struct view *key)
{
    if (search->depth < DEPTH_MAX)
        search->parents[search->depth] = key ? *key : (struct view){NULL, 0};
    search->depth++;
}

static void run(struct search *search, struct scanner *scanner)
{
    struct token before = {.kind = TOKEN_END};
    struct token token;
    struct token after;
    struct view key = {NULL, 0};
    int keyed = 0; /* 1: a key was just read; 2: and its colon */

    for (token = next(scanner); token.kind != TOKEN_END; before = token, token = next(scanner)) {
        if (is_mark(&token, "{")) {
            open_object(search, keyed == 2 ? &key : NULL);
        } else if (is_mark(&token, "}") && search->depth > 0) {
            search->depth--;
        } else if ((token.kind == TOKEN_WORD || token.kind == TOKEN_STRING) && is_mark(&before, "{,")) {
            after = look_ahead(scanner);
            if (is_mark(&after, ":,}") && is_wanted(search, &token))
                take_value(search, scanner);
            key = token.text;
            keyed = 1;
            continue;
        }
        keyed = keyed == 1 && is_mark(&token, ":") ? 2 : 0;
    }
}

enum literal_state literal_find(struct view text, const char *key, struct buf *value)
{
    struct scanner scanner = {.text = text};
    struct search search = {.state = LITERAL_ABSENT};
    const char *dot = strchr(key, '.');

    search.key = view_of(dot ? dot + 1 : key);
    if (dot)
        search.parent = (struct view){key, (size_t)(dot - key)};
    run(&search, &scanner);
    if (search.state == LITERAL_FOUND && buf_add(value, search.found.data, search.found.len))
        return LITERAL_DYNAMIC;
    return search.state;
}
