#include "engine/engine.h"

#include <stddef.h>
#include <string.h>
#include <strings.h>

#include "core/mem.h"
#include "engine/engine_internal.h"

/* In order of preference. A new engine is one file and one word here. */
static const struct engine *const engines[] = {&engine_kaniko, &engine_buildah};

const struct engine *engine_at(size_t index)
{
    return index < ARRAY_LEN(engines) ? engines[index] : NULL;
}

const struct engine *engine_find(const char *name)
{
    size_t i;

    for (i = 0; i < ARRAY_LEN(engines); i++)
        if (strcmp(engines[i]->name, name) == 0)
            return engines[i];
    return NULL;
}

const char *engine_name(const struct engine *engine)
{
    return engine->name;
}

static int choose_any(const struct engine_place *place, const struct engine **engine, struct error *err)
{
    struct error why[ARRAY_LEN(engines)] = {0};
    struct buf reasons;
    size_t i;

    for (i = 0; i < ARRAY_LEN(engines); i++)
        if (engines[i]->check(place, &why[i]) == 0) {
            *engine = engines[i];
            return 0;
        }
    buf_init(&reasons, sizeof err->message);
    for (i = 0; i < ARRAY_LEN(engines); i++)
        buf_addf(&reasons, "%s%s", i ? "; " : "", why[i].message);
    error_set(err, CLASS_USAGE, "engine-missing", "nothing here can build a Dockerfile: %s", buf_text(&reasons));
    buf_dispose(&reasons);
    if (place->container || place->sandbox)
        return error_hint(err, "run the job in the builder image kaniko");
    return error_hint(err, "install buildah (Debian: apt install buildah), or run the job in the builder image kaniko");
}

int engine_choose(const char *name, const struct engine_place *place, const struct engine **engine, struct error *err)
{
    const struct engine *found;

    if (strcmp(name, "auto") == 0)
        return choose_any(place, engine, err);
    found = engine_find(name);
    if (!found) {
        error_set(err, CLASS_USAGE, "engine-unknown", "there is no engine \"%s\"", name);
        return error_hint(err, "use one of: auto, kaniko, buildah");
    }
    if (found->check(place, err) < 0)
        return -1;
    *engine = found;
    return 0;
}

int engine_command(const struct engine *engine, const struct engine_request *request, struct command *command,
                   struct error *err)
{
    return engine->command(request, command, err);
}

/*
 * What engines, the Go runtime and the libraries that they are made of read from their environment, as prefixes and
 * whole names. A build arg of such a name is for the build, so it must not reach the engine as a variable.
 */
static const char *const steering_prefixes[] = {
    "_BUILDAH_",  "_CONTAINERS_", "AWS_",      "AZURE_", "BUILDAH_", "CAISSON_", "CONTAINER",   "DEBUG_", "DOCKER_",
    "FF_KANIKO_", "GCP_",         "GIT_",      "GO",     "GRPC_",    "KANIKO_",  "KUBERNETES_", "LC_",    "LD_",
    "MALLOC_",    "OTEL_",        "REGISTRY_", "S3_",    "SSH_",     "SSL_",     "STORAGE_",    "XDG_",
};
static const char *const steering_names[] = {
    /* Engines, Go. */
    "ALL_PROXY",
    "BUILDER_OUTPUT",
    "CLICOLOR",
    "CLICOLOR_FORCE",
    "FTP_PROXY",
    "HOME",
    "HOSTALIASES",
    "HOSTNAME",
    "HTTPS_PROXY",
    "HTTP_PROXY",
    "LANG",
    "LOCALDOMAIN",
    "LOGNAME",
    "MOBY_DISABLE_PIGZ",
    "NAMESPACE",
    "NETRC",
    "NO_COLOR",
    "NO_PROXY",
    "PATH",
    "REQUEST_METHOD",
    "RES_OPTIONS",
    "SNAPSHOT_TIMEOUT_DURATION",
    "SOURCE_DATE_EPOCH",
    "TERM",
    "TMPDIR",
    "TRACEPARENT",
    "TZ",
    "TZDIR",
    "UPSTREAM_CLIENT_TYPE",
    "USER",
    "ZONEINFO",
    /* The shell that starts buildah. */
    "CDPATH",
    "ENV",
    "IFS",
    "OLDPWD",
    "OPTARG",
    "OPTIND",
    "PPID",
    "PS1",
    "PS2",
    "PS4",
    "PWD",
    "SHELL",
    "_",
};

bool engine_steers(const char *name)
{
    size_t i;

    for (i = 0; i < ARRAY_LEN(steering_prefixes); i++)
        if (strncasecmp(name, steering_prefixes[i], strlen(steering_prefixes[i])) == 0)
            return true;
    for (i = 0; i < ARRAY_LEN(steering_names); i++)
        if (strcasecmp(name, steering_names[i]) == 0)
            return true;
    return false;
}

void engine_add_proxies(const struct engine_request *request, struct strings *env)
{
    if (request->proxy)
        env_set(env, "HTTPS_PROXY", request->proxy);
    if (request->http_proxy)
        env_set(env, "HTTP_PROXY", request->http_proxy);
    if (request->no_proxy)
        env_set(env, "NO_PROXY", request->no_proxy);
}

void engine_add_args(const struct engine_request *request, const char *flag, struct command *command)
{
    size_t i;

    for (i = 0; i < request->args_len; i++) {
        const struct engine_pair *arg = &request->args[i];

        /* An empty value is told in argv: an engine takes an empty variable for one that is not set. */
        if (!*arg->value || engine_steers(arg->name) || env_get(&command->env, arg->name))
            strings_addf(&command->argv, "%s=%s=%s", flag, arg->name, arg->value);
        else {
            strings_addf(&command->argv, "%s=%s", flag, arg->name);
            env_set(&command->env, arg->name, arg->value);
        }
    }
}

int engine_check_listed(const char *what, const char *text, struct error *err)
{
    if (!text[strcspn(text, ",\"\r\n")])
        return 0;
    error_set(err, CLASS_SPEC_INVALID, "engine-argument",
              "%s \"%s\" has a comma, a quote or a line end, which the engine "
              "takes for the end of it",
              what, text);
    return error_hint(err, "use another name");
}

int engine_check_secret_id(const char *id, struct error *err)
{
    static const char good[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_.-";

    if (*id && *id != '.' && !id[strspn(id, good)])
        return 0;
    error_set(err, CLASS_SPEC_INVALID, "engine-argument", "\"%s\" cannot be the id of a build secret", id);
    return error_hint(err, "use letters, digits, \"_\", \"-\" and \".\"");
}
