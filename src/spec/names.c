#include "spec/names.h"

#include <ctype.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "core/mem.h"
#include "spec/paths.h"
#include "spec/problems.h"

#define ID_MAX 128
#define TEXT_MAX 1024
#define COMMAND_MAX ((size_t)32 << 10)
#define REF_MAX 255

int remark_set(struct remark *remark, const char *hint, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    vsnprintf(remark->message, sizeof remark->message, format, args);
    va_end(args);
    snprintf(remark->hint, sizeof remark->hint, "%s", hint ? hint : "");
    return -1;
}

bool text_has_control(const char *text)
{
    for (; *text; text++)
        if ((unsigned char)*text < 0x20 || *text == 0x7f)
            return true;
    return false;
}

int check_text(const char *text, struct remark *remark)
{
    if (strlen(text) > TEXT_MAX)
        return remark_set(remark, NULL, "longer than %d bytes", TEXT_MAX);
    if (text_has_control(text))
        return remark_set(remark, NULL, "control characters and line breaks are not allowed");
    return 0;
}

int check_id(const char *text, struct remark *remark)
{
    size_t len = strlen(text);
    bool good = len <= ID_MAX && isalnum((unsigned char)*text) &&
                strspn(text, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-") == len;
    char shown[QUOTE_SIZE];

    if (good)
        return 0;
    return remark_set(remark, "letters, digits, ., _ and -, a letter or digit first, at most 128",
                      "%s is not allowed here", quote(shown, text));
}

int check_command(const char *text, struct remark *remark)
{
    if (text[strspn(text, " \t\r\n")] == '\0')
        return remark_set(remark, NULL, "the command is blank");
    if (strlen(text) > COMMAND_MAX)
        return remark_set(remark, "put it into a script of the repository", "the command is longer than 32 KiB");
    return 0;
}

/* git-check-ref-format(1), and no leading '-', which commands take for an option. */
static bool ref_is_valid(const char *ref)
{
    size_t len = strlen(ref);
    const char *part = ref;

    if (len > REF_MAX || *ref == '-' || text_has_control(ref) || strpbrk(ref, " ~^:?*[\\") || strstr(ref, "..") ||
        strstr(ref, "@{") || strcmp(ref, "@") == 0 || ref[len - 1] == '.')
        return false;
    for (;;) {
        size_t part_len = strcspn(part, "/");

        if (part_len == 0 || *part == '.' || (part_len >= 5 && strncmp(part + part_len - 5, ".lock", 5) == 0))
            return false;
        if (part[part_len] == '\0')
            return true;
        part += part_len + 1;
    }
}

int check_ref(const char *text, struct remark *remark)
{
    char shown[QUOTE_SIZE];

    if (ref_is_valid(text))
        return 0;
    return remark_set(remark, "a branch or tag as git names it, like main or v1.2", "%s cannot be a branch or tag",
                      quote(shown, text));
}

int check_commit(const char *text, struct remark *remark)
{
    size_t len = strlen(text);
    bool hex = strspn(text, "0123456789abcdefABCDEF") == len;
    char shown[QUOTE_SIZE];
    char *c;

    if (!hex)
        return remark_set(remark, "branches and tags go to ref", "%s is not a commit id", quote(shown, text));
    if (len != 40 && len != 64)
        return remark_set(remark, "git rev-parse gives the whole id", "a whole commit id has 40 or 64 digits, not %zu",
                          len);
    remark->normal = xstrdup(text);
    for (c = remark->normal; *c; c++)
        *c = (char)tolower((unsigned char)*c);
    return 0;
}

int check_region(const char *text, struct remark *remark)
{
    size_t len = strlen(text);
    char shown[QUOTE_SIZE];

    if (len <= 40 && strspn(text, "abcdefghijklmnopqrstuvwxyz0123456789-") == len)
        return 0;
    return remark_set(remark, "a region like eu-west-1, or auto", "%s is not a region", quote(shown, text));
}

int check_glob(const char *text, struct remark *remark)
{
    size_t groups = 0;
    const char *c;
    char shown[QUOTE_SIZE];

    if (*text == '/')
        return remark_set(remark, "patterns are relative to the output folder", "%s begins with /", quote(shown, text));
    if (strlen(text) > 512 || text_has_control(text))
        return remark_set(remark, NULL, "a pattern has at most 512 bytes and no control characters");
    for (c = text; *c; c++)
        groups += *c == '{';
    if (groups > 8)
        return remark_set(remark, NULL, "a pattern has at most 8 groups in braces");
    return 0;
}

int check_header(const char *text, struct remark *remark)
{
    const unsigned char *c;

    for (c = (const unsigned char *)text; *c; c++)
        if (*c < 0x20 || *c > 0x7e)
            return remark_set(remark, NULL, "a header's value is printable ASCII");
    if (strlen(text) > TEXT_MAX)
        return remark_set(remark, NULL, "longer than %d bytes", TEXT_MAX);
    return 0;
}

int check_label_name(const char *text, struct remark *remark)
{
    if (*text == '\0' || strlen(text) > 128 || text_has_control(text))
        return remark_set(remark, "1 to 128 bytes without control characters", "not a name of a label");
    return 0;
}

int check_label(const char *text, struct remark *remark)
{
    if (strlen(text) > TEXT_MAX)
        return remark_set(remark, NULL, "longer than %d bytes", TEXT_MAX);
    return 0;
}

int check_node_version(const char *text, struct remark *remark)
{
    size_t len = strlen(text);
    char shown[QUOTE_SIZE];

    if (len <= 64 && strspn(text, "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz .*^~<>=|/-") == len)
        return 0;
    return remark_set(remark, "a version like 20 or 20.11, or a range like >=18", "%s is not a Node version",
                      quote(shown, text));
}
