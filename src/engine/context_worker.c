#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/fs.h"
#include "core/json.h"
#include "core/mem.h"
#include "engine/context.h"
#include "engine/ignore.h"
#include "engine/template.h"

#define IGNORE_NAME ".dockerignore"
#define IGNORE_MAX ((size_t)1 << 20)

/* What the child has found so far. */
struct preparation {
    struct worker *worker;
    const json_t *request;
    int repository_fd;
    int folder_fd; /* of the context */
    char *folder;
    char *dockerfile; /* NULL: it is missing, or the template is taken anyway */
    const char *template;
    char *ignore;
    bool ignore_written;
    struct dockerfile parsed;
};

/* ---- paths ---- */

/* A path of the spec, relative to the repository: no "." and no empty parts, "." for the repository itself. NULL when
 * it has a "..". */
static char *locate(const char *directory, const char *path)
{
    CLEANUP_FREE char *whole = xasprintf("%s/%s", path[0] == '/' ? "" : directory, path);
    const char *at = whole;
    struct buf out;

    buf_init(&out, strlen(whole) + 1);
    while (*at) {
        size_t len = strcspn(at, "/");

        if (len == 2 && memcmp(at, "..", 2) == 0) {
            buf_dispose(&out);
            return NULL;
        }
        if (len && !(len == 1 && at[0] == '.'))
            buf_addf(&out, "%s%.*s", out.len ? "/" : "", (int)len, at);
        at += len + (at[len] == '/');
    }
    if (!out.len)
        buf_addc(&out, '.');
    return buf_take(&out);
}

static int refuse_outside(const char *what, const char *path, const char *why, struct error *err)
{
    error_set(err, CLASS_CONTENT_REFUSED, "path-outside", "the %s, %s, %s", what, path, why);
    return error_hint(err, "name a path within the repository; one with a leading slash begins at its root");
}

/* Follows links that stay in the repository. 0 and *resolved, which is NULL when nothing is there. */
static int resolve(const struct preparation *p, const char *what, const char *path, char **resolved, struct error *err)
{
    int status = fs_resolve_beneath(p->repository_fd, path, resolved);

    if (status == 0)
        return 0;
    *resolved = NULL;
    if (status == -ENOENT || status == -ENOTDIR)
        return 0;
    if (status == -EXDEV)
        return refuse_outside(what, path, "is or passes a link that leads out of the repository", err);
    if (status == -ELOOP)
        return refuse_outside(what, path, "passes links without end", err);
    return error_set_errno(err, CLASS_CONTENT_REFUSED, "dockerfile-refused", -status, "looking for the %s, %s", what,
                           path);
}

static int find(const struct preparation *p, const char *what, const char *path, char **resolved, struct error *err)
{
    CLEANUP_FREE char *located = locate(json_text(p->request, "directory", "."), path);

    if (!located)
        return refuse_outside(what, path, "has a \"..\"", err);
    return resolve(p, what, located, resolved, err);
}

static int find_context(struct preparation *p, struct error *err)
{
    const char *path = json_text(p->request, "context", ".");

    if (find(p, "context", path, &p->folder, err))
        return -1;
    if (p->folder)
        p->folder_fd = fs_open_beneath(p->repository_fd, p->folder, O_RDONLY | O_DIRECTORY, 0);
    if (p->folder_fd >= 0)
        return 0;
    error_set(err, CLASS_BUILD_FAILED, "context-missing", "the repository has no folder %s for the build's context",
              path);
    return error_hint(err, "check build.context: it is relative to source.directory, and with a leading slash to the "
                           "repository");
}

/* ---- the Dockerfile ---- */

/* A file of the tree that the engine will read too. */
static int read_file(const struct preparation *p, const char *path, size_t max, struct buf *text, struct error *err)
{
    int status = fs_read_at(p->repository_fd, path, max, text);

    if (status == 0)
        return 0;
    if (status == -EINVAL)
        return error_set(err, CLASS_CONTENT_REFUSED, "dockerfile-refused", "%s is not a regular file", path);
    if (status == -EFBIG)
        return error_set(err, CLASS_BUILD_FAILED, "dockerfile-invalid", "%s is larger than 1 MiB", path);
    return error_set_errno(err, CLASS_CONTENT_REFUSED, "dockerfile-refused", -status, "reading %s", path);
}

static int parse_own(struct preparation *p, struct error *err)
{
    struct buf text;
    int status;

    buf_init(&text, DOCKERFILE_MAX);
    status = read_file(p, p->dockerfile, DOCKERFILE_MAX, &text, err);
    if (status == 0 && dockerfile_parse((struct view){text.data, text.len}, &p->parsed, err))
        status = error_context(err, "%s", p->dockerfile);
    buf_dispose(&text);
    return status;
}

/* "node18, node20": caller disposes. */
static void list_templates(struct buf *out)
{
    struct strings names = {0};
    size_t i;

    build_templates(&names);
    buf_init(out, 512);
    for (i = 0; i < names.len; i++)
        buf_addf(out, "%s%s", i ? ", " : "", names.items[i]);
    strings_dispose(&names);
}

static int refuse_missing(const char *path, struct error *err)
{
    struct buf list;

    list_templates(&list);
    error_set(err, CLASS_BUILD_FAILED, "dockerfile-missing", "the repository has no %s", path);
    error_hint(err, "add one, say where it is with build.dockerfile, or let build.template name one of ours: %s",
               buf_text(&list));
    buf_dispose(&list);
    return -1;
}

static int refuse_template(const char *name, struct error *err)
{
    struct buf list;

    list_templates(&list);
    error_set(err, CLASS_SPEC_INVALID, "unknown-template", "there is no template %s", name);
    error_hint(err, "build.template may be one of %s", buf_text(&list));
    buf_dispose(&list);
    return -1;
}

/* A path beneath the context's folder. Caller frees. */
static char *in_context(const struct preparation *p, const char *name)
{
    return strcmp(p->folder, ".") == 0 ? xstrdup(name) : xasprintf("%s/%s", p->folder, name);
}

/* All templates are for Node. */
static int take_template(struct preparation *p, const char *name, struct error *err)
{
    CLEANUP_FREE char *usual = in_context(p, "package.json");
    CLEANUP_FREE char *package = NULL;
    struct view text;

    if (build_template_find(name, &text))
        return refuse_template(name, err);
    if (resolve(p, "file", usual, &package, err))
        return -1;
    if (!package) {
        error_set(err, CLASS_BUILD_FAILED, "no-package-json",
                  "the template %s is for projects with a package.json, and there is no %s", name, usual);
        return error_hint(err, "set source.directory or build.context to the project's folder, or add a Dockerfile");
    }
    p->template = name;
    return dockerfile_parse(text, &p->parsed, err);
}

static int find_dockerfile(struct preparation *p, struct error *err)
{
    const char *template = json_text(p->request, "template", NULL);
    const char *path = json_text(p->request, "dockerfile", NULL);
    CLEANUP_FREE char *usual = in_context(p, "Dockerfile");

    if (!template || !json_flag(p->request, "always", false)) {
        if (path ? find(p, "Dockerfile", path, &p->dockerfile, err)
                 : resolve(p, "Dockerfile", usual, &p->dockerfile, err))
            return -1;
        if (p->dockerfile)
            return parse_own(p, err);
    }
    return template ? take_template(p, template, err) : refuse_missing(path ? path : usual, err);
}

static int check_target(const struct preparation *p, struct error *err)
{
    const char *target = json_text(p->request, "target", NULL);
    struct buf names;
    size_t i;

    if (!target || dockerfile_find_stage(&p->parsed, target) >= 0)
        return 0;
    buf_init(&names, 600);
    for (i = 0; i < p->parsed.stages_len; i++)
        if (p->parsed.stages[i].name)
            buf_addf(&names, "%s%s", names.len ? ", " : "", p->parsed.stages[i].name);
    error_set(err, CLASS_BUILD_FAILED, "target-missing", "the Dockerfile has no stage %s", target);
    if (names.len)
        error_hint(err, "build.target may be one of its stages: %s", buf_text(&names));
    else
        error_hint(err, "leave build.target out: none of the Dockerfile's stages has a name");
    buf_dispose(&names);
    return -1;
}

/* ---- the ignore file ---- */

static int write_ignore(struct preparation *p, struct error *err)
{
    bool dotenv = json_flag(p->request, "dotenv", false);
    struct strings names = {0};
    struct buf text;
    size_t i;
    int status;

    buf_init(&text, 4096);
    ignore_text(dotenv, &text);
    status = fs_write_at(p->folder_fd, IGNORE_NAME, text.data, text.len, 0644, (uid_t)-1, (gid_t)-1);
    buf_dispose(&text);
    if (status)
        return error_set_errno(err, status == -ENOSPC ? CLASS_DISK_FULL : CLASS_INTERNAL, "dockerignore-failed",
                               -status, "writing " IGNORE_NAME);
    p->ignore_written = true;
    ignore_left_out(p->folder_fd, dotenv, &names);
    for (i = 0; i < names.len; i++)
        worker_warning(p->worker,
                       "%s is not in the build's context; put a " IGNORE_NAME " into the repository to keep it",
                       names.items[i]);
    strings_dispose(&names);
    return 0;
}

/* One that is there is the user's word; we only see that the engine may read it. */
static int take_ignore(struct preparation *p, struct error *err)
{
    struct buf text;
    int status;

    buf_init(&text, IGNORE_MAX);
    status = read_file(p, p->ignore, IGNORE_MAX, &text, err);
    if (status == 0 && json_flag(p->request, "dotenv", false) &&
        ignore_names_dotenv((struct view){buf_text(&text), text.len}))
        worker_warning(p->worker, "%s leaves out .env, which build.dotenv writes for the build", p->ignore);
    buf_dispose(&text);
    return status;
}

/* A Dockerfile's own goes before the context's. */
static int find_ignore(struct preparation *p, struct error *err)
{
    CLEANUP_FREE char *own = p->dockerfile ? xasprintf("%s" IGNORE_NAME, p->dockerfile) : NULL;
    CLEANUP_FREE char *usual = in_context(p, IGNORE_NAME);
    struct stat st;

    if (own && resolve(p, "ignore file", own, &p->ignore, err))
        return -1;
    if (!p->ignore && resolve(p, "ignore file", usual, &p->ignore, err))
        return -1;
    if (p->ignore)
        return take_ignore(p, err);
    if (fstatat(p->folder_fd, IGNORE_NAME, &st, AT_SYMLINK_NOFOLLOW) == 0)
        return error_set(err, CLASS_CONTENT_REFUSED, "dockerfile-refused", "%s is a link to nothing", usual);
    p->ignore = xstrdup(usual);
    return write_ignore(p, err);
}

/* ---- the entry ---- */

static json_t *answer(const struct preparation *p)
{
    json_t *json = json_object();

    json_put_text(json, "folder", p->folder);
    json_put_text(json, "dockerfile", p->dockerfile);
    json_put_text(json, "template", p->template);
    json_put_text(json, "ignore", p->ignore);
    json_object_set_new(json, "ignore_written", json_boolean(p->ignore_written));
    json_object_set_new(json, "parsed", dockerfile_to_json(&p->parsed));
    return json;
}

static json_t *run(struct worker *worker, const json_t *request, struct error *err)
{
    const char *source = json_text(request, "source", "");
    struct preparation p = {.worker = worker, .request = request, .folder_fd = -1};
    json_t *value = NULL;

    p.repository_fd = open(source, O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (p.repository_fd < 0) {
        error_set_errno(err, CLASS_INTERNAL, "source-missing", errno, "opening the checkout %s", source);
        return NULL;
    }
    if (find_context(&p, err) == 0 && find_dockerfile(&p, err) == 0 && check_target(&p, err) == 0 &&
        find_ignore(&p, err) == 0)
        value = answer(&p);
    dockerfile_dispose(&p.parsed);
    free(p.folder);
    free(p.dockerfile);
    free(p.ignore);
    if (p.folder_fd >= 0)
        close(p.folder_fd);
    close(p.repository_fd);
    return value;
}

const struct worker_entry build_context_worker = {.name = "context", .run = run};
