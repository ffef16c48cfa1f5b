/* The operator's file. */
#include "spec/table.h"

static const char *const allowances[] = {"plain-brokers", "private-http", "file-targets", "any-secret-file", NULL};

static const struct rule max_timeouts_rules[] = {
    {.name = "checkout", .type = TYPE_DURATION, .doc = "Of `timeouts.checkout`."},
    {.name = "install", .type = TYPE_DURATION, .doc = "Of `timeouts.install`."},
    {.name = "build", .type = TYPE_DURATION, .doc = "Of `timeouts.build`."},
    {.name = "test", .type = TYPE_DURATION, .doc = "Of `timeouts.test`."},
    {.name = "publish", .type = TYPE_DURATION, .doc = "Of `timeouts.publish`."},
    {.name = "idle", .type = TYPE_DURATION, .doc = "Of `timeouts.idle`."},
    {0},
};

static const struct rule max_rules[] = {
    {.name = "timeout", .type = TYPE_DURATION, .doc = "Of `timeout`.", .example = "1h"},
    {.name = "timeouts", .type = TYPE_OBJECT, .children = max_timeouts_rules, .doc = "Of single steps."},
    {.name = "limits",
     .type = TYPE_OBJECT,
     .children = max_limits_rules,
     .doc = "Of `limits`: where a bound and a spec count differently (a size, a percentage), both hold."},
    {0},
};

static const struct rule pins_rules[] = {
    {.name = "bucket",
     .type = TYPE_TEXT,
     .check = check_bucket,
     .doc = "Takes the place of the bucket in every `s3://` of the spec."},
    {.name = "prefix",
     .type = TYPE_TEXT,
     .check = check_prefix,
     .variables = VARIABLES_EARLY,
     .doc = "Every key lies beneath it; one that does not is put there.",
     .example = "__outputs/${project}/"},
    {.name = "registry", .type = TYPE_TEXT, .check = check_text, .doc = "The registry that images go to."},
    {.name = "endpoint",
     .type = TYPE_TEXT,
     .check = check_endpoint,
     .pattern = "^https?://",
     .doc = "The S3 service of every artifact."},
    {.name = "region",
     .type = TYPE_TEXT,
     .check = check_region,
     .pattern = "^[a-z0-9-]{1,40}$",
     .doc = "The region of every artifact."},
    {.name = "topics", .type = TYPE_LIST, .check = check_text, .doc = "The topics and queues that messages may go to."},
    {.name = "proxy", .type = TYPE_TEXT, .check = check_proxy, .doc = "The HTTP proxy of the job."},
    {.name = "no_proxy", .type = TYPE_TEXT, .check = check_text, .doc = "Hosts that are reached without it."},
    {.name = "ca_bundle",
     .type = TYPE_TEXT,
     .check = check_absolute,
     .doc = "A file of CA certificates (PEM) that are trusted in place of the system's."},
    {.children = spec_rules},
};

const struct rule operator_rules[] = {
    {.name = "defaults",
     .type = TYPE_OBJECT,
     .children = spec_rules,
     .doc = "Values of the spec that apply where a spec says nothing."},
    {.name = "pins",
     .type = TYPE_OBJECT,
     .children = pins_rules,
     .doc = "Values that no spec can change: the following, and every key of the spec."},
    {.name = "max",
     .type = TYPE_OBJECT,
     .children = max_rules,
     .doc = "Upper bounds. A spec that asks for more gets the bound, and `caisson plan` says so."},
    {.name = "allow",
     .type = TYPE_LIST,
     .values = allowances,
     .doc = "What is off by default: `plain-brokers` (brokers without TLS), `private-http` (status messages over plain "
            "HTTP), `file-targets` (publishing to folders as PID 1), `any-secret-file` (secrets from any file).",
     .example = "[file-targets]"},
    {.name = "secret_folders",
     .type = TYPE_LIST,
     .check = check_absolute,
     .doc = "Folders, besides `/run/secrets`, that `file:` sources may lie beneath.",
     .example = "[/etc/caisson/secrets]"},
    {0},
};
