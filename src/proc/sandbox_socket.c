/*
 * How the two find each other: a socket on the volume that they share. The sandbox listens, because until the first
 * command nothing hostile runs in its container, and so nobody of its side can be there before the runner; the runner,
 * which has everything to lose, never accepts anybody. Files and users are seen alike in both containers, so modes and
 * peer credentials mean the same.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "core/fs.h"
#include "core/mem.h"
#include "core/protection.h"
#include "proc/sandbox_channel.h"
#include "proc/sandbox_server.h"

/* Room for the suffix of the name that is bound first. */
#define PATH_MAX_HERE (sizeof((struct sockaddr_un *)0)->sun_path - sizeof ".new")

bool sandbox_path_is_good(const char *path)
{
    return path[0] == '/' && path[1] && strlen(path) <= PATH_MAX_HERE;
}

static struct sockaddr_un address_of(const char *path, const char *suffix)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};

    snprintf(address.sun_path, sizeof address.sun_path, "%s%s", path, suffix);
    return address;
}

/* Root, or whoever we are on a machine where nobody is root. */
static bool is_trusted(int fd)
{
    struct ucred peer;
    socklen_t len = sizeof peer;

    if (!PROTECTED(SANDBOX_PEER))
        return true;
    return getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &len) == 0 && len == sizeof peer &&
           (peer.uid == 0 || peer.uid == geteuid());
}

/* A volume may be empty yet. */
static void make_folder_of(const char *path)
{
    CLEANUP_FREE char *folder = xstrndup(path, (size_t)(strrchr(path, '/') - path));
    mode_t old_umask = umask(022);

    if (*folder)
        (void)fs_make_folders(folder, 0755); /* bind says what is wrong */
    umask(old_umask);
}

/* Made under another name and moved there when it listens: whoever finds it can connect, and what an earlier task has
 * left there is gone. */
int sandbox_listen(const char *path, struct error *err)
{
    struct sockaddr_un fresh = address_of(path, ".new"), final = address_of(path, "");
    int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    int status = fd < 0 ? -1 : 0;
    mode_t old_umask;

    make_folder_of(path);
    old_umask = umask(PROTECTED(SANDBOX_PEER) ? 0177 : 0);
    if (status == 0 && unlink(fresh.sun_path) && errno != ENOENT)
        status = -1;
    if (status == 0)
        status = bind(fd, (const struct sockaddr *)&fresh, sizeof fresh) || listen(fd, 1) ||
                         rename(fresh.sun_path, final.sun_path)
                     ? -1
                     : 0;
    umask(old_umask);
    if (status == 0)
        return fd;
    error_set_errno(err, CLASS_INTERNAL, "no-socket", errno, "listening at %s", path);
    error_hint(err, "mount the volume that runner and sandbox share there, and let the sandbox start as root");
    if (fd >= 0)
        close(fd);
    return -1;
}

int sandbox_accept(int listener)
{
    int fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

    if (fd >= 0 && !is_trusted(fd)) {
        close(fd);
        return -1;
    }
    return fd;
}

int sandbox_connect(const char *path, struct error *err)
{
    struct sockaddr_un address = address_of(path, "");
    int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

    if (fd < 0 || connect(fd, (const struct sockaddr *)&address, sizeof address)) {
        error_set_errno(err, CLASS_SANDBOX_LOST, "sandbox-absent", errno, "connecting to %s", path);
        if (fd >= 0)
            close(fd);
        return error_retryable(err, 0);
    }
    if (is_trusted(fd))
        return fd;
    close(fd);
    error_set(err, CLASS_SANDBOX_LOST, "sandbox-untrusted",
              "the socket %s belongs to somebody who is neither root nor us", path);
    return error_hint(err, "`caisson sandbox` must be started as root, in a container of its own");
}
