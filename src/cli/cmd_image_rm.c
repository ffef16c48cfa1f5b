#include <string.h>

#include "aws/ecr.h"
#include "cli/commands.h"
#include "cli/setup.h"
#include "core/json.h"
#include "core/mem.h"
#include "oci/reference.h"

/* What is to go, and what came of it. */
struct removing {
    struct oci_repository repository;
    struct strings images;
    struct ecr_removal removal;
};

static int parse(const struct cli_call *call, struct removing *removing, struct error *err)
{
    int i;

    if (call->operands_len < 2) {
        error_set(err, CLASS_USAGE, "too-few-arguments", "image rm takes a repository and at least one image of it");
        return error_hint(err, "caisson help image rm");
    }
    if (oci_repository_parse(call->operands[0], &removing->repository, err))
        return -1;
    for (i = 1; i < call->operands_len; i++) {
        const char *image = call->operands[i];

        if (!oci_tag_valid(image) && !oci_digest_valid(image)) {
            error_set(err, CLASS_USAGE, "bad-image", "\"%.200s\" is neither a tag nor a digest", image);
            return error_hint(err, "a tag is letters, digits, dots, dashes, underscores; a digest is sha256: and 64 "
                                   "digits");
        }
        strings_add(&removing->images, image);
    }
    return 0;
}

static int remove_of_ecr(struct setup *setup, struct removing *removing, struct error *err)
{
    struct ecr_options options = {
        .client = setup->client,
        .provider = setup->credentials,
        .host = removing->repository.registry,
        .endpoint = setup->platform.ecr_endpoint,
    };
    struct ecr *ecr;
    int status;

    if (ecr_new(&ecr, &options, err))
        return -1;
    status = ecr_images_remove(ecr, removing->repository.name, &removing->images, &removing->removal, err);
    ecr_free(ecr);
    return status;
}

static void print_list(const char *what, const struct strings *list)
{
    size_t i;

    for (i = 0; i < list->len; i++)
        printf("%s %s\n", what, list->items[i]);
}

static json_t *list_to_json(const struct strings *list)
{
    json_t *array = json_array();
    size_t i;

    for (i = 0; i < list->len; i++)
        json_array_append_new(array, json_string(list->items[i]));
    return array;
}

/* One document, whatever came of it: some may be gone where others could not be removed. */
static int print_json(const struct cli_call *call, const struct removing *removing, const struct error *error)
{
    CLEANUP_JSON json_t *document = json_object();

    if (call->operands_len)
        json_put_text(document, "repository", call->operands[0]);
    json_object_set_new(document, "removed", list_to_json(&removing->removal.removed));
    json_object_set_new(document, "missing", list_to_json(&removing->removal.missing));
    json_object_set_new(document, "failed", list_to_json(&removing->removal.failed));
    if (error)
        cli_put_error(document, error);
    json_dumpf(document, stdout, JSON_INDENT(2));
    fputc('\n', stdout);
    return error ? (int)error->class : 0;
}

static int print(const struct cli_call *call, const struct removing *removing, const struct error *error)
{
    if (cli_flag(call, "json"))
        return print_json(call, removing, error);
    print_list("removed", &removing->removal.removed);
    print_list("not there:", &removing->removal.missing);
    return error ? cli_fail(error, false) : 0;
}

static int run(const struct cli_call *call)
{
    struct removing removing = {0};
    struct ecr_host host;
    struct setup setup;
    struct error err;
    int status = setup_init(&setup, call, NULL, &err);

    if (status == 0)
        status = parse(call, &removing, &err);
    if (status == 0 && !ecr_host_parse(removing.repository.registry, &host))
        status = error_set(&err, CLASS_USAGE, "not-ecr", "%s is no registry of ECR", removing.repository.registry);
    else if (status == 0)
        status = remove_of_ecr(&setup, &removing, &err);
    status = print(call, &removing, status ? &err : NULL);
    oci_repository_dispose(&removing.repository);
    strings_dispose(&removing.images);
    ecr_removal_dispose(&removing.removal);
    setup_dispose(&setup);
    return status;
}

static const struct cli_option options[] = {
    {"operator", "FILE", "The operator's file (default " OPERATOR_FILE ", when it exists).", NULL},
    {"json", NULL, "Print what was removed, what was not there and what failed as JSON.", NULL},
    {0},
};

static const char *const examples[] = {
    "caisson image rm 123456789012.dkr.ecr.eu-west-1.amazonaws.com/shop pr-41 pr-42",
    "remove two tags, and the images that no other tag holds",
    NULL,
};

const struct cli_command cmd_image_rm = {
    .name = "image rm",
    .arguments = "REPOSITORY IMAGE...",
    .summary = "remove images by tag or digest",
    .description =
        "Removes images of a repository, each named by a tag or by its digest (sha256:…). A tag goes alone: the image\n"
        "stays while another tag holds it. A digest takes the image with all its tags. What is not there is no "
        "failure.",
    .examples = examples,
    .options = options,
    .max_operands = 10000,
    .run = run,
};
