/*
 * What the ECS agent says of the task: its log driver, its containers.
 * https://docs.aws.amazon.com/AmazonECS/latest/developerguide/task-metadata-endpoint-v4-fargate-response.html
 */
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cli/doctor.h"
#include "cli/executors.h"
#include "core/clock.h"
#include "core/json.h"
#include "core/mem.h"
#include "proc/processes.h"

#define METADATA_MAX ((size_t)256 << 10)
#define METADATA_MS 5000
#define SOCKET_STEP_MS 200
#define NO_TASK "not in a task of ECS"

/* ---- the metadata ---- */

/* Over a client of its own: the agent is never behind a proxy. */
static json_t *fetch(struct doctor *doctor, const char *url, struct error *err)
{
    static const struct http_options direct;
    struct http_client *client = http_client_new(doctor->setup.loop, &direct);
    struct http_request request;
    struct http_response response;
    json_t *document = NULL;

    http_request_init(&request, "GET", url);
    http_response_init(&response);
    request.timeout_ms = request.connect_timeout_ms = METADATA_MS;
    request.max_response = METADATA_MAX;
    if (http_perform_unless(client, &request, &response, &doctor->stop, err) == 0) {
        if (response.status == 200)
            document =
                json_parse(buf_text(&response.body), response.body.len, CLASS_PLATFORM, "the task's metadata", err);
        else
            error_set(err, CLASS_PLATFORM, "metadata-failed", "the task's metadata endpoint answered %ld",
                      response.status);
    }
    http_request_dispose(&request);
    http_response_dispose(&response);
    http_client_free(client);
    return document;
}

/* Once: an agent that hangs does so for every check. */
static int load(struct doctor *doctor, struct error *err)
{
    const char *uri = doctor->setup.platform.task_metadata;
    CLEANUP_FREE char *url = xasprintf("%s/task", uri);

    doctor->task_asked = true;
    doctor->container = fetch(doctor, uri, err);
    if (!doctor->container)
        return -1;
    doctor->task = fetch(doctor, url, err);
    return doctor->task ? 0 : -1;
}

bool doctor_task_known(struct doctor *doctor)
{
    struct error ignored;

    if (doctor->in_task && !doctor->task_asked)
        load(doctor, &ignored);
    return doctor->container && doctor->task;
}

void doctor_check_task(struct doctor *doctor)
{
    struct error err;

    if (!doctor->in_task) {
        doctor_skip(doctor, "task metadata", NO_TASK);
        return;
    }
    if (load(doctor, &err)) {
        error_context(&err, "asking ECS_CONTAINER_METADATA_URI_V4");
        error_hint(&err,
                   "it is the agent of ECS that answers there, over plain http: nothing of the image or the network "
                   "may stand between");
        doctor_fail(doctor, "task metadata", &err);
        return;
    }
    doctor_ok(doctor, "task metadata", "%s:%s, %s, container %s of %zu, %s", json_text(doctor->task, "Family", "?"),
              json_text(doctor->task, "Revision", "?"), json_text(doctor->task, "LaunchType", "EC2"),
              json_text(doctor->container, "Name", "?"), json_array_size(json_object_get(doctor->task, "Containers")),
              json_text(doctor->task, "TaskARN", "?"));
}

/* Why a check that reads the metadata cannot. */
static void skip_without_task(struct doctor *doctor, const char *subject)
{
    doctor_skip(doctor, subject, doctor->in_task ? "the task's metadata does not answer" : NO_TASK);
}

/* ---- the log ---- */

/*
 * In its mode non-blocking the driver drops lines when its buffer (max-buffer-size) is full. Since 25 June 2025 that is
 * the mode of task definitions that name none, unless an account setting says otherwise.
 * https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_LogConfiguration.html
 */
void doctor_judge_log(struct doctor *doctor, const json_t *container)
{
    const char *driver = json_text(container, "LogDriver", NULL);
    const json_t *options = json_object_get(container, "LogOptions");
    const char *mode = json_text(options, "mode", NULL);
    const char *group = json_text(options, "awslogs-group", "?");
    const char *size = json_text(options, "max-buffer-size", "10m");
    struct error err;

    if (!driver || strcmp(driver, "none") == 0) {
        error_set(&err, CLASS_PLATFORM, "log-driver-none", "the container's output goes nowhere");
        error_hint(&err,
                   "give the container a logConfiguration, as taskdefs/ do; the whole log can also go to S3 (log)");
        doctor_warn(doctor, "log driver", &err);
    } else if (strcmp(driver, "awslogs") != 0) {
        doctor_ok(doctor, "log driver", "%s", driver);
    } else if (mode && strcmp(mode, "blocking") == 0) {
        doctor_ok(doctor, "log driver", "awslogs, group %s, mode blocking: no line is lost", group);
    } else if (mode) {
        error_set(&err, CLASS_PLATFORM, "log-may-lose-lines",
                  "awslogs, group %s, mode %s: when more than %s wait for CloudWatch, lines are dropped, the result's "
                  "among them",
                  group, mode, size);
        error_hint(&err, "set \"mode\": \"blocking\" in logConfiguration.options (caisson never waits for its output), "
                         "and keep the whole log in S3 (log)");
        doctor_warn(doctor, "log driver", &err);
    } else {
        error_set(
            &err, CLASS_PLATFORM, "log-mode-unknown",
            "awslogs, group %s: the metadata names no mode, and ECS's default is non-blocking, which may drop lines",
            group);
        error_hint(&err, "see that logConfiguration.options has \"mode\": \"blocking\"");
        doctor_warn(doctor, "log driver", &err);
    }
}

void doctor_check_log(struct doctor *doctor)
{
    if (doctor_task_known(doctor))
        doctor_judge_log(doctor, doctor->container);
    else
        skip_without_task(doctor, "log driver");
}

/* ---- ECS Exec ---- */

/* The agent's program is laid into containers of tasks that allow it, and runs there.
 * https://docs.aws.amazon.com/AmazonECS/latest/developerguide/ecs-exec.html */
static bool has_agent(void)
{
    static const char *const names[] = {"amazon-ssm-agen", "ssm-agent-worke", "ssm-session-wor"};
    struct processes all;
    bool found = access("/managed-agents/execute-command", F_OK) == 0;
    size_t i, j;

    processes_read(&all);
    for (i = 0; i < all.len; i++)
        for (j = 0; j < ARRAY_LEN(names); j++)
            found |= strcmp(all.items[i].name, names[j]) == 0;
    processes_dispose(&all);
    return found;
}

void doctor_check_exec(struct doctor *doctor)
{
    struct error err;

    if (!doctor->contained) {
        doctor_skip(doctor, "ECS Exec", NO_TASK);
    } else if (!has_agent()) {
        doctor_ok(doctor, "ECS Exec", "its agent is not in this container");
    } else {
        error_set(
            &err, CLASS_PLATFORM, "exec-enabled",
            "the agent of ECS Exec runs in this container: who may call ExecuteCommand is root beside the credentials");
        error_hint(&err, "start tasks without enableExecuteCommand");
        doctor_warn(doctor, "ECS Exec", &err);
    }
}

/* ---- the sandbox ---- */

static const json_t *find_container(const struct doctor *doctor, const char *name)
{
    const json_t *containers = json_object_get(doctor->task, "Containers"), *container;
    size_t i;

    json_array_foreach(containers, i, container)
    {
        if (strcmp(json_text(container, "Name", ""), name) == 0)
            return container;
    }
    return NULL;
}

static void look_for_container(struct doctor *doctor, const char *name)
{
    CLEANUP_FREE char *subject = xasprintf("container %s", name);
    const json_t *container;
    struct error err;

    if (!doctor_task_known(doctor)) {
        skip_without_task(doctor, subject);
        return;
    }
    container = find_container(doctor, name);
    if (!container) {
        error_set(&err, CLASS_SANDBOX_LOST, "container-unknown", "the task's metadata names no such container");
        error_hint(&err, "name the sandbox's container by --sandbox-container, or use taskdefs/kaniko.json");
        doctor_fail(doctor, subject, &err);
    } else if (strcmp(json_text(container, "KnownStatus", ""), "STOPPED") == 0) {
        error_set(&err, CLASS_SANDBOX_LOST, "container-stopped", "it has stopped already");
        error_hint(&err, "its own log says why; its command is: caisson sandbox");
        doctor_fail(doctor, subject, &err);
    } else {
        doctor_ok(doctor, subject, "%s", json_text(container, "KnownStatus", "there"));
    }
}

/* The sandbox may start after us. */
static bool await_socket(struct doctor *doctor, const char *path)
{
    struct stat status;

    for (;;) {
        if (lstat(path, &status) == 0)
            return S_ISSOCK(status.st_mode);
        if (doctor->stop)
            return false;
        loop_sleep(doctor->setup.loop, SOCKET_STEP_MS, &doctor->stop);
    }
}

static void look_for_socket(struct doctor *doctor)
{
    const char *path = executors_socket(&doctor->setup);
    CLEANUP_FREE char *folder = xstrdup(path);
    char *slash = strrchr(folder, '/');
    struct stat root, status;
    struct error err;

    if (slash && slash != folder)
        *slash = '\0';
    if (stat("/", &root) || stat(folder, &status) || (doctor->contained && root.st_dev == status.st_dev)) {
        error_set(&err, CLASS_SANDBOX_LOST, "no-shared-volume", "%s is no volume, which both containers must share",
                  folder);
        error_hint(&err, "mount one volume at %s in both containers, as taskdefs/kaniko.json does", folder);
        doctor_fail(doctor, path, &err);
    } else if (await_socket(doctor, path)) {
        doctor_ok(doctor, path, "the sandbox listens on a volume");
    } else {
        error_set(&err, CLASS_SANDBOX_LOST, "sandbox-not-there", "nobody listens there");
        error_hint(&err,
                   "see that the other container runs caisson sandbox, has the volume at the same path, and see its "
                   "log");
        doctor_fail(doctor, path, &err);
    }
}

void doctor_check_sandbox(struct doctor *doctor)
{
    if (!executors_want_sandbox(&doctor->setup)) {
        doctor_skip(doctor, "sandbox",
                    "not asked for: builds run in this container (--executor sandbox looks for one)");
        return;
    }
    look_for_container(doctor, executors_build_container(&doctor->setup));
    look_for_socket(doctor);
}
