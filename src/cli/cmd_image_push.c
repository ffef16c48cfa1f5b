#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/commands.h"
#include "cli/image_create.h"
#include "cli/image_login.h"
#include "core/clock.h"
#include "core/json.h"
#include "core/mem.h"

struct pushing {
    char *repository;
    struct oci_repository parsed;
    struct strings tags, mount_from;
    struct oci_image image;
    struct push_result result;
    bool created; /* the repository, by us */
};

/* "a,b" */
static void split(const char *text, struct strings *list)
{
    size_t len;

    for (; text && *text; text += len + (text[len] == ',')) {
        len = strcspn(text, ",");
        if (len)
            strings_take(list, xstrndup(text, len));
    }
}

static int check_tags(const struct strings *tags, struct error *err)
{
    size_t i;

    for (i = 0; i < tags->len; i++)
        if (!oci_tag_valid(tags->items[i])) {
            error_set(err, CLASS_USAGE, "bad-tag", "\"%.200s\" is no tag", tags->items[i]);
            return error_hint(err, "a tag is up to 128 letters, digits, dots, dashes and underscores");
        }
    if (tags->len)
        return 0;
    error_set(err, CLASS_USAGE, "no-tag", "under which tag?");
    return error_hint(err, "caisson image push LAYOUT REPOSITORY:TAG");
}

static int parse(const struct cli_call *call, struct pushing *pushing, struct error *err)
{
    const char *name, *slash, *colon;
    struct strings more = {0};

    if (call->operands_len < 2) {
        error_set(err, CLASS_USAGE, "too-few-arguments", "image push takes a layout's folder and a repository");
        return error_hint(err, "caisson image push LAYOUT REPOSITORY:TAG");
    }
    name = call->operands[1];
    slash = strrchr(name, '/');
    colon = slash ? strchr(slash, ':') : NULL;
    pushing->repository = xstrndup(name, colon ? (size_t)(colon - name) : strlen(name));
    if (colon)
        strings_add(&pushing->tags, colon + 1);
    split(cli_value(call, "tag"), &more);
    strings_copy(&pushing->tags, &more);
    strings_dispose(&more);
    split(cli_value(call, "mount-from"), &pushing->mount_from);
    return oci_repository_parse(pushing->repository, &pushing->parsed, err) || check_tags(&pushing->tags, err) ? -1 : 0;
}

static int open_layout(const struct cli_call *call, struct pushing *pushing, struct error *err)
{
    struct oci_layout_limits limits = {.name = cli_value(call, "image")};
    CLEANUP_CLOSE int fd = open(call->operands[0], O_RDONLY | O_DIRECTORY | O_CLOEXEC);

    if (fd < 0)
        return error_set_errno(err, CLASS_NO_OUTPUT, "layout-missing", errno, "opening the layout %s",
                               call->operands[0]);
    if (oci_layout_open(&pushing->image, fd, &limits, err) || oci_layout_verify(&pushing->image, NULL, NULL, err))
        return error_context(err, "the layout %s", call->operands[0]);
    return 0;
}

static void on_progress(void *context, int64_t sent, int64_t total)
{
    char done[CLOCK_TEXT_SIZE], all[CLOCK_TEXT_SIZE];

    (void)context;
    size_format(sent, done);
    size_format(total, all);
    fprintf(stderr, "\r%s of %s\033[K%s", done, all, sent == total ? "\n" : "");
}

static int push(struct setup *setup, struct pushing *pushing, struct error *err)
{
    struct image_login login;
    struct registry_options options = {
        .client = setup->client,
        .repository = pushing->repository,
        .insecure = cli_flag(setup->call, "insecure"),
        .credentials = image_login_credentials,
        .context = &login,
    };
    struct push_request request = {
        .image = &pushing->image,
        .tags = &pushing->tags,
        .mount_from = &pushing->mount_from,
        .on_progress = isatty(STDERR_FILENO) ? on_progress : NULL,
    };
    struct registry *registry = NULL;
    int status = image_login_init(&login, setup, pushing->parsed.registry, err);

    if (!status)
        status = image_create(setup->call, &login, pushing->parsed.name, &pushing->created, err);
    if (!status)
        status = registry_new(&registry, &options, err);
    if (!status)
        status = registry_push(registry, &request, &pushing->result, err);
    registry_free(registry);
    image_login_dispose(&login);
    return status;
}

static void put_number(json_t *document, const char *key, int64_t number)
{
    json_object_set_new(document, key, json_integer(number));
}

static void print_json(const struct pushing *pushing)
{
    CLEANUP_JSON json_t *document = json_object();
    const struct push_result *result = &pushing->result;

    json_put_text(document, "repository", pushing->repository);
    json_put_text(document, "digest", pushing->image.digest);
    json_put_text(document, "media_type", pushing->image.media_type);
    json_object_set_new(document, "tags_written", json_of_strings(&result->tags_written));
    json_object_set_new(document, "tags_there", json_of_strings(&result->tags_there));
    json_object_set_new(document, "repository_created", json_boolean(pushing->created));
    put_number(document, "layers", (int64_t)pushing->image.layers);
    put_number(document, "bytes", pushing->image.bytes);
    put_number(document, "bytes_sent", result->bytes_sent);
    put_number(document, "blobs_sent", (int64_t)result->blobs_sent);
    put_number(document, "blobs_there", (int64_t)result->blobs_there);
    put_number(document, "blobs_mounted", (int64_t)result->blobs_mounted);
    put_number(document, "duration_ms", result->duration_ms);
    json_dumpf(document, stdout, JSON_INDENT(2));
    fputc('\n', stdout);
}

static void print(const struct pushing *pushing)
{
    const struct push_result *result = &pushing->result;
    char sent[CLOCK_TEXT_SIZE], duration[CLOCK_TEXT_SIZE];
    size_t i;

    size_format(result->bytes_sent, sent);
    duration_format(result->duration_ms, duration);
    if (pushing->created)
        printf("made the repository %s\n", pushing->repository);
    for (i = 0; i < pushing->tags.len; i++)
        printf("%s:%s%s\n", pushing->repository, pushing->tags.items[i],
               strings_has(&result->tags_there, pushing->tags.items[i]) ? " (was there)" : "");
    printf("%s, %zu layers: %s sent in %s, %zu blobs were there, %zu mounted\n", pushing->image.digest,
           pushing->image.layers, sent, duration, result->blobs_there, result->blobs_mounted);
}

static int run(const struct cli_call *call)
{
    struct pushing pushing = {0};
    bool json = cli_flag(call, "json");
    struct setup setup;
    struct error err;
    int status = setup_init(&setup, call, NULL, &err);

    if (!status)
        status = parse(call, &pushing, &err);
    if (!status)
        status = open_layout(call, &pushing, &err);
    if (!status)
        status = push(&setup, &pushing, &err);
    if (status)
        status = cli_fail(&err, json);
    else if (json)
        print_json(&pushing);
    else
        print(&pushing);
    push_result_dispose(&pushing.result);
    oci_image_dispose(&pushing.image);
    oci_repository_dispose(&pushing.parsed);
    strings_dispose(&pushing.tags);
    strings_dispose(&pushing.mount_from);
    free(pushing.repository);
    setup_dispose(&setup);
    return status;
}

static const struct cli_option options[] = {
    {"tag", "TAGS", "More tags, with commas between them.", NULL},
    {"image", "NAME", "Of a layout that holds several the image of this name.", NULL},
    {"mount-from", "NAMES", "Repositories of the same registry that may hold layers already, with commas.", NULL},
    IMAGE_LOGIN_OPTIONS,
    IMAGE_CREATE_OPTIONS,
    {"operator", "FILE", "The operator's file (default " OPERATOR_FILE ", when it exists).", NULL},
    {"json", NULL, "Print what was pushed, or what went wrong, as JSON.", NULL},
    {0},
};

static const char *const examples[] = {
    "caisson image push out/image 123456789012.dkr.ecr.eu-west-1.amazonaws.com/shop:v7",
    "push to ECR, with the credentials that the AWS tools would use",
    "caisson image push out/image ghcr.io/me/app:v7 --tag latest --username me --password-file token",
    "push under two tags",
    "caisson image push out/image localhost:5000/app:v7 --json",
    "push to a registry on this machine, and print digest, sizes and tags",
    NULL,
};

const struct cli_command cmd_image_push = {
    .name = "image push",
    .arguments = "LAYOUT REPOSITORY[:TAG]",
    .summary = "push an image from a layout's folder",
    .description =
        "Pushes the image of an OCI image layout (of Kaniko, buildah, skopeo, umoci, or a job with `oci:FOLDER`). "
        "What\n"
        "the registry has already is not sent again, and nothing is sent unless all of the layout is what it says.\n"
        "User and password: --username, else ECR's own login, else the `auths` of ~/.docker/config.json.",
    .examples = examples,
    .options = options,
    .max_operands = 2,
    .run = run,
};
