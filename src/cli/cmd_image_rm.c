#include <string.h>

#include "cli/commands.h"
#include "cli/image_login.h"
#include "cli/image_remove.h"
#include "core/json.h"
#include "core/mem.h"

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

static int remove_images(struct setup *setup, struct removing *removing, struct error *err)
{
    struct image_login login;
    struct registry_options options = {
        .client = setup->client,
        .repository = setup->call->operands[0],
        .insecure = cli_flag(setup->call, "insecure"),
        .credentials = image_login_credentials,
        .context = &login,
    };
    struct registry *registry = NULL;
    const char *name = removing->repository.name;
    int status = image_login_init(&login, setup, removing->repository.registry, err);

    if (!status && login.ecr) {
        status = ecr_images_remove(login.ecr, name, &removing->images, &removing->removal, err);
    } else if (!status) {
        status = registry_new(&registry, &options, err);
        if (!status)
            status = image_remove(registry, name, &removing->images, &removing->removal, err);
    }
    registry_free(registry);
    image_login_dispose(&login);
    return status;
}

static void print_list(const char *what, const struct strings *list)
{
    size_t i;

    for (i = 0; i < list->len; i++)
        printf("%s %s\n", what, list->items[i]);
}

/* One document, whatever came of it: some may be gone where others could not be removed. */
static int print_json(const struct cli_call *call, const struct removing *removing, const struct error *error)
{
    CLEANUP_JSON json_t *document = json_object();

    if (call->operands_len)
        json_put_text(document, "repository", call->operands[0]);
    json_object_set_new(document, "removed", json_of_strings(&removing->removal.removed));
    json_object_set_new(document, "missing", json_of_strings(&removing->removal.missing));
    json_object_set_new(document, "failed", json_of_strings(&removing->removal.failed));
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
    struct setup setup;
    struct error err;
    int status = setup_init(&setup, call, NULL, &err);

    if (status == 0)
        status = parse(call, &removing, &err);
    if (status == 0)
        status = remove_images(&setup, &removing, &err);
    status = print(call, &removing, status ? &err : NULL);
    oci_repository_dispose(&removing.repository);
    strings_dispose(&removing.images);
    ecr_removal_dispose(&removing.removal);
    setup_dispose(&setup);
    return status;
}

static const struct cli_option options[] = {
    IMAGE_LOGIN_OPTIONS,
    {"operator", "FILE", "The operator's file (default " OPERATOR_FILE ", when it exists).", NULL},
    {"json", NULL, "Print what was removed, what was not there and what failed as JSON.", NULL},
    {0},
};

static const char *const examples[] = {
    "caisson image rm 123456789012.dkr.ecr.eu-west-1.amazonaws.com/shop pr-41 pr-42",
    "remove two tags, and the images that no other tag holds",
    "caisson image rm localhost:5000/app sha256:6c3c624b58db…",
    "remove an image of a registry on this machine, with all its tags",
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
