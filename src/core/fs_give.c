#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "core/fs.h"
#include "core/mem.h"
#include "core/strings.h"

/* Entries of one folder; folders among them go to the end of the list. Takes the descriptor. */
static int give_folder(int fd, const char *path, struct strings *folders, uid_t uid, gid_t gid)
{
    DIR *listing = fdopendir(fd);
    const struct dirent *entry;
    struct stat st;
    int result = 0;

    if (!listing) {
        result = -errno;
        close(fd);
        return result;
    }
    while (result == 0 && (entry = readdir(listing))) {
        if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
            continue;
        if (fchownat(fd, entry->d_name, uid, gid, AT_SYMLINK_NOFOLLOW) ||
            fstatat(fd, entry->d_name, &st, AT_SYMLINK_NOFOLLOW))
            result = -errno;
        else if (S_ISDIR(st.st_mode))
            strings_addf(folders, "%s%s%s", path, *path ? "/" : "", entry->d_name);
    }
    closedir(listing);
    return result;
}

int fs_give_tree(int folder_fd, uid_t uid, gid_t gid)
{
    struct strings folders = {0}; /* a work list: one descriptor is open at a time, whatever the depth */
    int result = fchown(folder_fd, uid, gid) ? -errno : 0;
    size_t i;

    strings_add(&folders, "");
    for (i = 0; i < folders.len && result == 0; i++) {
        CLEANUP_FREE char *path = xstrdup(folders.items[i]);
        int fd = fs_open_beneath(folder_fd, *path ? path : ".", O_RDONLY | O_DIRECTORY, 0);

        result = fd < 0 ? fd : give_folder(fd, path, &folders, uid, gid);
    }
    strings_dispose(&folders);
    return result;
}
