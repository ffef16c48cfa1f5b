/*
 * The job spec as the program works with it. Filled by spec_load from text (YAML or JSON) through the one table
 * (spec/table.c), which also drives validation, defaults, the JSON Schema, `caisson plan` and docs/spec.md. A profile
 * (profiles/) fills the same document from an environment. All strings are owned; NULL means "not given, no default".
 */
#ifndef CAISSON_SPEC_SPEC_H
#define CAISSON_SPEC_SPEC_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "core/buf.h"
#include "core/error.h"
#include "core/strings.h"

struct position {
    int line, column; /* from 1; 0: not from a text */
};

/* A value that may come from elsewhere: plain text, {env: NAME}, {file: PATH}, {ssm: NAME} or {secret: NAME#KEY}. */
struct value_source {
    enum { VALUE_NONE, VALUE_TEXT, VALUE_ENV, VALUE_FILE, VALUE_SSM, VALUE_SECRET } kind;
    char *text; /* the text, the variable's name, the path, the parameter's or the secret's name or ARN */
    struct position at;
};

struct spec_pair {
    char *name, *value;
};
struct spec_pairs {
    struct spec_pair *items;
    size_t len;
};

enum secret_delivery {
    SECRET_AS_ENV,   /* the variable holds the value */
    SECRET_AS_FILE,  /* the variable holds the path of a file that holds the value */
    SECRET_AS_NPMRC, /* the file is npm's user configuration; the variable is not set */
};

/* An amount, a share of what there is, or both: then the smaller of the two. 0: not given. */
struct limit {
    int64_t bytes;
    int percent;
};

struct spec_secret {
    char *name;
    struct value_source source;
    struct strings steps; /* "install", "build", "test"; empty: all of them */
    enum secret_delivery as;
    bool is_public; /* it is meant to be in the published files */
};

enum job_type { JOB_BUILD, JOB_TEST };
enum builder { BUILDER_AUTO, BUILDER_NODE, BUILDER_COMMANDS, BUILDER_NONE, BUILDER_DOCKERFILE };
enum artifact_mode { ARTIFACT_MIRROR, ARTIFACT_ADD };

struct spec_header_rule {
    char *match, *cache_control, *content_type, *content_disposition, *content_language;
};
struct spec_artifact {
    char *from;    /* NULL: build.output */
    char *to;      /* s3://bucket/prefix/ or file:folder/; complete after spec_expand */
    bool to_waits; /* `to` is a template that spec_expand completes: private to spec/ */
    enum artifact_mode mode;
    bool adopt;
    struct strings include, exclude;
    struct spec_header_rule *headers;
    size_t headers_len;
    struct {
        char *endpoint, *region;
        bool path_style;
    } s3;
    struct position at;
};

/* install, build.command: a text, or false ("skip"), or nothing said. */
struct spec_command {
    enum { COMMAND_UNSET, COMMAND_SKIP, COMMAND_TEXT } kind;
    char *text;
};

/* Someone who is told about the job. The key that names the target is its type. */
struct spec_notify {
    size_t index; /* its place in the spec's list */
    char *type; /* "http", "sns", "sqs", "eventbridge", "redis", "amqp", "kafka", "github", "file", "cloudwatch_logs" */
    char *
        target; /* what stands behind that key. kafka: "host:port,…", behind "kafka://" where it is without TLS; github:
                   * always "owner/name" */
    struct value_source secret, token, api_key, username, password;
    struct spec_pairs headers;
    char *channel, *stream, *exchange, *routing_key, *topic, *key, *sasl, *context, *link, *ca_bundle; /* or NULL */
    bool binary; /* mode: binary */
    char *format;
    struct strings events;    /* words: "status", "log", …; none: the end alone */
    bool plain, private_http; /* brokers without TLS or password, http:// and private addresses are permitted: by the
                               * operator, or to loopback on a developer's machine */
    struct position at;
};

struct spec {
    enum job_type type;
    char *id, *project;
    struct spec_pairs labels;
    int64_t created_at_ms; /* 0: not given */
    struct {
        char *repository, *ref, *commit, *directory; /* directory: default "." */
        struct {
            struct value_source token, username, password;
        } auth;
    } source;
    struct spec_pairs env;
    struct spec_secret *secrets;
    size_t secrets_len;
    struct {
        enum builder builder;
        char *node, *framework, *output;
        struct spec_command install, command;
        char *test;
        struct strings commands;
        bool dotenv; /* env is written to .env of the project, or of the context */

        /* Of the builder dockerfile. */
        char *context, *dockerfile; /* relative to source.directory, or with a leading slash to the repository;
                                     * dockerfile NULL: "Dockerfile" of the context */
        char *template;             /* NULL: none */
        bool template_always;       /* else only where the Dockerfile is missing */
        char *target, *platform;
        struct spec_pairs args;
        struct strings secrets; /* names from spec.secrets: for RUN --mount=type=secret */
    } build;
    struct {
        char *repository;    /* "host/path", or "oci:FOLDER"; NULL: the job builds none, or it is of type test */
        struct strings tags; /* complete after spec_expand; at least one, none twice */
        struct {
            bool wanted;             /* ECR: it is made when it is missing */
            int keep, untagged_days; /* 0: no such rule */
            bool scan, immutable;
            char *kms_key; /* NULL: AES256 */
            struct spec_pairs tags;
        } create;
        struct {
            struct value_source username, password;
        } auth;
        struct {
            char *registry; /* NULL: docker.io */
            struct value_source username, password;
            char *role; /* of IAM, in the place of those two, where the registry is one of ECR; NULL: none */
        } pull_auth;    /* of base images; the build can read it */
        bool skip_existing, insecure;
        struct spec_pairs mirrors; /* registry → registry[/path] */
    } image;
    struct {
        char *to; /* s3://bucket/prefix/ or file:folder/; NULL: no cache */
        int64_t max_age_ms, max_bytes;
    } cache; /* the builder dockerfile's layers */
    struct spec_artifact *artifacts;
    size_t artifacts_len;
    int64_t timeout_ms;
    struct {
        int64_t checkout_ms, install_ms, build_ms, test_ms, publish_ms, idle_ms;
    } timeouts; /* 0: none */
    struct {
        struct limit memory, disk;
        int64_t output_bytes, log_bytes;
    } limits;
    struct {
        int max_attempts;
        int64_t backoff_ms;
    } retry;
    char *result, *log; /* s3://… or file:… or NULL */
    char *control;      /* s3://… or https://… or NULL: where a request to cancel is looked for */
    struct {
        char *redis; /* rediss://… or redis://…; NULL: none */
        char *channel, *member, *ca_bundle;
        struct value_source username, password;
        bool plain; /* as of spec_notify */
    } cancel;       /* … and the channel where one may be published */
    struct spec_notify *notify;
    size_t notify_len;
    struct strings untold; /* of a document with mistakes: entries of notify that are left out, and why */

    json_t *resolved; /* the whole document with defaults, values only (secrets as their source): for plan */
    json_t *origins;  /* "source.ref" → "line 4" | "default" | "operator" | "profile variable BRANCH" */
};

/* The operator's file (design, "The operator's file"). Zeroed: nothing said. */
struct operator_file {
    json_t *defaults; /* spec-shaped document below the spec; NULL: none */
    json_t *pins;     /* spec-shaped, above everything; plus the keys of `pin_*` below */
    char *pin_bucket, *pin_prefix, *pin_registry, *pin_endpoint, *pin_region, *pin_proxy, *pin_no_proxy, *pin_ca_bundle;
    char *pin_ssm_endpoint, *pin_secrets_endpoint, *pin_ecr_endpoint, *pin_sts_endpoint;
    char *pin_sns_endpoint, *pin_sqs_endpoint, *pin_events_endpoint, *pin_logs_endpoint, *pin_github_endpoint;
    struct strings pin_topics, pin_callbacks, pin_brokers; /* of notify; templates: private to spec/ */
    struct {
        int64_t timeout_ms, checkout_ms, install_ms, build_ms, test_ms, publish_ms, idle_ms;
        struct limit memory, disk;
        int64_t output_bytes, log_bytes;
    } max; /* 0: none */
    struct {
        bool plain_brokers, private_http, file_targets, any_secret_file;
    } allow;
    struct strings secret_folders; /* besides /run/secrets */
};
int operator_file_load(struct operator_file *file, struct view text, const char *name, struct error *err);
void operator_file_dispose(struct operator_file *file);

/* One mistake. */
struct problem {
    struct position at;
    char *path;    /* "source.repositry" */
    char *message; /* what was found, what is allowed */
    char *hint;    /* "did you mean repository?"; NULL: none */
};
struct problems {
    struct problem *items;
    size_t len;
    bool more; /* there were more than we keep (100) */
};
void problems_dispose(struct problems *problems);
/* "job.yaml:3:5: source.repositry: unknown key; did you mean repository?" one a line. Appends. */
void problems_print(const struct problems *problems, const char *name, struct buf *out);
json_t *problems_to_json(const struct problems *problems);

struct spec_context {
    const char *name;                          /* of the document, for messages: "job.yaml", "CAISSON_JOB", "-" */
    const struct operator_file *operator_file; /* NULL: none */
    const char *default_id;                    /* the ECS task's id, or a made one */
    bool pid1;      /* of a container, or in an ECS task: file: targets need the operator's word, file: secrets lie
                     * beneath folders */
    bool profile;   /* the values are those of a profile: a credential goes only where the operator says */
    int64_t now_ms; /* wall time: a created_at in the future is refused */
    /* The formats of events that there are, NULL past the last; NULL: not asked. */
    const char *(*format_at)(size_t index);
    /* Of a document with mistakes: what is right in it of the job's name, of the places of result and log, and of whom
     * it is told to. Zeroed before; filled where the document is refused. Dispose with spec_dispose. NULL: not asked. */
    struct spec *told;
};

/*
 * 0 and a filled spec, or −1 with *problems filled (all of them) and *err of CLASS_SPEC_INVALID whose message says how
 * many and holds the first ones. Templates (${project}…) whose variables are known before the checkout are expanded;
 * ${commit} and ${short_commit} by spec_expand.
 */
int spec_load(struct spec *spec, struct view text, const struct spec_context *context, struct problems *problems,
              struct error *err);
/* The same from a document that a profile made; origins: path → text. Both borrowed. */
int spec_load_json(struct spec *spec, const json_t *document, const json_t *origins, const struct spec_context *context,
                   struct problems *problems, struct error *err);
void spec_dispose(struct spec *spec);
/* context->told without a document: what the operator's file alone says. */
void spec_told(const struct spec_context *context);
/* After the checkout: the commit is known, and the ref that it was resolved from ("refs/heads/main" or "main"; NULL:
 * none). CLASS_SPEC_INVALID, reason "template-unsafe", when what comes out is no place to publish to. */
int spec_expand(struct spec *spec, const char *commit, const char *ref, struct error *err);

/* JSON Schema 2020-12. Caller frees with json_decref. */
json_t *spec_schema(void);
/* docs/spec.md from the table. Appends. */
void spec_markdown(struct buf *out);

/* Names that a user's env and value sources may not use: "AWS_SECRET_ACCESS_KEY", "CAISSON_*", … */
bool env_name_reserved(const char *name);
/* [A-Za-z_][A-Za-z0-9_]* and at most 256 bytes. */
bool env_name_valid(const char *name);

const char *builder_name(enum builder builder);
const char *artifact_mode_name(enum artifact_mode mode);

#endif
