#include "git/path_check.h"

#include <string.h>

#include "core/mem.h"
#include "core/utf8.h"

#define NAME_BYTES_MAX 255

/* Code points that HFS+ leaves out when it compares names (Apple TN1150): zero-width joiners, direction marks, BOM. */
static const char *const ignorable[] = {
    "\u200c", "\u200d", "\u200e", "\u200f", "\u202a", "\u202b", "\u202c", "\u202d",
    "\u202e", "\u206a", "\u206b", "\u206c", "\u206d", "\u206e", "\u206f", "\ufeff",
};

static size_t ignorable_at(struct view name, size_t at)
{
    size_t i;

    if ((unsigned char)name.data[at] < 0xE2)
        return 0;
    for (i = 0; i < ARRAY_LEN(ignorable); i++)
        if (view_starts((struct view){name.data + at, name.len - at}, ignorable[i]))
            return strlen(ignorable[i]);
    return 0;
}

static char lower(char c)
{
    return c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
}

void path_fold(struct view name, struct buf *out)
{
    size_t at = 0;
    size_t skip;

    while (at < name.len) {
        skip = ignorable_at(name, at);
        if (!skip)
            buf_addc(out, lower(name.data[at]));
        at += skip ? skip : 1;
    }
}

/* NTFS drops trailing dots and spaces, and "name:stream" opens name. */
static bool is_ntfs_tail(const char *tail)
{
    tail += strspn(tail, ". ");
    return *tail == '\0' || *tail == ':';
}

bool path_is_like(struct view name, const char *special)
{
    size_t len = strlen(special);
    struct buf folded;
    bool like;

    /* Most names end here. */
    if (name.len < len)
        return false;
    buf_init(&folded, name.len + 1);
    path_fold(name, &folded);
    like = view_starts((struct view){buf_text(&folded), folded.len}, special) && is_ntfs_tail(buf_text(&folded) + len);
    buf_dispose(&folded);
    return like;
}

static const char *part_fault(struct view part)
{
    if (view_is(part, ".") || view_is(part, ".."))
        return "a name of dots leads out of the folder";
    /* "git~1" is what NTFS calls ".git" for programs that know short names only. */
    if (path_is_like(part, ".git") || path_is_like(part, "git~1"))
        return "a file system could take the name for .git";
    return NULL;
}

static const char *byte_fault(struct view name)
{
    size_t i;

    for (i = 0; i < name.len; i++) {
        if (name.data[i] == '/')
            return "a name holds a slash";
        if ((unsigned char)name.data[i] < 0x20 || name.data[i] == 0x7f)
            return "a name holds a control character";
    }
    return NULL;
}

const char *path_fault(struct view name)
{
    const char *fault = byte_fault(name);
    size_t begin = 0;
    size_t end;

    if (name.len == 0)
        return "a name is empty";
    if (name.len > NAME_BYTES_MAX)
        return "a name is longer than 255 bytes";
    /* A backslash is a separator where the same tree is checked out on Windows. */
    for (; !fault && begin <= name.len; begin = end + 1) {
        for (end = begin; end < name.len && name.data[end] != '\\'; end++)
            ;
        fault = part_fault((struct view){name.data + begin, end - begin});
    }
    return fault;
}

void path_show(struct view path, struct buf *out)
{
    size_t begin = out->len;
    size_t i;

    utf8_repair(path, out);
    for (i = begin; i < out->len; i++)
        if ((unsigned char)out->data[i] < 0x20 || out->data[i] == 0x7f)
            out->data[i] = '?';
}
