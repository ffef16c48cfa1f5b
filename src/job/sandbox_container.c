/*
 * https://docs.aws.amazon.com/AmazonECS/latest/developerguide/task-metadata-endpoint-v4-fargate-response.html
 * The agent shares the task's network with the build, but its address can only be taken by who administers that
 * network. Its answers are still read as if anybody could have written them: what is not plain counts as no.
 */
#include "job/sandbox_container.h"

#include <stdlib.h>
#include <string.h>

#include "core/clock.h"
#include "core/json.h"
#include "core/mem.h"
#include "net/http.h"

#define ANSWER_MAX (256 * 1024)
#define REQUEST_MS 3000
#define FIRST_WAIT_MS 100
#define LONGEST_WAIT_MS 2000
/* Not worth a question: its failure would only hide what the last answer was. */
#define TOO_LATE_MS 150

struct sandbox_container {
    struct http_client *client;
    char *url;
    const char *name; /* borrowed */
};

struct sandbox_container *sandbox_container_new(struct loop *loop, const char *uri, const char *name)
{
    static const struct http_options direct;
    struct sandbox_container *container = xcalloc(1, sizeof *container);

    container->client = http_client_new(loop, &direct);
    container->url = xasprintf("%s/task", uri);
    container->name = name;
    return container;
}

void sandbox_container_free(struct sandbox_container *container)
{
    if (!container)
        return;
    http_client_free(container->client);
    free(container->url);
    free(container);
}

static const json_t *find(const json_t *task, const char *name, struct error *err)
{
    const json_t *containers = json_object_get(task, "Containers"), *container, *found = NULL;
    size_t i;

    json_array_foreach(containers, i, container)
    {
        if (strcmp(json_text(container, "Name", ""), name) != 0)
            continue;
        if (found) {
            error_set(err, CLASS_SANDBOX_LOST, "container-ambiguous",
                      "the task's metadata names two containers \"%.64s\"", name);
            return NULL;
        }
        found = container;
    }
    if (!found)
        error_set(err, CLASS_SANDBOX_LOST, "container-unknown", "the task's metadata names no container \"%.64s\"",
                  name);
    return found;
}

int sandbox_container_read(struct view answer, const char *name, struct container_end *end, struct error *err)
{
    CLEANUP_JSON json_t *task = json_parse(answer.data, answer.len, CLASS_SANDBOX_LOST, "the task's metadata", err);
    const json_t *container = task ? find(task, name, err) : NULL;
    const char *status;
    int64_t code;

    if (!container)
        return -1;
    status = json_text(container, "KnownStatus", "");
    if (strcmp(status, "STOPPED") != 0)
        return error_set(err, CLASS_SANDBOX_LOST, "container-not-stopped",
                         "the task's metadata says that the container \"%.64s\" is %.32s", name,
                         *status ? status : "in no state");
    code = json_int(container, "ExitCode", -1);
    end->exit_code = code >= 0 && code <= 255 ? (int)code : -1;
    end->out_of_memory = strncmp(json_text(container, "Reason", ""), "OutOfMemory", 11) == 0;
    return 0;
}

static int ask(const struct sandbox_container *container, int64_t deadline_ms, const bool *stop,
               struct container_end *end, struct error *err)
{
    int64_t left_ms = deadline_ms - clock_monotonic_ms();
    struct http_request request;
    struct http_response response;
    int status;

    http_request_init(&request, "GET", container->url);
    request.timeout_ms = left_ms < REQUEST_MS ? (int)left_ms : REQUEST_MS;
    request.connect_timeout_ms = request.timeout_ms;
    request.max_response = ANSWER_MAX;
    http_response_init(&response);
    status = http_perform_unless(container->client, &request, &response, stop, err);
    if (status)
        error_context(err, "asking for the task's metadata");
    else if (response.status != 200)
        status = error_set(err, CLASS_SANDBOX_LOST, "metadata-failed", "the task's metadata endpoint answered %ld",
                           response.status);
    else
        status = sandbox_container_read((struct view){buf_text(&response.body), response.body.len}, container->name,
                                        end, err);
    http_response_dispose(&response);
    http_request_dispose(&request);
    return status;
}

int sandbox_container_stopped(void *context, int64_t deadline_ms, const bool *stop, struct container_end *end,
                              struct error *err)
{
    const struct sandbox_container *container = context;
    struct loop *loop = http_client_loop(container->client);
    int64_t wait_ms = FIRST_WAIT_MS;

    error_set(err, CLASS_SANDBOX_LOST, "metadata-failed", "there was no time to ask for the task's metadata");
    while (!*stop && deadline_ms - clock_monotonic_ms() > TOO_LATE_MS) {
        int64_t left_ms;

        if (ask(container, deadline_ms, stop, end, err) == 0)
            return 0;
        left_ms = deadline_ms - clock_monotonic_ms();
        loop_sleep(loop, wait_ms < left_ms ? wait_ms : left_ms, stop);
        wait_ms = wait_ms * 2 < LONGEST_WAIT_MS ? wait_ms * 2 : LONGEST_WAIT_MS;
    }
    return -1;
}
