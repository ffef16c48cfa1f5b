#include "spec/table.h"

#include <string.h>

const char *const secret_steps[] = {"install", "build", "test", NULL};
const char *const secret_deliveries[] = {"env", "file", "npmrc", NULL};

static const char *const types[] = {"build", "test", NULL};

static const struct rule timeouts_rules[] = {
    {.name = "checkout", .type = TYPE_DURATION, .fallback = "2m", .doc = "Getting the source, all attempts together."},
    {.name = "install", .type = TYPE_DURATION, .fallback = "10m", .doc = "The install command, all attempts together."},
    {.name = "build",
     .type = TYPE_DURATION,
     .fallback = "20m",
     .doc = "The build command, each of `commands`, or the build of the image."},
    {.name = "test", .type = TYPE_DURATION, .fallback = "20m", .doc = "The test command."},
    {.name = "publish", .type = TYPE_DURATION, .fallback = "10m", .doc = "Publishing, up to its point of no return."},
    {.name = "idle",
     .type = TYPE_DURATION,
     .fallback = "10m",
     .doc = "How long a command may go on without any output."},
    {0},
};

static const struct rule retry_rules[] = {
    {.name = "max_attempts", .type = TYPE_INT, .fallback = "3", .min = 1, .max = 10, .doc = "1: no retries."},
    {.name = "backoff",
     .type = TYPE_DURATION,
     .fallback = "2s",
     .doc = "The pause before the second attempt; it doubles with each, with jitter."},
    {0},
};

const struct rule spec_rules[] = {
    {.name = "version",
     .type = TYPE_INT,
     .min = 1,
     .max = 1,
     .required = true,
     .doc = "The version of this format. A spec that is valid for a version stays valid for it.",
     .example = "1"},
    {.name = "type",
     .type = TYPE_ENUM,
     .values = types,
     .fallback = "build",
     .doc = "`build` installs, builds and publishes; `test` installs, builds and tests, and publishes nothing. Of an "
            "image `test` builds all and pushes nothing."},
    {.name = "id",
     .type = TYPE_TEXT,
     .check = check_id,
     .pattern = "^[A-Za-z0-9][A-Za-z0-9._-]{0,127}$",
     .fallback_doc = "the ECS task's id, else a new one",
     .doc = "The job's id. A job with the same id may publish again: it is a retry.",
     .example = "abc123"},
    {.name = "project",
     .type = TYPE_TEXT,
     .check = check_id,
     .pattern = "^[A-Za-z0-9][A-Za-z0-9._-]{0,127}$",
     .fallback_doc = "the repository's name",
     .doc = "What the job belongs to.",
     .example = "shop"},
    {.name = "labels",
     .type = TYPE_TEXT_MAP,
     .check = check_label,
     .check_name = check_label_name,
     .max = 64,
     .doc = "Opaque pairs, echoed in the result and in every event.",
     .example = "{ serviceId: s1 }"},
    {.name = "created_at",
     .type = TYPE_TIMESTAMP,
     .fallback_doc = "the job's start",
     .doc = "When the job was made (RFC 3339). It orders publishes: an older job that ends later is superseded. Not "
            "more than 5 minutes in the future.",
     .example = "2026-01-09T12:00:00Z"},
    {.name = "source", .type = TYPE_OBJECT, .children = source_rules, .required = true, .doc = "What is built."},
    {.name = "env",
     .type = TYPE_TEXT_MAP,
     .check = check_env_value,
     .check_name = check_env_name,
     .max = 1000,
     .doc = "Environment variables of the install, build and test commands. Some names are reserved (below). A "
            "Dockerfile gets them by `build.dotenv` alone; what its RUN gets is `build.args`.",
     .example = "{ NODE_ENV: production }"},
    {.name = "secrets",
     .type = TYPE_SECRET_MAP,
     .check_name = check_env_name,
     .max = 100,
     .doc = "Values that are kept out of logs, results and the published files, and how the build gets them (below).",
     .example = "{ NPM_TOKEN: { ssm: /shop/npm, steps: [install] } }"},
    {.name = "build",
     .type = TYPE_OBJECT,
     .children = build_rules,
     .doc = "How it is built. Without it everything is detected."},
    {.name = "image",
     .type = TYPE_OBJECT,
     .children = image_rules,
     .builders = FOR_DOCKERFILE,
     .when_given = true,
     .doc = "The container image that is built, and where it is pushed to. With it the builder is `dockerfile`."},
    {.name = "artifacts",
     .type = TYPE_OBJECT_LIST,
     .children = artifact_rules,
     .max = 20,
     .builders = FOR_OTHERS,
     .fallback_doc = "`[{ to: \"file:out/\" }]`, but as PID 1 it must be given when the type is `build`",
     .doc = "What is published where. A job of type `test` publishes nothing."},
    {.name = "cache",
     .type = TYPE_OBJECT_LIST,
     .children = cache_rules,
     .max = 1,
     .builders = FOR_DOCKERFILE,
     .doc = "Where the layers of the build are kept from job to job. Nothing is, unless it is given. A cache that "
            "cannot be read or written is a warning in the log."},
    {.name = "timeout", .type = TYPE_DURATION, .fallback = "30m", .doc = "The whole job."},
    {.name = "timeouts", .type = TYPE_OBJECT, .children = timeouts_rules, .doc = "Single steps of the job."},
    {.name = "limits",
     .type = TYPE_OBJECT,
     .children = limits_rules,
     .doc = "What a job may use. A build that passes a limit is ended, and the result says which."},
    {.name = "retry",
     .type = TYPE_OBJECT,
     .children = retry_rules,
     .doc =
         "Steps that fail by something that can pass by itself (a lost connection, a server's 503) are tried again."},
    {.name = "control",
     .type = TYPE_TEXT,
     .check = check_control,
     .variables = VARIABLES_EARLY,
     .private = true,
     .pattern = "^(s3|[Hh][Tt][Tt][Pp][Ss])://",
     .doc = "Where a request to cancel is looked for while the job runs: `s3://bucket/key` or an `https://` URL, one a "
            "job (below).",
     .example = "s3://bucket/jobs/${project}/${id}/control"},
    {.name = "cancel",
     .type = TYPE_OBJECT_LIST,
     .children = cancel_rules,
     .max = 1,
     .doc = "A channel of Redis where requests to cancel are published, of many jobs (below)."},
    {.name = "result",
     .type = TYPE_TEXT,
     .check = check_object,
     .variables = VARIABLES_EARLY,
     .pattern = "^(s3://|file:)",
     .doc = "Where the result document is written: `s3://bucket/key` or `file:path`.",
     .example = "s3://bucket/jobs/${project}/${id}/result.json"},
    {.name = "log",
     .type = TYPE_TEXT,
     .check = check_object,
     .variables = VARIABLES_EARLY,
     .pattern = "^(s3://|file:)",
     .doc =
         "Where the whole log is written at the end: `s3://bucket/key` or `file:path`. A name that ends in `.gz` or "
         "`.zst` is compressed. "
         "Beside it, at the same name and `.index.json`, lies an index: where steps and times are in it. "
         "`caisson logs` reads both: the whole, or with `--step`, `--tail` and `--since` no more of it than is wanted.",
     .example = "s3://bucket/jobs/${project}/${id}/log.gz"},
    {.name = "notify",
     .type = TYPE_OBJECT_LIST,
     .children = notify_rules,
     .max = 20,
     .doc = "Who is told about the job's progress and end. What cannot be told is named in the log and the result, and "
            "fails no job.",
     .example = "[{ http: \"https://ci.example.com/hook\", secret: { ssm: /hook }, events: [status, log] }]"},
    {0},
};

const struct rule *rule_first(const struct rule *rules)
{
    while (rules && !rules->name)
        rules = rules->children;
    return rules;
}

const struct rule *rule_next(const struct rule *rule)
{
    return rule_first(rule + 1);
}

const struct rule *rule_find(const struct rule *rules, const char *name)
{
    const struct rule *rule;

    for (rule = rule_first(rules); rule; rule = rule_next(rule))
        if (strcmp(rule->name, name) == 0)
            return rule;
    return NULL;
}

bool rule_goes_with(const struct rule *rule, const json_t *object)
{
    size_t i;

    for (i = 0; rule->with && rule->with[i]; i++)
        if (json_object_get(object, rule->with[i]))
            return true;
    return !rule->with;
}

const struct rule *rule_choice(const struct rule *rules, const json_t *object)
{
    const struct rule *rule;

    for (rule = rule_first(rules); rule; rule = rule_next(rule))
        if (rule->choice && json_object_get(object, rule->name))
            return rule;
    return NULL;
}
