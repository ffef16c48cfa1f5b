/* Any text as an operator's file; what is accepted is put over specs that use all that it can change. */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "spec/spec.h"

static const char spec_text[] =
    "{version: 1, project: p, source: {repository: a/b, ref: main}, build: {builder: commands, commands: [make]}, "
    "secrets: {A: {file: /x/y}}, artifacts: [{to: 's3://bucket/${project}/${ref}/${commit}/'}, {to: 'file:out'}], "
    "result: 's3://bucket/${id}', timeouts: {idle: 0s}}";

static const char image_text[] =
    "{version: 1, project: p, source: {repository: a/b, ref: main}, build: {args: {A: b}, secrets: [S]}, "
    "secrets: {S: {env: X}}, image: {repository: r.example/a, tags: ['${ref}-${id}', '${commit}'], mirrors: "
    "{docker.io: m.example}, pull_auth: {username: u, password: p}}, cache: [{to: 's3://bucket/cache/'}]}";

static void apply(const struct operator_file *file, const char *text)
{
    struct spec_context context = {.name = "spec", .default_id = "id", .operator_file = file, .pid1 = true};
    struct problems problems = {0};
    struct error err = {0};
    struct spec spec;
    int rc = spec_load(&spec, view_of(text), &context, &problems, &err);

    if ((rc == 0) != (problems.len == 0))
        abort();
    if (rc == 0) {
        /* Nothing is pushed to where the operator did not say. */
        if (file->pin_registry && spec.image.repository && strncmp(spec.image.repository, "oci:", 4) != 0 &&
            strncmp(spec.image.repository, file->pin_registry, strlen(file->pin_registry)) != 0)
            abort();
        (void)spec_expand(&spec, "0f3c1a9be27d40c58f6a1b2c3d4e5f6071829304", NULL, &err);
    }
    spec_dispose(&spec);
    problems_dispose(&problems);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    struct operator_file file;
    struct error err = {0};

    if (operator_file_load(&file, (struct view){(const char *)data, len}, "operator.yaml", &err)) {
        if (err.class != CLASS_SPEC_INVALID || !*err.message)
            abort();
    } else {
        apply(&file, spec_text);
        apply(&file, image_text);
    }
    operator_file_dispose(&file);
    return 0;
}
