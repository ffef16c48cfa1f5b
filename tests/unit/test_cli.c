/* Parsing of the command line; the generated texts name every command and option. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/cli.h"
#include "core/fs.h"
#include "core/mem.h"

static const struct cli_option options[] = {
    {"file", "FILE", "A file.", NULL}, {"how", "WAY", "A way.", "fast slow"}, {"json", NULL, "JSON.", NULL}, {0}};
static const struct cli_command command = {.name = "try", .options = options, .max_operands = 1};

static int parse(const char *line, struct cli_call *call, bool *help, struct error *err)
{
    static char copy[256];
    static char *argv[16];
    char *rest, *word;
    int argc = 0;

    snprintf(copy, sizeof copy, "%s", line);
    for (word = strtok_r(copy, " ", &rest); word; word = strtok_r(NULL, " ", &rest))
        argv[argc++] = word;
    *call = (struct cli_call){.command = &command};
    *help = false;
    return cli_parse(&command, argc, argv, call, help, err);
}

static void test_options_and_operands(void **state)
{
    struct cli_call call;
    struct error err;
    bool help;

    (void)state;
    assert_int_equal(parse("--file a.yaml --json job.yaml --how=slow", &call, &help, &err), 0);
    assert_string_equal(cli_value(&call, "file"), "a.yaml");
    assert_string_equal(cli_value(&call, "how"), "slow");
    assert_true(cli_flag(&call, "json"));
    assert_int_equal(call.operands_len, 1);
    assert_string_equal(call.operands[0], "job.yaml");
    assert_int_equal(parse("-- --json", &call, &help, &err), 0);
    assert_false(cli_flag(&call, "json"));
    assert_string_equal(call.operands[0], "--json");
    assert_int_equal(parse("-", &call, &help, &err), 0);
    assert_string_equal(call.operands[0], "-");
    assert_int_equal(parse("--bogus --help", &call, &help, &err), -1);
    assert_int_equal(parse("--json --help", &call, &help, &err), 0);
    assert_true(help);
}

static void test_mistakes(void **state)
{
    static const struct {
        const char *line, *reason;
    } cases[] = {
        {"--fil x", "unknown-option"},        {"-x", "unknown-option"},
        {"--file", "option-needs-value"},     {"--json=1", "option-takes-no-value"},
        {"--how medium", "bad-option-value"}, {"--how low", "bad-option-value"},
        {"a b", "too-many-arguments"},
    };
    struct cli_call call;
    struct error err;
    bool help;
    size_t i;

    (void)state;
    for (i = 0; i < ARRAY_LEN(cases); i++) {
        assert_int_equal(parse(cases[i].line, &call, &help, &err), -1);
        assert_int_equal(err.class, CLASS_USAGE);
        assert_string_equal(err.reason, cases[i].reason);
        assert_non_null(strstr(err.hint, "caisson help try"));
    }
}

/* The last word of its name, and the stem of each option: the man page writes hyphens as minus signs. */
static void assert_named(const char *text, const struct cli_command *checked)
{
    const struct cli_option *option;
    const char *space = strrchr(checked->name, ' ');
    size_t i;

    assert_non_null(strstr(text, space ? space + 1 : checked->name));
    for (option = checked->options; option && option->name; option++) {
        CLEANUP_FREE char *stem = xstrndup(option->name, strcspn(option->name, "-"));

        assert_non_null(strstr(text, stem));
    }
    for (i = 0; checked->subcommands && checked->subcommands[i]; i++)
        assert_named(text, checked->subcommands[i]);
}

static void test_generated_texts_name_everything(void **state)
{
    static const char *const kinds[] = {"bash", "zsh", "fish", "man"};
    size_t kind, i;

    (void)state;
    for (kind = 0; kind < ARRAY_LEN(kinds); kind++) {
        char *text = NULL;
        size_t size;
        FILE *out = open_memstream(&text, &size);

        assert_int_equal(cli_generate(kinds[kind], out), 0);
        fclose(out);
        for (i = 0; cli_commands[i]; i++)
            assert_named(text, cli_commands[i]);
        free(text);
    }
    assert_int_equal(cli_generate("csh", stderr), -1);
}

/* cli_value looks in a fixed array beside the table, and a command does something or is a group. */
static void assert_table_fits(const struct cli_command *checked)
{
    size_t count, i;

    for (count = 0; checked->options && checked->options[count].name; count++)
        ;
    assert_true(count <= CLI_OPTIONS_MAX);
    assert_true((checked->run != NULL) != (checked->subcommands != NULL));
    for (i = 0; checked->subcommands && checked->subcommands[i]; i++)
        assert_table_fits(checked->subcommands[i]);
}

static void test_tables_fit(void **state)
{
    size_t i;

    (void)state;
    for (i = 0; cli_commands[i]; i++) {
        assert_table_fits(cli_commands[i]);
        assert_ptr_equal(cli_find(cli_commands[i]->name), cli_commands[i]);
    }
}

static void test_commands_of_two_words(void **state)
{
    static const struct {
        const char *word, *next, *name; /* name NULL: there is none */
        int used;
    } cases[] = {
        {"image", "rm", "image rm", 2}, {"image", NULL, "image", 1}, {"image", "--help", "image", 1},
        {"image", "mr", NULL, 0},       {"plan", "rm", "plan", 1},   {"rm", NULL, NULL, 0},
        {"image rm", NULL, NULL, 0},
    };
    size_t i;

    (void)state;
    for (i = 0; i < ARRAY_LEN(cases); i++) {
        const struct cli_command *chosen;
        struct error err;
        int used;

        chosen = cli_choose(cases[i].word, cases[i].next, &used, &err);
        if (cases[i].name) {
            assert_string_equal(chosen->name, cases[i].name);
            assert_int_equal(used, cases[i].used);
        } else {
            assert_null(chosen);
            assert_string_equal(err.reason, "unknown-command");
        }
    }
}

/* docs/caisson.1 is kept for packagers: it must be what the tables say. */
static void test_man_page_is_current(void **state)
{
    struct buf kept;
    char *text = NULL;
    size_t size;
    FILE *out = open_memstream(&text, &size);

    (void)state;
    assert_int_equal(cli_generate("man", out), 0);
    fclose(out);
    buf_init(&kept, 1 << 20);
    assert_int_equal(fs_read_file(TEST_DATA_DIR "/../docs/caisson.1", 1 << 20, &kept), 0);
    if (strcmp(buf_text(&kept), text) != 0)
        fail_msg("docs/caisson.1 is old: caisson generate man > docs/caisson.1");
    buf_dispose(&kept);
    free(text);
}

/* Every number stands in the README, in its table or in the line about those that are kept. */
static void test_readme_names_every_exit_code(void **state)
{
    enum error_class class;
    struct buf readme;
    size_t i;

    (void)state;
    buf_init(&readme, 1 << 20);
    assert_int_equal(fs_read_file(TEST_DATA_DIR "/../README.md", 1 << 20, &readme), 0);
    for (i = 0; error_class_at(i, &class); i++) {
        char in_table[16], in_text[16];

        snprintf(in_table, sizeof in_table, " %d ", (int)class);
        snprintf(in_text, sizeof in_text, "%d, ", (int)class);
        if (!strstr(buf_text(&readme), in_table) && !strstr(buf_text(&readme), in_text))
            fail_msg("README.md does not name exit code %d", (int)class);
    }
    buf_dispose(&readme);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_options_and_operands),
        cmocka_unit_test(test_mistakes),
        cmocka_unit_test(test_generated_texts_name_everything),
        cmocka_unit_test(test_tables_fit),
        cmocka_unit_test(test_commands_of_two_words),
        cmocka_unit_test(test_man_page_is_current),
        cmocka_unit_test(test_readme_names_every_exit_code),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
