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

#define SERVICE_ENDPOINT(key, fallback_words, sentence)                                                                \
    {                                                                                                                  \
        .name = (key), .type = TYPE_TEXT, .check = check_endpoint, .pattern = "^https?://",                            \
        .fallback_doc = (fallback_words), .doc = (sentence)                                                            \
    }

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
    {.name = "registry",
     .type = TYPE_TEXT,
     .check = check_registry_pin,
     .doc = "A registry, or a part of one, that every `image.repository` lies beneath. One that does not is an error. "
            "A folder (`oci:`) is none.",
     .example = "123456789012.dkr.ecr.eu-west-1.amazonaws.com/shops"},
    {.name = "endpoint",
     .type = TYPE_TEXT,
     .check = check_endpoint,
     .pattern = "^https?://",
     .doc = "The S3 service of every artifact."},
    {.name = "ssm_endpoint",
     .type = TYPE_TEXT,
     .check = check_endpoint,
     .pattern = "^https?://",
     .fallback_doc = "of AWS, in the region of the parameter",
     .doc = "Where `ssm` values are asked for: an interface endpoint of a VPC without private DNS."},
    {.name = "secrets_endpoint",
     .type = TYPE_TEXT,
     .check = check_endpoint,
     .pattern = "^https?://",
     .fallback_doc = "of AWS, in the region of the secret",
     .doc = "The same for `secret` values."},
    {.name = "ecr_endpoint",
     .type = TYPE_TEXT,
     .check = check_endpoint,
     .pattern = "^https?://",
     .fallback_doc = "of AWS, in the region of the repository",
     .doc = "The same for ECR's API. The registry itself is what `image.repository` names."},
    {.name = "sts_endpoint",
     .type = TYPE_TEXT,
     .check = check_endpoint,
     .pattern = "^https?://",
     .fallback_doc = "of AWS, in the task's region",
     .doc = "The same for the Security Token Service, which `image.pull_auth.role` is asked of."},
    {.name = "region",
     .type = TYPE_TEXT,
     .check = check_region,
     .pattern = "^[a-z0-9-]{1,40}$",
     .doc = "The region of every artifact, and of `ssm` and `secret` values that are named without one."},
    SERVICE_ENDPOINT("sns_endpoint", "of AWS, in the topic's region", "The same for SNS."),
    SERVICE_ENDPOINT("sqs_endpoint", "of AWS, in the queue's region", "The same for SQS."),
    SERVICE_ENDPOINT("events_endpoint", "of AWS, in the bus's region", "The same for EventBridge."),
    SERVICE_ENDPOINT("logs_endpoint", "of AWS, in the task's region", "The same for CloudWatch Logs."),
    SERVICE_ENDPOINT("github_endpoint", "`https://api.github.com`", "The API that commit statuses are sent to."),
    {.name = "topics",
     .type = TYPE_LIST,
     .check = check_text,
     .variables = VARIABLES_EARLY,
     .doc = "What `notify` may name: topics, queues and buses as ARN, URL or name, log groups, channels, streams and "
            "exchanges (of the default exchange the routing key). A `*` at the end stands for anything.",
     .example = "[\"arn:aws:sns:eu-west-1:123456789012:builds-${project}*\"]"},
    {.name = "callbacks",
     .type = TYPE_LIST,
     .check = check_callback_prefix,
     .variables = VARIABLES_EARLY,
     .pattern = "^[Hh][Tt][Tt][Pp][Ss]?://",
     .doc =
         "URLs that every `http` of `notify` lies beneath. Under a profile a request with a credential goes to such a "
         "URL only.",
     .example = "[\"https://api.example.com/hooks/\"]"},
    {.name = "brokers",
     .type = TYPE_LIST,
     .check = check_broker,
     .doc =
         "The servers, `host` or `host:port`, that `redis`, `amqp` and `kafka` of `notify` may name. Under a profile "
         "a password goes to such a server only.",
     .example = "[kafka-1.example.com, \"redis.example.com:6380\"]"},
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
     .doc = "What is off by default: `plain-brokers` (brokers of `notify` without TLS or password), `private-http` "
            "(`notify` over plain HTTP and to private addresses), `file-targets` (publishing to folders, `file:` and "
            "`oci:`, as PID 1), `any-secret-file` (secrets "
            "from any file).",
     .example = "[file-targets]"},
    {.name = "secret_folders",
     .type = TYPE_LIST,
     .check = check_absolute,
     .doc = "Folders, besides `/run/secrets`, that `file:` sources may lie beneath.",
     .example = "[/etc/caisson/secrets]"},
    {0},
};
