/* What single texts of the spec must look like. Private to spec/ (env_name_* are in spec.h). */
#ifndef CAISSON_SPEC_NAMES_H
#define CAISSON_SPEC_NAMES_H

#include <stdbool.h>
#include <stddef.h>

/* Why a text was refused, or what it is in its normal form. */
struct remark {
    char message[400];
    char hint[300];
    char *normal; /* NULL: as it is; the caller frees */
};

/* 0, or −1 with remark->message filled (and a hint, when there is one). */
typedef int text_check(const char *text, struct remark *remark);

int remark_set(struct remark *remark, const char *hint, const char *format, ...) __attribute__((format(printf, 3, 4)));

text_check check_id;
text_check check_text;       /* one line, not empty, no control characters */
text_check check_command;    /* not empty; lines are fine */
text_check check_ref;        /* git check-ref-format(1) */
text_check check_commit;     /* 40 or 64 hex digits */
text_check check_repository; /* normal form: a URL */
text_check check_folder;     /* beneath source.directory, or /x beneath the repository */
text_check check_target;     /* s3://bucket/prefix/ or file:folder */
text_check check_object;     /* s3://bucket/key or file:path */
text_check check_endpoint;   /* http(s)://host[:port] */
text_check check_region;
text_check check_glob;
text_check check_header;
text_check check_env_name;
text_check check_env_value;
text_check check_label_name;
text_check check_label;
text_check check_node_version;
text_check check_absolute;
text_check check_bucket;
text_check check_prefix;
text_check check_proxy;
text_check check_image_repository; /* registry/name, or oci:FOLDER */
text_check check_image_tag;
text_check check_registry;      /* host[:port] */
text_check check_mirror;        /* host[:port][/path] */
text_check check_registry_pin;  /* the same, or with a slash at the end */
text_check check_file;          /* like check_folder, and no folder */
text_check check_template_name; /* the engine knows which there are */
text_check check_platform;
text_check check_arg_name;
text_check check_kms_key;
text_check check_role; /* the ARN of a role of IAM */
text_check check_resource_tag_name;
text_check check_resource_tag;
text_check check_short_text; /* one line of at most 255 bytes */
/* Of notify (names_notify.c). None repeats a URL that may hold a credential. */
text_check check_callback; /* an http(s) URL */
text_check check_callback_header;
text_check check_callback_prefix;
text_check check_sns_topic;
text_check check_queue;
text_check check_event_bus;
text_check check_redis;
text_check check_amqp;
text_check check_kafka;
text_check check_kafka_topic;
text_check check_github;
text_check check_event_file;
text_check check_log_group;
text_check check_event_format;
text_check check_broker;  /* host[:port] */
text_check check_control; /* s3://bucket/key or https://… */

bool image_is_folder(const char *repository); /* oci:FOLDER */
bool image_is_of_ecr(const char *repository);
/* Whether a repository lies beneath "host" or "host/path", or is the latter. */
bool image_is_beneath(const char *repository, const char *place);
/* What a variable's value becomes in a tag: each character that a tag may not have is a '-', the first a '_'. NULL
 * stays. Caller frees. */
char *image_tag_part(const char *text);

/* The reserved names in Markdown, for docs/spec.md. */
struct buf;
void env_reserved_list(struct buf *out);

/* The hosts of a URL, or of a list of brokers, one after the other, each with its port: "host:port", in lower case, the
 * port of the scheme where none is given. *at is NULL or "" after the last. Caller frees. */
char *next_server(const char **at);
/* Whether those of them are all loopback; whether one is private, as far as the text tells (core/address.h). */
bool servers_are_loopback(const char *target);
bool servers_are_private(const char *target);
/* Whether the scheme is one without TLS. */
bool scheme_is_plain(const char *url);

/* Whether a host name or address with an optional port, as far as a look at the text tells. */
bool host_is_valid(const char *host, size_t len);

#endif
