/* What this container or machine has: memory, room, programs, certificates. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/statfs.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "cli/build_user.h"
#include "cli/doctor.h"
#include "cli/executors.h"
#include "core/clock.h"
#include "core/fs.h"
#include "core/json.h"
#include "core/mem.h"
#include "engine/engine.h"
#include "job/job.h"
#include "proc/memory_group.h"

#define ROOM_BYTES ((int64_t)2 << 30) /* a checkout, its packages and what is built of them */
#define TMPFS 0x01021994              /* statfs(2) */
#define BUNDLE_MAX ((size_t)8 << 20)
#define CERTIFICATE "-----BEGIN "

/* ---- memory ---- */

static int64_t told_memory(struct doctor *doctor)
{
    int64_t task, own;

    if (!doctor_task_known(doctor))
        return 0;
    task = json_int(json_object_get(doctor->task, "Limits"), "Memory", 0);
    own = json_int(json_object_get(doctor->container, "Limits"), "Memory", 0);
    if (task < 0 || task > (int64_t)64 << 20)
        task = 0;
    if (own < 0 || own > (int64_t)64 << 20)
        own = 0;
    return memory_smaller_limit(own << 20, task << 20);
}

void doctor_check_memory(struct doctor *doctor)
{
    int64_t limit = told_memory(doctor);
    char text[CLOCK_TEXT_SIZE];
    struct memory_group group;
    struct error err;

    memory_group_find(&group, "");
    limit = memory_smaller_limit(limit, memory_group_limit(&group));
    memory_group_dispose(&group);
    if (limit) {
        size_format(limit, text);
        doctor_ok(doctor, "limit", "%s: builds are ended before it is reached", text);
        return;
    }
    limit = memory_of_machine("");
    size_format(limit, text);
    if (!doctor->contained) {
        doctor_ok(doctor, "limit", "none but the machine's %s", text);
        return;
    }
    error_set(&err, CLASS_PLATFORM, "no-memory-limit", "no limit can be seen but the machine's %s", text);
    error_hint(&err, "give the task or the container a memory limit, so that a build can be ended before the kernel "
                     "chooses whom to kill");
    doctor_warn(doctor, "limit", &err);
}

/* ---- the workspace ---- */

/* Without a name: nobody can stand in its way, and nothing of it stays. */
static int try_to_write(const char *folder, struct error *err)
{
    CLEANUP_FREE char *path = xasprintf("%s/caisson-doctor-XXXXXX", folder);
    int fd = mkostemp(path, O_CLOEXEC);

    if (fd < 0) {
        error_set_errno(err, CLASS_INTERNAL, "workspace-failed", errno, "no file can be made there");
        return error_hint(err, "mount a volume that may be written to there, or name another folder by --workspace");
    }
    unlink(path);
    close(fd);
    return 0;
}

static void judge_room(struct doctor *doctor, const char *folder)
{
    struct statvfs room = {0};
    struct statfs kind = {0};
    char text[CLOCK_TEXT_SIZE];
    struct error err;
    int64_t free_bytes;
    bool in_memory;

    if (statvfs(folder, &room) || statfs(folder, &kind))
        return;
    free_bytes = (int64_t)room.f_bavail * (int64_t)room.f_frsize;
    in_memory = (unsigned long)kind.f_type == TMPFS;
    size_format(free_bytes, text);
    if (room.f_flag & ST_NOEXEC) {
        error_set(&err, CLASS_PLATFORM, "workspace-noexec", "no program can be run there (it is mounted noexec)");
        error_hint(&err, "mount it without noexec, or name another folder by --workspace");
        doctor_fail(doctor, folder, &err);
    } else if (free_bytes < ROOM_BYTES) {
        error_set(&err, CLASS_DISK_FULL, "little-room", "only %s are free", text);
        error_hint(&err, "give the task more ephemeralStorage, or name another folder by --workspace");
        doctor_warn(doctor, folder, &err);
    } else if (in_memory && doctor->contained) {
        error_set(&err, CLASS_PLATFORM, "workspace-in-memory",
                  "a file system in memory: what builds write counts as memory");
        error_hint(&err, "use a volume of the task's own storage, as taskdefs/ do");
        doctor_warn(doctor, folder, &err);
    } else {
        doctor_ok(doctor, folder, "may be written to, %s free%s", text, in_memory ? ", in memory" : "");
    }
}

void doctor_check_workspace(struct doctor *doctor)
{
    const char *folder = executors_workspace(&doctor->setup);
    int code = workspace_parent_make(folder);
    struct error err;

    if (code)
        error_set_errno(&err, CLASS_INTERNAL, "workspace-failed", -code, "the folder cannot be made");
    if (code || try_to_write(folder, &err))
        doctor_fail(doctor, folder, &err);
    else
        judge_room(doctor, folder);
}

/* ---- the CA bundle ---- */

static size_t count_certificates(const char *text)
{
    size_t found = 0;

    for (text = strstr(text, CERTIFICATE); text; text = strstr(text + 1, CERTIFICATE))
        found++;
    return found;
}

void doctor_check_ca(struct doctor *doctor)
{
    const char *bundle = http_client_ca_bundle(doctor->setup.client);
    struct error err;
    struct buf text;
    size_t found;
    int code;

    if (!bundle) {
        error_set(&err, CLASS_PLATFORM, "no-ca-bundle", "no bundle of certificate authorities was found");
        error_hint(&err, "install ca-certificates in the image, or pin one in the operator's file (pins: ca_bundle)");
        doctor_fail(doctor, "CA bundle", &err);
        return;
    }
    buf_init(&text, BUNDLE_MAX);
    code = fs_read_file(bundle, BUNDLE_MAX, &text);
    found = code ? 0 : count_certificates(buf_text(&text));
    buf_dispose(&text);
    if (found) {
        doctor_ok(doctor, bundle, "%zu certificates", found);
        return;
    }
    if (code)
        error_set_errno(&err, CLASS_PLATFORM, "no-ca-bundle", -code, "reading it");
    else
        error_set(&err, CLASS_PLATFORM, "no-ca-bundle", "it holds no certificate");
    error_hint(&err, "every https request needs it: name a PEM file that can be read");
    doctor_fail(doctor, bundle, &err);
}

/* ---- programs ---- */

static bool is_in_path(const char *path, const char *program)
{
    while (*path) {
        size_t len = strcspn(path, ":");
        CLEANUP_FREE char *file = xasprintf("%.*s/%s", (int)len, path, program);

        if (len && access(file, X_OK) == 0)
            return true;
        path += len + (path[len] == ':');
    }
    return false;
}

static const char *search_path(const struct doctor *doctor)
{
    const char *path = doctor->setup.profile ? NULL : env_get(&doctor->setup.env, "PATH");

    return path && *path ? path : COMMAND_DEFAULT_PATH;
}

static void judge_engine(struct doctor *doctor)
{
    const struct engine_place place = {
        .container = doctor->setup.pid1, .root = geteuid() == 0, .path = search_path(doctor)};
    const struct engine *engine;
    struct error err;

    if (engine_choose("auto", &place, &engine, &err) == 0)
        doctor_ok(doctor, "engine", "%s runs Dockerfiles here", engine_name(engine));
    else
        doctor_fail(doctor, "engine", &err);
}

static void judge_node(struct doctor *doctor, bool needed)
{
    static const char *const programs[] = {"node", "npm"};
    struct error err;
    size_t i;

    for (i = 0; i < ARRAY_LEN(programs); i++) {
        if (is_in_path(search_path(doctor), programs[i])) {
            doctor_ok(doctor, programs[i], "in PATH");
            continue;
        }
        error_set(&err, CLASS_INSTALL_FAILED, "program-missing", "not in PATH");
        error_hint(&err, "use a builder image with Node (builder-images/node)");
        doctor_add(doctor, programs[i], needed ? DOCTOR_FAILED : DOCTOR_WARNING, &err);
    }
}

void doctor_check_programs(struct doctor *doctor)
{
    enum builder builder = doctor->has_spec ? doctor->spec.build.builder : BUILDER_AUTO;

    if (executors_want_sandbox(&doctor->setup)) {
        doctor_skip(doctor, "programs", "those of builds are in the container %s",
                    executors_build_container(&doctor->setup));
        return;
    }
    if (builder == BUILDER_DOCKERFILE || (!doctor->has_spec && build_user_image_is_kaniko())) {
        judge_engine(doctor);
        return;
    }
    if (builder == BUILDER_NODE || builder == BUILDER_AUTO)
        judge_node(doctor, builder == BUILDER_NODE);
    if (is_in_path(search_path(doctor), "git"))
        doctor_ok(doctor, "git", "in PATH");
    else
        doctor_ok(doctor, "git", "not in PATH: caisson needs none, packages that npm takes from git do (node-full)");
}
