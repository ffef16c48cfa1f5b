/* source: and what lies below it. */
#include "spec/table.h"

static const struct rule auth_rules[] = {
    {.name = "token",
     .type = TYPE_VALUE,
     .private = true,
     .doc = "A token that the server takes as a password (GitHub, GitLab, Bitbucket). Not together with `password`.",
     .example = "{ env: GITHUB_TOKEN }"},
    {.name = "username", .type = TYPE_VALUE, .doc = "The user's name, when the server cares for it."},
    {.name = "password", .type = TYPE_VALUE, .private = true, .doc = "The user's password."},
    {.name = "ssh_key", .type = TYPE_VALUE, .later = true, .doc = "A private key for ssh."},
    {.name = "known_hosts", .type = TYPE_VALUE, .later = true, .doc = "Host keys for ssh."},
    {0},
};

const struct rule source_rules[] = {
    {.name = "repository",
     .type = TYPE_TEXT,
     .check = check_repository,
     .required = true,
     .doc = "`https://host/path`, `http://host/path`, `owner/name` (on GitHub), `file:///path` or `/path`. Credentials "
            "go to `auth`, never into the URL.",
     .example = "https://github.com/user/repo"},
    {.name = "ref",
     .type = TYPE_TEXT,
     .check = check_ref,
     .fallback_doc = "the remote's HEAD",
     .doc = "A branch or tag.",
     .example = "main"},
    {.name = "commit",
     .type = TYPE_TEXT,
     .check = check_commit,
     .pattern = "^([0-9A-Fa-f]{40}|[0-9A-Fa-f]{64})$",
     .doc = "A whole commit id. It wins over `ref`.",
     .example = "0f3c1a9be27d40c58f6a1b2c3d4e5f6071829304"},
    {.name = "directory",
     .type = TYPE_TEXT,
     .check = check_folder,
     .fallback = ".",
     .doc = "The folder of the repository that is built. Paths of the spec are relative to it; one that begins with "
            "`/` is relative to the repository.",
     .example = "frontend"},
    {.name = "submodules", .type = TYPE_BOOL, .later = true, .doc = "Check submodules out."},
    {.name = "lfs", .type = TYPE_BOOL, .later = true, .doc = "Fetch files of Git LFS."},
    {.name = "auth",
     .type = TYPE_OBJECT,
     .children = auth_rules,
     .doc = "Credentials for the repository. They never reach the build."},
    {0},
};
