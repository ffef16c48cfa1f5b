/* image: and cache:, which belong to the builder dockerfile. */
#include "spec/table.h"

static const struct rule create_rules[] = {
    {.name = "keep",
     .type = TYPE_INT,
     .min = 1,
     .max = 10000,
     .doc = "How many images stay. Without it none is removed.",
     .example = "10"},
    {.name = "untagged",
     .type = TYPE_DURATION,
     .doc = "After how many whole days an image without a tag goes. Without it none does.",
     .example = "7d"},
    {.name = "scan", .type = TYPE_BOOL, .fallback_doc = "`false`", .doc = "Each image is scanned when it is pushed."},
    {.name = "immutable", .type = TYPE_BOOL, .fallback_doc = "`false`", .doc = "A tag that is there cannot be moved."},
    {.name = "kms_key",
     .type = TYPE_TEXT,
     .check = check_kms_key,
     .pattern = "^[A-Za-z0-9:/_-]{1,2048}$",
     .fallback_doc = "AES256",
     .doc = "The key that encrypts the images: its id, ARN or alias.",
     .example = "alias/shop"},
    {.name = "tags",
     .type = TYPE_TEXT_MAP,
     .check = check_resource_tag,
     .check_name = check_resource_tag_name,
     .max = 50,
     .doc = "Tags of the repository.",
     .example = "{ team: web }"},
    {0},
};

#define USERNAME                                                                                                       \
    {                                                                                                                  \
        .name = "username", .type = TYPE_VALUE, .doc = "The user's name.", .example = "ci"                             \
    }
#define PASSWORD                                                                                                       \
    {                                                                                                                  \
        .name = "password", .type = TYPE_VALUE, .private = true, .doc = "The user's password or token.",               \
        .example = "{ secret: registry#password }"                                                                     \
    }

static const struct rule auth_rules[] = {USERNAME, PASSWORD, {0}};

static const struct rule pull_auth_rules[] = {
    {.name = "registry",
     .type = TYPE_TEXT,
     .check = check_registry,
     .pattern = "^[^/@]+$",
     .fallback_doc = "`docker.io`",
     .doc = "The registry, without a path.",
     .example = "ghcr.io"},
    USERNAME,
    PASSWORD,
    {.name = "role",
     .type = TYPE_TEXT,
     .check = check_role,
     .pattern = "^arn:aws[a-z-]*:iam::[0-9]{12}:role/.",
     .doc = "For a private registry of ECR, in the place of `username` and `password`: the role that may pull. The job "
            "assumes it for a session that can pull and nothing else, whatever the role may do besides.",
     .example = "arn:aws:iam::123456789012:role/pull"},
    {0},
};

const struct rule image_rules[] = {
    {.name = "repository",
     .type = TYPE_TEXT,
     .check = check_image_repository,
     .variables = VARIABLES_EARLY,
     .pattern = "^(oci:.|[^/@]+/.)",
     .fallback_doc = "`oci:image`, but as PID 1 it must be given when the type is `build`",
     .doc = "Where the image goes: `registry/name` without a tag (there is no default registry), or `oci:FOLDER`, "
            "which keeps it as an OCI layout in a folder of this machine. As PID 1 a folder needs the operator's word "
            "(`file-targets`).",
     .example = "123456789012.dkr.ecr.eu-west-1.amazonaws.com/shop"},
    {.name = "tags",
     .type = TYPE_LIST,
     .check = check_image_tag,
     .variables = VARIABLES_ALL,
     .pattern = "^[A-Za-z0-9_$][A-Za-z0-9_.${}-]*$",
     .max = 20,
     .fallback_doc = "`[\"${project}-${id}\"]`",
     .doc = "The image's tags. In the value of a variable each character that a tag may not have becomes a `-`: the "
            "branch `feature/x` is the tag `feature-x`. (At the beginning a `_`.) A tag has at most 128 characters.",
     .example = "[\"${short_commit}\", latest]"},
    {.name = "create",
     .type = TYPE_SWITCH,
     .children = create_rules,
     .fallback_doc = "`true` for ECR",
     .doc = "ECR only: the repository is made when it is missing. One that is there is left as it is. `false` asks "
            "nothing of ECR but a login."},
    {.name = "auth",
     .type = TYPE_OBJECT,
     .children = auth_rules,
     .doc = "Who pushes. ECR's own login is used where nothing is given. The build never sees it. One of the "
            "operator's file holds beneath `pins.registry`, and for the repository that the file itself names."},
    {.name = "pull_auth",
     .type = TYPE_OBJECT,
     .children = pull_auth_rules,
     .doc = "Who pulls base images: a user and a password, or for ECR a role. Every RUN of the build can read the "
            "password, "
            "or the token that the role gets: let it pull what the build needs, and nothing else."},
    {.name = "skip_existing",
     .type = TYPE_BOOL,
     .fallback = "false",
     .doc = "`true`: when every tag is there already, nothing is built, and the job's status is `skipped`."},
    {.name = "insecure",
     .type = TYPE_BOOL,
     .fallback = "false",
     .doc = "`true`: the repository's registry is spoken to in plain HTTP. A registry of this machine always is. Where "
            "the registry or the login is the operator's, so is this."},
    {.name = "mirrors",
     .type = TYPE_TEXT_MAP,
     .check = check_mirror,
     .check_name = check_registry,
     .max = 20,
     .doc = "Registries of base images, and what is asked in their place. A private registry of ECR needs "
            "`pull_auth.role`.",
     .example = "{ docker.io: public.ecr.aws/docker }"},
    {0},
};

#define LATER_TEXT(key, sentence)                                                                                      \
    {                                                                                                                  \
        .name = (key), .type = TYPE_TEXT, .later = true, .doc = (sentence)                                             \
    }

const struct rule cache_rules[] = {
    {.name = "to",
     .type = TYPE_TEXT,
     .check = check_target,
     .variables = VARIABLES_EARLY,
     .pattern = "^(s3://|file:)",
     .required = true,
     .doc = "`s3://bucket/prefix/`, or a folder: `file:cache/`. Beneath it each project has its own cache, and in it "
            "each branch; a branch without one starts from that of the default branch.",
     .example = "s3://bucket/cache/"},
    {.name = "max_age",
     .type = TYPE_DURATION,
     .fallback = "14d",
     .doc = "What no build used for so long is dropped; `0s`: nothing for its age."},
    {.name = "max_size",
     .type = TYPE_SIZE,
     .fallback = "5GiB",
     .doc = "Above it, what was used longest ago is dropped."},
    {.name = "paths", .type = TYPE_LIST, .later = true, .doc = "Folders that are kept."},
    LATER_TEXT("key", "What the folders are kept under."),
    {.name = "restore_keys", .type = TYPE_LIST, .later = true, .doc = "What else they are taken from."},
    {0},
};
