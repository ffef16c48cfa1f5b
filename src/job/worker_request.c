#include "job/worker_request.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/json.h"

void worker_request_put_workspace(json_t *request, const struct job *job)
{
    struct stat status;

    json_put_text(request, "workspace", job->workspace);
    if (fstat(job->workspace_fd, &status) == 0) {
        json_object_set_new(request, "device", json_integer((json_int_t)status.st_dev));
        json_object_set_new(request, "inode", json_integer((json_int_t)status.st_ino));
    }
}

int worker_request_open_workspace(const json_t *request, struct error *err)
{
    const char *path = json_text(request, "workspace", "/");
    int fd = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    struct stat status;

    if (fd < 0)
        return error_set_errno(err, CLASS_OUTPUT_REFUSED, "workspace-replaced", errno, "opening the workspace %s",
                               path);
    if (fstat(fd, &status) == 0 && (json_int_t)status.st_dev == json_int(request, "device", 0) &&
        (json_int_t)status.st_ino == json_int(request, "inode", 0))
        return fd;
    close(fd);
    return error_set(err, CLASS_OUTPUT_REFUSED, "workspace-replaced",
                     "the build has put something else in the place of the workspace");
}

void worker_request_put_network(json_t *request, const struct platform *platform)
{
    json_put_text(request, "ca_bundle", platform->ca_bundle);
    json_put_text(request, "proxy", platform->proxy);
    json_put_text(request, "http_proxy", platform->http_proxy);
    json_put_text(request, "no_proxy", platform->no_proxy);
    json_object_set_new(request, "credentials", credentials_source_to_json(&platform->credentials));
}

struct http_options worker_request_http(const json_t *request)
{
    return (struct http_options){
        .ca_bundle = json_text(request, "ca_bundle", NULL),
        .proxy = json_text(request, "proxy", NULL),
        .http_proxy = json_text(request, "http_proxy", NULL),
        .no_proxy = json_text(request, "no_proxy", NULL),
    };
}
