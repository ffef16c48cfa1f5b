/* The bytes between runner and sandbox: what is written can be read, and nothing else can. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "core/mem.h"
#include "proc/sandbox_message.h"

static struct view view_of_buf(const struct buf *buf)
{
    return (struct view){buf_text(buf), buf->len};
}

static void test_messages_come_back(void **state)
{
    static const struct {
        enum sandbox_side from;
        struct sandbox_message message;
    } all[] = {
        {SANDBOX_RUNNER, {SANDBOX_HELLO, 0, 0, {"caisson\n\1\0\0\0\2\0\0\0", 16}}},
        {SANDBOX_BUILD, {SANDBOX_HELLO, 0, 0, {"caisson\n\1\0\0\0\2\0\0\0", 16}}},
        {SANDBOX_RUNNER, {SANDBOX_COMMAND, SANDBOX_LAST, 1, {"x", 1}}},
        {SANDBOX_RUNNER, {SANDBOX_COMMAND, SANDBOX_LAST | SANDBOX_ONE_STREAM, 2, {"x", 1}}},
        {SANDBOX_RUNNER, {SANDBOX_COMMAND, 0, UINT32_MAX, {"x\0y", 3}}},
        {SANDBOX_RUNNER, {SANDBOX_CANCEL, 0, 7, {"abcd", 4}}},
        {SANDBOX_RUNNER, {SANDBOX_KILL, 0, 7, {"", 0}}},
        {SANDBOX_RUNNER, {SANDBOX_PING, 0, 0, {"", 0}}},
        {SANDBOX_RUNNER, {SANDBOX_FINISH, 0, 0, {"", 0}}},
        {SANDBOX_BUILD, {SANDBOX_OUTPUT, SANDBOX_STDERR, 0x01020304, {"text", 4}}},
        {SANDBOX_BUILD, {SANDBOX_PONG, 0, 0, {"", 0}}},
        {SANDBOX_BUILD, {SANDBOX_REAPED, 0, 0, {"\0\0\0\0", 4}}},
    };
    struct sandbox_message back;
    struct buf packet;
    size_t i;

    (void)state;
    buf_init(&packet, SANDBOX_PACKET_MAX);
    for (i = 0; i < ARRAY_LEN(all); i++) {
        buf_reset(&packet);
        sandbox_message_encode(&all[i].message, &packet);
        assert_null(sandbox_message_decode(view_of_buf(&packet), all[i].from, &back));
        assert_int_equal(back.type, all[i].message.type);
        assert_int_equal(back.flags, all[i].message.flags);
        assert_int_equal(back.number, all[i].message.number);
        assert_int_equal(back.payload.len, all[i].message.payload.len);
        assert_memory_equal(back.payload.data, all[i].message.payload.data, back.payload.len);
    }
    buf_dispose(&packet);
}

static void assert_refused(enum sandbox_side from, const char *bytes, size_t len)
{
    struct sandbox_message message;
    char *copy = xmalloc(len ? len : 1); /* of its exact size: a read beyond it is seen */
    const char *wrong;

    memcpy(copy, bytes, len);
    wrong = sandbox_message_decode((struct view){copy, len}, from, &message);
    assert_non_null(wrong);
    assert_true(*wrong);
    free(copy);
}

#define REFUSED(from, bytes) assert_refused(from, bytes, sizeof(bytes) - 1)

static void test_packets_that_mean_nothing(void **state)
{
    (void)state;
    REFUSED(SANDBOX_BUILD, "");
    REFUSED(SANDBOX_BUILD, "\x0a\0\0\0\0\0\0");   /* no whole header */
    REFUSED(SANDBOX_BUILD, "\0\0\0\0\0\0\0\0");   /* type 0 */
    REFUSED(SANDBOX_BUILD, "\x0c\0\0\0\0\0\0\0"); /* a type that nobody knows */
    REFUSED(SANDBOX_BUILD, "\xff\0\0\0\0\0\0\0");
    REFUSED(SANDBOX_BUILD, "\x0a\1\0\0\0\0\0\0"); /* PONG with a flag */
    REFUSED(SANDBOX_BUILD, "\x0a\0\1\0\0\0\0\0"); /* … with a byte that must be zero */
    REFUSED(SANDBOX_BUILD, "\x0a\0\0\1\0\0\0\0");
    REFUSED(SANDBOX_BUILD, "\x0a\0\0\0\1\0\0\0");       /* … with a number */
    REFUSED(SANDBOX_BUILD, "\x0a\0\0\0\0\0\0\0x");      /* … with a payload */
    REFUSED(SANDBOX_BUILD, "\x07\0\0\0\0\0\0\0x");      /* OUTPUT of no command */
    REFUSED(SANDBOX_BUILD, "\x07\2\0\0\1\0\0\0x");      /* … with an unknown flag */
    REFUSED(SANDBOX_BUILD, "\x07\0\0\0\1\0\0\0");       /* … without bytes */
    REFUSED(SANDBOX_BUILD, "\x0b\0\0\0\0\0\0\0\0\0\0"); /* REAPED, too short */
    REFUSED(SANDBOX_BUILD, "\x0b\0\0\0\0\0\0\0\0\0\0\0\0");
    REFUSED(SANDBOX_BUILD, "\x02\1\0\0\1\0\0\0x"); /* the runner's words from the sandbox */
    REFUSED(SANDBOX_BUILD, "\x06\0\0\0\0\0\0\0");
    REFUSED(SANDBOX_RUNNER, "\x02\4\0\0\1\0\0\0x"); /* COMMAND with an unknown flag */
    REFUSED(SANDBOX_RUNNER, "\x07\0\0\0\1\0\0\0x"); /* and the other way round */
    REFUSED(SANDBOX_RUNNER, "\x08\0\0\0\1\0\0\0x");
    REFUSED(SANDBOX_RUNNER, "\x03\0\0\0\1\0\0\0xyz");                     /* CANCEL, too short */
    REFUSED(SANDBOX_RUNNER, "\x01\0\0\0\0\0\0\0caisson\n\1\0\0\0\2\0\0"); /* HELLO, too short */
}

static void test_no_payload_is_over_the_ceiling(void **state)
{
    char *bytes = xcalloc(1, SANDBOX_PACKET_MAX + 1);
    struct sandbox_message message;

    (void)state;
    bytes[0] = SANDBOX_OUTPUT;
    bytes[4] = 1;
    assert_null(sandbox_message_decode((struct view){bytes, SANDBOX_PACKET_MAX}, SANDBOX_BUILD, &message));
    assert_int_equal(message.payload.len, SANDBOX_PAYLOAD_MAX);
    assert_non_null(sandbox_message_decode((struct view){bytes, SANDBOX_PACKET_MAX + 1}, SANDBOX_BUILD, &message));
    free(bytes);
}

static void test_a_greeting(void **state)
{
    struct sandbox_hello hello = {3, 1000}, back;
    struct buf out;

    (void)state;
    buf_init(&out, 128);
    sandbox_hello_encode(&hello, &out);
    assert_int_equal(out.len, 16);
    assert_memory_equal(out.data, "caisson\n\3\0\0\0\xe8\3\0\0", 16);
    buf_adds(&out, "what a later version adds");
    assert_null(sandbox_hello_decode(view_of_buf(&out), &back));
    assert_int_equal(back.version, 3);
    assert_int_equal(back.build_uid, 1000);
    assert_non_null(sandbox_hello_decode((struct view){"caisson\0\1\0\0\0\2\0\0\0", 16}, &back));
    assert_non_null(sandbox_hello_decode((struct view){"caisson\n\1\0\0\0\2\0\0", 15}, &back));
    buf_dispose(&out);
}

static void fill_command(struct command *command)
{
    command_init(command, "npm ci");
    strings_add(&command->argv, "/bin/sh");
    strings_add(&command->argv, "-c");
    strings_add(&command->argv, "");
    strings_add(&command->env, "PATH=/bin");
    strings_add(&command->env, "BYTES=\xff\xfe\n");
    command->directory = "/workspace/x";
    command->workspace = "/workspace";
    command->input = (struct view){"in\0put", 6};
    command->timeout_ms = 1000;
    command->idle_ms = 2000;
    command->grace_ms = 3000;
    command->limits = (struct command_limits){4096, 5000000000, 1024};
    command->memory = (struct command_memory){8000000000, 7000000000, 90};
}

static void test_a_command(void **state)
{
    struct sandbox_command back;
    struct command command;
    struct buf out;
    size_t len;

    (void)state;
    fill_command(&command);
    buf_init(&out, SANDBOX_COMMAND_MAX);
    assert_int_equal(sandbox_command_encode(&command, &out), 0);
    assert_null(sandbox_command_decode(view_of_buf(&out), &back));
    assert_string_equal(back.command.name, "npm ci");
    assert_int_equal(back.command.argv.len, 3);
    assert_string_equal(back.command.argv.items[2], "");
    assert_string_equal(env_get(&back.command.env, "BYTES"), "\xff\xfe\n");
    assert_string_equal(back.command.directory, "/workspace/x");
    assert_string_equal(back.command.workspace, "/workspace");
    assert_int_equal(back.command.input.len, 6);
    assert_memory_equal(back.command.input.data, "in\0put", 6);
    assert_int_equal(back.command.timeout_ms, 1000);
    assert_int_equal(back.command.idle_ms, 2000);
    assert_int_equal(back.command.grace_ms, 3000);
    assert_int_equal(back.command.limits.processes, 4096);
    assert_int_equal(back.command.limits.file_size_bytes, 5000000000);
    assert_int_equal(back.command.limits.open_files, 1024);
    assert_int_equal(back.command.memory.known_limit_bytes, 8000000000);
    assert_int_equal(back.command.memory.bytes, 7000000000);
    assert_int_equal(back.command.memory.percent, 90);
    assert_int_equal(back.command.user, COMMAND_AS_BUILD);
    sandbox_command_dispose(&back);
    for (len = 0; len < out.len; len++) {
        char *part = xmalloc(len ? len : 1);

        memcpy(part, out.data, len);
        assert_non_null(sandbox_command_decode((struct view){part, len}, &back));
        free(part);
    }
    buf_addc(&out, 'x');
    assert_non_null(sandbox_command_decode(view_of_buf(&out), &back));
    buf_dispose(&out);
    command_dispose(&command);
}

/* As a runner that lost its senses would send it: `change` is made to the command before it is written. */
static void refuse_command(void (*change)(struct command *command))
{
    struct sandbox_command back;
    struct command command;
    struct buf out;

    fill_command(&command);
    change(&command);
    buf_init(&out, SANDBOX_COMMAND_MAX + 1);
    sandbox_command_encode(&command, &out);
    assert_non_null(sandbox_command_decode(view_of_buf(&out), &back));
    buf_dispose(&out);
    command_dispose(&command);
}

static void without_program(struct command *command)
{
    strings_dispose(&command->argv);
    strings_add(&command->argv, "");
}

static void without_arguments(struct command *command)
{
    strings_dispose(&command->argv);
}

static void with_relative_folder(struct command *command)
{
    command->directory = "x";
}

static void with_negative_time(struct command *command)
{
    command->timeout_ms = -1;
}

static void with_endless_grace(struct command *command)
{
    command->grace_ms = INT64_MAX;
}

static void with_many_arguments(struct command *command)
{
    int i;

    for (i = 0; i <= SANDBOX_STRINGS_MAX; i++)
        strings_add(&command->argv, "");
}

static void test_commands_that_make_no_sense(void **state)
{
    struct sandbox_command back;

    (void)state;
    refuse_command(without_program);
    refuse_command(without_arguments);
    refuse_command(with_relative_folder);
    refuse_command(with_negative_time);
    refuse_command(with_endless_grace);
    refuse_command(with_many_arguments);
    /* A text with a NUL, and one that says to be longer than all there is. */
    assert_non_null(sandbox_command_decode((struct view){"\3\0\0\0a\0b", 7}, &back));
    assert_non_null(sandbox_command_decode((struct view){"\xff\xff\xff\xff", 4}, &back));
}

static void test_a_command_that_is_too_large(void **state)
{
    struct command command;
    struct buf out;
    char *large = xmalloc(SANDBOX_COMMAND_MAX + 1);

    (void)state;
    memset(large, 'x', SANDBOX_COMMAND_MAX);
    large[SANDBOX_COMMAND_MAX] = '\0';
    command_init(&command, "large");
    strings_take(&command.argv, large);
    buf_init(&out, SANDBOX_COMMAND_MAX);
    assert_int_equal(sandbox_command_encode(&command, &out), -1);
    buf_dispose(&out);
    command_dispose(&command);
}

static void test_an_end(void **state)
{
    const struct outcome outcomes[] = {
        {.kind = OUTCOME_EXITED, .exit_code = 255, .duration_ms = 5, .peak_rss_bytes = 7, .left_over = 3},
        {.kind = OUTCOME_SIGNALED, .signal = 9, .core_dumped = true, .out_of_memory = true},
        {.kind = OUTCOME_TIMED_OUT, .signal = 15},
        {.kind = OUTCOME_IDLE, .exit_code = 1},
        {.kind = OUTCOME_STOPPED},
        {.kind = OUTCOME_MEMORY, .signal = 9, .memory = {1 << 20, 2 << 20, 3 << 20, 4 << 20, "node"}},
    };
    struct outcome back;
    struct buf out;
    size_t i;

    (void)state;
    buf_init(&out, 128);
    for (i = 0; i < ARRAY_LEN(outcomes); i++) {
        buf_reset(&out);
        sandbox_exit_encode(&outcomes[i], &out);
        assert_null(sandbox_exit_decode(view_of_buf(&out), &back));
        assert_int_equal(back.kind, outcomes[i].kind);
        assert_int_equal(back.exit_code, outcomes[i].exit_code);
        assert_int_equal(back.signal, outcomes[i].signal);
        assert_int_equal(back.core_dumped, outcomes[i].core_dumped);
        assert_int_equal(back.out_of_memory, outcomes[i].out_of_memory);
        assert_int_equal(back.duration_ms, outcomes[i].duration_ms);
        assert_int_equal(back.peak_rss_bytes, outcomes[i].peak_rss_bytes);
        assert_int_equal(back.left_over, outcomes[i].left_over);
        assert_int_equal(back.memory.limit_bytes, outcomes[i].memory.limit_bytes);
        assert_int_equal(back.memory.threshold_bytes, outcomes[i].memory.threshold_bytes);
        assert_int_equal(back.memory.peak_bytes, outcomes[i].memory.peak_bytes);
        assert_int_equal(back.memory.biggest_bytes, outcomes[i].memory.biggest_bytes);
        assert_string_equal(back.memory.biggest_name, outcomes[i].memory.biggest_name);
    }
    buf_dispose(&out);
}

static void test_ends_that_cannot_be(void **state)
{
    const struct outcome outcomes[] = {
        {.kind = OUTCOME_DISK},
        {.kind = (enum outcome_kind)99},
        {.kind = OUTCOME_EXITED, .exit_code = 256},
        {.kind = OUTCOME_EXITED, .exit_code = -1},
        {.kind = OUTCOME_EXITED, .signal = 9},
        {.kind = OUTCOME_SIGNALED, .signal = 65},
        {.kind = OUTCOME_SIGNALED},
        {.kind = OUTCOME_SIGNALED, .signal = 9, .exit_code = 1},
        {.kind = OUTCOME_EXITED, .duration_ms = -1},
        {.kind = OUTCOME_EXITED, .peak_rss_bytes = INT64_MAX},
        {.kind = OUTCOME_EXITED, .left_over = -1},
        {.kind = OUTCOME_EXITED, .memory.peak_bytes = INT64_MAX},
    };
    struct outcome back;
    struct buf out;
    size_t i;

    (void)state;
    buf_init(&out, 128);
    for (i = 0; i < ARRAY_LEN(outcomes); i++) {
        buf_reset(&out);
        sandbox_exit_encode(&outcomes[i], &out);
        assert_non_null(sandbox_exit_decode(view_of_buf(&out), &back));
    }
    buf_dispose(&out);
}

static void test_the_name_of_a_process_is_the_builds_word(void **state)
{
    struct outcome outcome = {.memory.biggest_name = "\033[31m\n\xff x"}, back;
    struct buf out;

    (void)state;
    buf_init(&out, 128);
    memset(outcome.memory.biggest_name + 10, 'x', sizeof outcome.memory.biggest_name - 10);
    sandbox_exit_encode(&outcome, &out);
    assert_null(sandbox_exit_decode(view_of_buf(&out), &back));
    assert_string_equal(back.memory.biggest_name, "?[31m???x");
    buf_dispose(&out);
}

static void decode_failure(const struct error *error, struct error *back)
{
    struct buf out;

    buf_init(&out, 8192);
    sandbox_failed_encode(error, &out);
    assert_null(sandbox_failed_decode(view_of_buf(&out), back));
    buf_dispose(&out);
}

static void test_a_failure_keeps_its_words_and_nothing_else(void **state)
{
    struct error error, back;

    (void)state;
    error_set(&error, CLASS_INTERNAL, "command-not-found", "x: there is no program \"y\"");
    error_hint(&error, "install it");
    decode_failure(&error, &back);
    assert_string_equal(back.reason, "command-not-found");
    assert_string_equal(back.message, error.message);
    assert_string_equal(back.hint, "install it");
    assert_false(back.retryable);
    /* A class, and a reason that is not an executor's, would be a lie of the result. */
    error_set(&error, CLASS_SUPERSEDED, "superseded", "red \033[31m\nsecond line \xff");
    error_retryable(&error, 0);
    decode_failure(&error, &back);
    assert_int_equal(back.class, CLASS_INTERNAL);
    assert_string_equal(back.reason, "sandbox-error");
    assert_string_equal(back.message, "red  [31m second line \xEF\xBF\xBD");
    assert_true(back.retryable);
    assert_int_equal(back.child_exit, -1);
}

static void test_failures_that_make_no_sense(void **state)
{
    struct error back;

    (void)state;
    assert_non_null(sandbox_failed_decode((struct view){"", 0}, &back));
    assert_non_null(sandbox_failed_decode((struct view){"\2\0\0\0\0\1\0\0\0m\0\0\0\0", 14}, &back));
    assert_non_null(sandbox_failed_decode((struct view){"\0\0\0\0\0\0\0\0\0\0\0\0\0", 13}, &back));
    assert_non_null(sandbox_failed_decode((struct view){"\0\0\0\0\0\1\0\0\0m\0\0\0\0x", 15}, &back));
    assert_null(sandbox_failed_decode((struct view){"\0\0\0\0\0\1\0\0\0m\0\0\0\0", 14}, &back));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_messages_come_back),
        cmocka_unit_test(test_packets_that_mean_nothing),
        cmocka_unit_test(test_no_payload_is_over_the_ceiling),
        cmocka_unit_test(test_a_greeting),
        cmocka_unit_test(test_a_command),
        cmocka_unit_test(test_commands_that_make_no_sense),
        cmocka_unit_test(test_a_command_that_is_too_large),
        cmocka_unit_test(test_an_end),
        cmocka_unit_test(test_ends_that_cannot_be),
        cmocka_unit_test(test_the_name_of_a_process_is_the_builds_word),
        cmocka_unit_test(test_a_failure_keeps_its_words_and_nothing_else),
        cmocka_unit_test(test_failures_that_make_no_sense),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
