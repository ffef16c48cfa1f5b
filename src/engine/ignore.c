#include "engine/ignore.h"

#include <dirent.h>
#include <fcntl.h>
#include <fnmatch.h>
#include <string.h>
#include <unistd.h>

#include "core/mem.h"

#define ENTRIES_MAX 10000
#define NAMES_MAX 10

/* Of files whose contents nobody can tell from outside. `kept` are those that the patterns before them would take. */
static const struct {
    const char *pattern;
    bool kept;
} files[] = {
    {".env", false},         {".env.*", false},
    {".env.example", true},  {".env.sample", true},
    {".env.template", true}, {".env.dist", true},
    {"*.pem", false},        {"*cert*.pem", true},
    {"*chain*.pem", true},   {"*bundle*.pem", true},
    {"*public*.pem", true},  {"ca.pem", true},
    {"ca-*.pem", true},      {"*.key", false},
    {"*.p12", false},        {"*.pfx", false},
    {"id_rsa", false},       {"id_dsa", false},
    {"id_ecdsa", false},     {"id_ed25519", false},
    {".netrc", false},       {".git-credentials", false},
};
/* Last, because the last pattern that matches wins: what is kept above is not kept in these. Each is written twice: of a
 * folder at the top Kaniko takes the first form for its entry alone, not for what lies in it. */
static const char *const folders[] = {".ssh", ".aws", ".git", ".hg", ".svn", "node_modules"};

void ignore_text(bool keep_dotenv, struct buf *out)
{
    size_t i;

    buf_adds(out,
             "# By caisson, because there was no .dockerignore. Put one into the repository to decide yourself.\n");
    for (i = 0; i < ARRAY_LEN(files); i++)
        buf_addf(out, "%s**/%s\n", files[i].kept ? "!" : "", files[i].pattern);
    if (keep_dotenv)
        buf_adds(out, "!.env\n");
    for (i = 0; i < ARRAY_LEN(folders); i++)
        buf_addf(out, "**/%s\n**/%s/**\n", folders[i], folders[i]);
    buf_adds(out, ".dockerignore\n");
}

static bool is_left_out(const char *name, bool keep_dotenv)
{
    bool out = false;
    size_t i;

    for (i = 0; i < ARRAY_LEN(files); i++)
        if (fnmatch(files[i].pattern, name, 0) == 0)
            out = !files[i].kept;
    return out && !(keep_dotenv && strcmp(name, ".env") == 0);
}

void ignore_left_out(int folder_fd, bool keep_dotenv, struct strings *names)
{
    int fd = openat(folder_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *dir = fd < 0 ? NULL : fdopendir(fd);
    struct dirent *entry;
    size_t i;

    if (!dir) {
        if (fd >= 0)
            close(fd);
        return;
    }
    for (i = 0; i < ENTRIES_MAX && names->len < NAMES_MAX && (entry = readdir(dir)); i++)
        if (is_left_out(entry->d_name, keep_dotenv))
            strings_add(names, entry->d_name);
    closedir(dir);
    strings_sort(names);
}

bool ignore_names_dotenv(struct view text)
{
    static const char *const patterns[] = {".env", "/.env", "**/.env", ".env*", "**/.env*", "*.env", "**/*.env"};
    size_t i;

    while (text.len) {
        const char *end = memchr(text.data, '\n', text.len);
        struct view line = {text.data, end ? (size_t)(end - text.data) : text.len};

        text.data += line.len + (end != NULL);
        text.len -= line.len + (end != NULL);
        while (line.len && (line.data[line.len - 1] == '\r' || line.data[line.len - 1] == ' '))
            line.len--;
        for (i = 0; i < ARRAY_LEN(patterns); i++)
            if (view_is(line, patterns[i]))
                return true;
    }
    return false;
}
