/* What the engine is told of the job: arguments, labels, secrets, registries. */
#include <stdlib.h>
#include <string.h>

#include "core/clock.h"
#include "core/mem.h"
#include "core/redact_encode.h"
#include "job/image.h"
#include "job/secret_files.h"
#include "oci/reference.h"

#define CONFIG_NAME "config.json" /* no secret can be called that */
#define CONFIG_MAX (64 * 1024)
#define DOCKER_HUB "docker.io"
#define DOCKER_HUB_KEY "https://index.docker.io/v1/" /* as docker's own configuration calls it */

/* ---- labels ---- */

static void add_label(struct image_request *request, const char *name, const char *value)
{
    struct engine_request *engine = &request->engine;

    if (!value || !*value)
        return;
    request->labels[engine->labels_len++] = (struct engine_pair){name, value};
}

static const char *version_of(const struct job *job)
{
    static const char tags[] = "refs/tags/";
    const char *ref = job->result->ref;

    if (ref && strncmp(ref, tags, sizeof tags - 1) == 0)
        return ref + sizeof tags - 1;
    return job->spec.image.tags.len ? job->spec.image.tags.items[0] : NULL;
}

/* Of the commit, and not of now: the same commit gives the same image, and pushing it again changes nothing. */
static void add_labels(struct image_request *request, const struct job *job)
{
    char created[CLOCK_TEXT_SIZE];
    int64_t created_ms = job->commit_time_ms > 0 ? job->commit_time_ms : job->result->started_ms;

    clock_format(created_ms - created_ms % 1000, created);
    strings_add(&request->owned, created);
    request->labels = xcalloc(4, sizeof *request->labels);
    add_label(request, "org.opencontainers.image.revision", job->result->commit);
    add_label(request, "org.opencontainers.image.source", job->result->repository);
    add_label(request, "org.opencontainers.image.created", request->owned.items[request->owned.len - 1]);
    add_label(request, "org.opencontainers.image.version", version_of(job));
    request->engine.labels = request->labels;
    request->engine.created_s = created_ms / 1000;
}

/* ---- registries ---- */

static void add_insecure(struct image_request *request, const char *text)
{
    size_t len = strcspn(text, "/@");
    CLEANUP_FREE char *registry = xstrndup(text, len);

    if (oci_registry_is_loopback(registry) && !strings_has(&request->insecure, registry))
        strings_add(&request->insecure, registry);
}

/* COPY --from=localhost:5000/image, RUN --mount=…,from=…; what merely looks so does no harm: it is this machine's. */
static void add_sources(struct image_request *request, const char *instruction)
{
    const char *at = instruction;

    while ((at = strstr(at, "from="))) {
        size_t len = strcspn(at + 5, ", \t\"");
        CLEANUP_FREE char *image = xstrndup(at + 5, len);

        if (strchr(image, '/'))
            add_insecure(request, image);
        at += 5;
    }
}

/* Plain http: loopback, and the registry of the image itself when the spec says that it is such a one. */
static void add_registries(struct image_request *request, const struct job *job)
{
    const struct spec *spec = &job->spec;
    const struct dockerfile *parsed = &job->context.parsed;
    struct oci_repository repository;
    size_t i;

    for (i = 0; i < parsed->stages_len; i++)
        if (parsed->stages[i].base && strchr(parsed->stages[i].base, '/'))
            add_insecure(request, parsed->stages[i].base);
    for (i = 0; i < parsed->instructions_len; i++)
        add_sources(request, parsed->instructions[i].text);
    for (i = 0; i < spec->image.mirrors.len; i++)
        add_insecure(request, spec->image.mirrors.items[i].value);
    if (spec->image.insecure && spec->image.repository && !image_local_folder(job) &&
        oci_repository_parse(spec->image.repository, &repository, NULL) == 0) {
        if (!strings_has(&request->insecure, repository.registry))
            strings_add(&request->insecure, repository.registry);
        oci_repository_dispose(&repository);
    }
    request->engine.insecure = &request->insecure;
}

/* ---- all of it ---- */

static struct engine_pair *pairs_of(const struct spec_pairs *pairs)
{
    struct engine_pair *copy = xcalloc(pairs->len + 1, sizeof *copy);
    size_t i;

    for (i = 0; i < pairs->len; i++)
        copy[i] = (struct engine_pair){pairs->items[i].name, pairs->items[i].value};
    return copy;
}

static const char *own(struct image_request *request, char *text)
{
    strings_take(&request->owned, text);
    return text;
}

static const char *secret_value(const struct job *job, const char *name)
{
    size_t i;

    for (i = 0; i < job->spec.secrets_len; i++)
        if (strcmp(job->spec.secrets[i].name, name) == 0)
            return job_secret_for(job, &job->spec.secrets[i], "build");
    return NULL;
}

static void add_secrets(struct image_request *request, const struct job *job)
{
    const struct strings *names = &job->spec.build.secrets;
    size_t i;

    request->secrets = xcalloc(names->len + 1, sizeof *request->secrets);
    for (i = 0; i < names->len; i++)
        if (secret_value(job, names->items[i]))
            request->secrets[request->engine.secrets_len++] =
                (struct engine_secret){names->items[i], own(request, secret_file_path(job, names->items[i]))};
    request->engine.secrets = request->secrets;
    if (job->pull_password)
        request->engine.pull_auth = own(request, secret_file_path(job, "."));
}

void image_request_init(struct image_request *request, const struct job *job)
{
    const struct platform *platform = job->options->platform;
    const struct spec *spec = &job->spec;
    struct engine_request *engine = &request->engine;

    memset(request, 0, sizeof *request);
    engine->context = job->context.folder_path;
    engine->dockerfile = job->context.dockerfile_path;
    engine->ignore = job->context.ignore_path;
    engine->target = spec->build.target;
    engine->platform = spec->build.platform;
    engine->args = request->args = pairs_of(&spec->build.args);
    engine->args_len = spec->build.args.len;
    engine->mirrors = request->mirrors = pairs_of(&spec->image.mirrors);
    engine->mirrors_len = spec->image.mirrors.len;
    add_secrets(request, job);
    add_labels(request, job);
    add_registries(request, job);
    /* A copy: Kaniko clears away the original's folder, and the sandbox has another one at that path. */
    if (platform->ca_bundle)
        engine->ca_bundle = own(request, xasprintf("%s/" PREPARED_FOLDER "/" PREPARED_BUNDLE, job->workspace));
    engine->proxy = platform->proxy;
    engine->http_proxy = platform->http_proxy;
    engine->no_proxy = platform->no_proxy;
    engine->cache = job->cache_folder;
    engine->layout = own(request, xasprintf("%s/" IMAGE_FOLDER "/" IMAGE_LAYOUT, job->workspace));
    engine->scratch = own(request, xasprintf("%s/" IMAGE_FOLDER "/" IMAGE_SCRATCH, job->workspace));
    engine->workspace = job->workspace;
}

void image_request_dispose(struct image_request *request)
{
    free(request->args);
    free(request->labels);
    free(request->mirrors);
    free(request->secrets);
    strings_dispose(&request->owned);
    strings_dispose(&request->insecure);
    memset(request, 0, sizeof *request);
}

/* ---- secret files ---- */

static char *docker_config(const struct job *job)
{
    const char *registry = job->spec.image.pull_auth.registry;
    const char *username = job->pull_username ? job->pull_username : "";
    json_t *document;
    struct buf pair, auth;
    char *text;

    if (!registry || strcmp(registry, DOCKER_HUB) == 0)
        registry = DOCKER_HUB_KEY;
    buf_init(&pair, CONFIG_MAX);
    buf_init(&auth, CONFIG_MAX * 2);
    buf_addf(&pair, "%s:%s", username, job->pull_password);
    encode_base64(&auth, (struct view){buf_text(&pair), pair.len}, base64_standard);
    while (auth.len % 4)
        buf_addc(&auth, '=');
    document = json_pack("{s:{s:{s:s}}}", "auths", registry, "auth", buf_text(&auth));
    text = document ? json_dumps(document, JSON_COMPACT) : NULL;
    json_decref(document);
    buf_wipe(&pair);
    buf_wipe(&auth);
    return text;
}

void image_secret_texts(struct secret_texts *texts, const struct job *job)
{
    const struct strings *names = &job->spec.build.secrets;
    size_t i;

    *texts = (struct secret_texts){.items = xcalloc(names->len + 2, sizeof *texts->items)};
    for (i = 0; i < names->len; i++) {
        const char *value = secret_value(job, names->items[i]);

        if (value)
            texts->items[texts->len++] = (struct secret_text){names->items[i], value};
    }
    if (!job->pull_password || !(texts->config = docker_config(job)))
        return;
    texts->items[texts->len++] = (struct secret_text){CONFIG_NAME, texts->config};
}

void image_secret_texts_dispose(struct secret_texts *texts)
{
    free(texts->items);
    wipe_free(texts->config);
    *texts = (struct secret_texts){0};
}
