/*
 * Replays a corpus through a fuzz target where libFuzzer is not linked: every regular file of the folders and every
 * file that are named. An empty corpus is a failure: it would check nothing.
 */
#include <dirent.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static int replay_file(const char *path)
{
    FILE *file = fopen(path, "rb");
    struct stat st;
    if (!file || fstat(fileno(file), &st) != 0 || !S_ISREG(st.st_mode)) {
        perror(path);
        if (file)
            fclose(file);
        return -1;
    }
    size_t len = (size_t)st.st_size;
    /* exactly as long as the input, so that a read past its end is seen */
    uint8_t *data = malloc(len ? len : 1);
    if (!data || fread(data, 1, len, file) != len) {
        perror(path);
        free(data);
        fclose(file);
        return -1;
    }
    fclose(file);
    LLVMFuzzerTestOneInput(data, len);
    free(data);
    return 0;
}

static int replay_folder(const char *path, DIR *folder)
{
    int count = 0;
    for (struct dirent *entry; (entry = readdir(folder));) {
        if (entry->d_name[0] == '.')
            continue;
        char name[4096];
        int len = snprintf(name, sizeof(name), "%s/%s", path, entry->d_name);
        if (len < 0 || (size_t)len >= sizeof(name) || replay_file(name) != 0)
            return -1;
        count++;
    }
    return count;
}

int main(int argc, char **argv)
{
    int total = 0;
    for (int i = 1; i < argc; i++) {
        DIR *folder = opendir(argv[i]);
        int count = folder ? replay_folder(argv[i], folder) : (replay_file(argv[i]) == 0 ? 1 : -1);
        if (folder)
            closedir(folder);
        if (count < 0)
            return 1;
        total += count;
    }
    printf("%d inputs\n", total);
    return total > 0 ? 0 : 1;
}
