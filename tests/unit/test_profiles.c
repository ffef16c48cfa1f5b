/* Each profile against environments as its system's worker sends them, and as a hostile tenant would add to them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "core/json.h"
#include "core/mem.h"
#include "profiles/profile.h"
#include "spec/spec.h"
#include "support/vectors.h"

#define FOLDER "vectors/profiles"

static void read_environment(const char *name, struct strings *env)
{
    struct buf text;
    char *line;
    char *rest;

    assert_true(vectors_read(FOLDER, name, &text));
    for (line = strtok_r(text.data, "\n", &rest); line; line = strtok_r(NULL, "\n", &rest))
        strings_add(env, line);
    buf_dispose(&text);
}

static bool read_operator(const char *base, struct operator_file *file)
{
    CLEANUP_FREE char *name = xasprintf("%s.operator.yaml", base);
    struct error err = {0};
    struct buf text;
    bool found = vectors_read(FOLDER, name, &text);

    if (found && operator_file_load(file, (struct view){text.data, text.len}, name, &err))
        fail_msg("%s", err.message);
    buf_dispose(&text);
    return found;
}

static const struct profile *profile_of(const char *name)
{
    CLEANUP_FREE char *profile = xstrndup(name, (size_t)(strstr(name, "--") - name));
    const struct profile *found = profile_find(profile);

    assert_non_null(found);
    return found;
}

static json_t *list_of(const struct strings *list)
{
    json_t *json = json_array();
    size_t i;

    for (i = 0; i < list->len; i++)
        json_array_append_new(json, json_string(list->items[i]));
    return json;
}

struct applied {
    struct strings env;
    struct operator_file operator_file;
    struct profile_job job;
    struct spec spec;
    struct problems problems;
    struct error err;
    int rc;
};

/* As the program does it: who may not be told is left out. */
static void load(struct applied *applied, const struct spec_context *context)
{
    struct profile_job *job = &applied->job;

    applied->rc =
        spec_load_json(&applied->spec, job->document, job->origins, context, &applied->problems, &applied->err);
    while (applied->rc && profile_leave_out(job, &applied->problems)) {
        problems_dispose(&applied->problems);
        applied->rc =
            spec_load_json(&applied->spec, job->document, job->origins, context, &applied->problems, &applied->err);
    }
    if (applied->rc == 0)
        profile_warn_plain(job, &applied->spec);
}

static const char *format_at(size_t index)
{
    const struct event_format *format = profile_format_at(index);

    return format ? format->name : NULL;
}

static void apply_input(const char *base, const char *message, struct applied *applied)
{
    struct profile_input input = {.env = &applied->env, .message = message, .message_name = "standard input"};
    struct spec_context context = {
        .name = base, .default_id = "task-1", .pid1 = true, .profile = true, .format_at = format_at};

    if (read_operator(base, &applied->operator_file))
        context.operator_file = &applied->operator_file;
    input.operator_file = context.operator_file;
    applied->rc = profile_apply(profile_of(base), &input, &applied->job, &applied->err);
    if (applied->rc == 0)
        load(applied, &context);
}

static void apply(const char *base, struct applied *applied)
{
    CLEANUP_FREE char *name = xasprintf("%s.env", base);

    *applied = (struct applied){0};
    read_environment(name, &applied->env);
    apply_input(base, NULL, applied);
}

static void release(struct applied *applied)
{
    strings_dispose(&applied->env);
    operator_file_dispose(&applied->operator_file);
    profile_job_dispose(&applied->job);
    spec_dispose(&applied->spec);
    problems_dispose(&applied->problems);
}

static void describe(const struct applied *applied, struct buf *out)
{
    json_t *json;
    char *text;

    if (applied->rc) {
        buf_addf(out, "%s\n%s\n%s\n", applied->err.reason, applied->err.message, applied->err.hint);
        return;
    }
    json = json_pack("{s:O, s:O, s:o, s:o, s:o}", "spec", applied->spec.resolved, "origins", applied->spec.origins,
                     "system", list_of(&applied->job.system), "withheld", list_of(&applied->job.withheld), "warnings",
                     list_of(&applied->job.warnings));
    text = json_dumps(json, JSON_INDENT(2));
    buf_addf(out, "%s\n", text);
    free(text);
    json_decref(json);
}

static void environments(void **state)
{
    static const char *const suffixes[] = {".env", NULL};
    struct strings names = {0};
    size_t i;

    (void)state;
    vectors_list(FOLDER, suffixes, NULL, &names);
    for (i = 0; i < names.len; i++) {
        CLEANUP_FREE char *base = xstrndup(names.items[i], strlen(names.items[i]) - strlen(".env"));
        CLEANUP_FREE char *expected = xasprintf("%s.txt", base);
        struct applied applied;
        struct buf out;

        buf_init(&out, (size_t)1 << 20);
        apply(base, &applied);
        describe(&applied, &out);
        vectors_expect(FOLDER, expected, buf_text(&out));
        release(&applied);
        buf_dispose(&out);
    }
    strings_dispose(&names);
}

/* Messages of queues; beside one the environment of who took it, where the case needs any. */
static void messages(void **state)
{
    static const char *const suffixes[] = {".json", NULL};
    struct strings names = {0};
    size_t i;

    (void)state;
    vectors_list(FOLDER, suffixes, NULL, &names);
    for (i = 0; i < names.len; i++) {
        CLEANUP_FREE char *base = xstrndup(names.items[i], strlen(names.items[i]) - strlen(".json"));
        CLEANUP_FREE char *expected = xasprintf("%s.txt", base);
        CLEANUP_FREE char *beside = xasprintf("%s.vars", base);
        struct applied applied = {0};
        struct buf out, message, variables;
        char *line, *rest;

        assert_true(vectors_read(FOLDER, names.items[i], &message));
        if (vectors_read(FOLDER, beside, &variables))
            for (line = strtok_r(variables.data, "\n", &rest); line; line = strtok_r(NULL, "\n", &rest))
                strings_add(&applied.env, line);
        buf_init(&out, (size_t)1 << 20);
        apply_input(base, buf_text(&message), &applied);
        describe(&applied, &out);
        vectors_expect(FOLDER, expected, buf_text(&out));
        release(&applied);
        buf_dispose(&out);
        buf_dispose(&message);
        buf_dispose(&variables);
    }
    strings_dispose(&names);
}

/* Whatever a tenant adds, the job is the same but for its own environment, and that holds no name of ours. */
static void compare_hostile(const char *plain_name, const char *hostile_name)
{
    struct applied plain;
    struct applied hostile;
    size_t i;

    apply(plain_name, &plain);
    apply(hostile_name, &hostile);
    assert_int_equal(plain.rc, 0);
    assert_int_equal(hostile.rc, 0);
    assert_int_equal(hostile.spec.env.len, 1);
    assert_string_equal(hostile.spec.env.items[0].name, "NODE_ENV");
    for (i = 0; i < hostile.env.len; i++) {
        CLEANUP_FREE char *name = xstrndup(hostile.env.items[i], strcspn(hostile.env.items[i], "="));

        if (strcmp(name, "NODE_ENV") == 0)
            continue;
        assert_null(json_object_get(json_object_get(hostile.spec.resolved, "env"), name));
        if (env_name_valid(name))
            assert_true(env_name_reserved(name) || strings_has(&hostile.job.withheld, name));
    }
    /* the same job: all but env and what the two files say differently */
    json_object_del(plain.spec.resolved, "env");
    json_object_del(hostile.spec.resolved, "env");
    json_object_del(plain.spec.resolved, "build");
    json_object_del(hostile.spec.resolved, "build");
    assert_true(json_equal(plain.spec.resolved, hostile.spec.resolved));
    assert_int_equal(hostile.job.system.len, 0);
    release(&plain);
    release(&hostile);
}

static void hostile_names_change_nothing(void **state)
{
    (void)state;
    compare_hostile("veren-frontend--later", "veren-frontend--hostile");
    compare_hostile("veren-backend--later", "veren-backend--hostile");
}

/* The token goes to the checkout by name; it stands in no document and reaches no build. */
static void token_is_kept(void **state)
{
    struct applied applied;
    char *document;

    (void)state;
    apply("vercel-clone--typical", &applied);
    assert_int_equal(applied.rc, 0);
    assert_int_equal(applied.spec.source.auth.token.kind, VALUE_ENV);
    assert_string_equal(applied.spec.source.auth.token.text, "GITHUB_TOKEN");
    document = json_dumps(applied.job.document, 0);
    assert_null(strstr(document, "ghp_secretsecret"));
    assert_null(strstr(document, "redis://"));
    assert_null(strstr(document, "eyJhbGciOi"));
    assert_true(strings_has(&applied.job.withheld, "GITHUB_TOKEN"));
    assert_int_equal(applied.job.warnings.len, 1);
    free(document);
    release(&applied);
}

/* Each spelling of each thing, alone. */
static void spellings(void **state)
{
    static const struct {
        const char *name, *value, *path;
    } cases[] = {
        {"GIT_REPOSITORY__URL", "https://h/a", "source.repository"},
        {"GIT_REPOSITORY_URL", "https://h/a", "source.repository"},
        {"USER_GIT_REPOSITORY_URL", "https://h/a", "source.repository"},
        {"DEPLOYMENT_ID", "d", "id"},
        {"DEPLOYEMENT_ID", "d", "id"},
        {"DEPLOYMENTID", "d", "id"},
        {"ROOT_DIR", "x", "source.directory"},
        {"ROOT_DIRECTORY", "x", "source.directory"},
        {"ROOT_PROJECT_DIR", "x", "source.directory"},
        {"BUILD_ROOT", "x", "source.directory"},
        {"INSTALL_CMD", "x", "build.install"},
        {"BUILD_CMD", "x", "build.command"},
        {"OUTPUT_DIR", "x", "build.output"},
        {"BRANCH", "x", "source.ref"},
    };
    const struct profile *profile = profile_find("vercel-clone");
    size_t i;

    (void)state;
    for (i = 0; i < ARRAY_LEN(cases); i++) {
        CLEANUP_FREE char *origin = xasprintf("profile variable %s", cases[i].name);
        struct profile_job job = {0};
        struct strings env = {0};
        struct error err = {0};

        strings_add(&env, "PROJECT_ID=p");
        strings_add(&env, "BUCKET=bkt");
        if (strcmp(cases[i].path, "source.repository") != 0)
            strings_add(&env, "GIT_REPOSITORY__URL=https://h/a");
        strings_addf(&env, "%s=%s", cases[i].name, cases[i].value);
        assert_int_equal(profile_apply(profile, &(struct profile_input){.env = &env}, &job, &err), 0);
        assert_string_equal(json_text(job.origins, cases[i].path, ""), origin);
        assert_true(strings_has(&job.withheld, cases[i].name));
        profile_job_dispose(&job);
        strings_dispose(&env);
    }
}

static void bytes_that_are_no_text(void **state)
{
    struct profile_job job = {0};
    struct strings env = {0};
    struct error err = {0};

    (void)state;
    strings_add(&env, "PROJECT_ID=p");
    strings_add(&env, "GIT_REPOSITORY__URL=https://h/a");
    strings_add(&env, "DEPLOYMENTID=d");
    strings_add(&env, "LATIN=\xe9");
    strings_add(&env, "LATIN=now it is one");
    strings_add(&env, "no-equals-sign");
    strings_add(&env, "=empty");
    assert_int_equal(profile_apply(profile_find("veren-frontend"), &(struct profile_input){.env = &env}, &job, &err),
                     0);
    assert_null(json_object_get(job.document, "env"));
    assert_true(strings_has(&job.withheld, "LATIN"));
    assert_int_equal(job.warnings.len, 1);
    profile_job_dispose(&job);
    strings_add(&env, "FRONTENDPATH=\xe9");
    assert_int_equal(profile_apply(profile_find("veren-frontend"), &(struct profile_input){.env = &env}, &job, &err),
                     -1);
    assert_string_equal(err.reason, "profile-variable-invalid");
    profile_job_dispose(&job);
    strings_dispose(&env);
}

static void listed(void **state)
{
    struct buf names;
    size_t i;

    (void)state;
    buf_init(&names, 1000);
    for (i = 0; profile_at(i); i++) {
        assert_ptr_equal(profile_find(profile_name(profile_at(i))), profile_at(i));
        assert_true(*profile_summary(profile_at(i)) != '\0');
        buf_addf(&names, " %s", profile_name(profile_at(i)));
    }
    assert_string_equal(buf_text(&names), profile_names); /* each by the name that is in the list */
    buf_dispose(&names);
    assert_null(profile_find("nope"));
    assert_null(profile_find(NULL));
}

static void unknown_profile(void **state)
{
    struct profile_job job = {0};
    struct strings env = {0};
    struct error err = {0};

    (void)state;
    assert_int_equal(profile_apply(NULL, &(struct profile_input){.env = &env}, &job, &err), -1);
    assert_int_equal(err.class, CLASS_USAGE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(environments),
        cmocka_unit_test(messages),
        cmocka_unit_test(hostile_names_change_nothing),
        cmocka_unit_test(token_is_kept),
        cmocka_unit_test(spellings),
        cmocka_unit_test(bytes_that_are_no_text),
        cmocka_unit_test(listed),
        cmocka_unit_test(unknown_profile),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
