#include "support/broker.h"

#include <fcntl.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "core/fs.h"
#include "core/mem.h"

#define LINE_MAX_BYTES ((size_t)64 << 20)

static json_t *read_answer(struct broker *broker)
{
    char *line = NULL;
    size_t size = 0;
    ssize_t len = getline(&line, &size, broker->answers);
    json_t *answer = len > 0 && (size_t)len < LINE_MAX_BYTES ? json_loads(line, JSON_DECODE_ANY, NULL) : NULL;

    free(line);
    return answer;
}

static void run(const char *kind, const char *folder, int input, int output)
{
    CLEANUP_FREE char *program = xasprintf("%s/unit/support/broker", TEST_DATA_DIR);
    CLEANUP_FREE char *log = xasprintf("%s/log", folder);
    int fd = open(log, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);

    dup2(input, 0);
    dup2(output, 1);
    dup2(fd, 2);
    execl(program, program, kind, folder, (char *)NULL);
    _exit(127);
}

static void read_words(struct broker *broker, const json_t *words)
{
    const char *user = "", *password = "", *ca = "", *place = "";

    if (json_unpack((json_t *)words, "{s:i, s:i, s:s, s:s, s:s, s:s}", "port", &broker->port, "tls_port",
                    &broker->tls_port, "user", &user, "password", &password, "ca", &ca, "place", &place))
        abort();
    broker->user = xstrdup(user);
    broker->password = xstrdup(password);
    broker->ca = xstrdup(ca);
    broker->place = xstrdup(place);
}

bool broker_start(struct broker *broker, const char *kind)
{
    int orders[2], answers[2];
    json_t *words;

    *broker = (struct broker){0};
    if (fs_make_temp("/tmp", "caisson-broker-", &broker->folder) || pipe2(orders, O_CLOEXEC) ||
        pipe2(answers, O_CLOEXEC))
        abort();
    broker->pid = fork();
    if (broker->pid == 0)
        run(kind, broker->folder, orders[0], answers[1]);
    close(orders[0]);
    close(answers[1]);
    broker->orders = fdopen(orders[1], "w");
    broker->answers = fdopen(answers[0], "r");
    words = read_answer(broker);
    if (!words) {
        fprintf(stderr, "skipped: no %s; see %s/log\n", kind, broker->folder);
        free(broker->folder); /* the log stays */
        broker->folder = NULL;
        broker_stop(broker);
        return false;
    }
    read_words(broker, words);
    json_decref(words);
    return true;
}

static json_t *ask(struct broker *broker, const char *format, va_list arguments)
{
    json_t *answer;

    vfprintf(broker->orders, format, arguments);
    fputc('\n', broker->orders);
    fflush(broker->orders);
    answer = read_answer(broker);
    if (!answer || json_object_get(answer, "error")) {
        fprintf(stderr, "%s: %s\n", format, answer ? json_string_value(json_object_get(answer, "error")) : "no answer");
        abort();
    }
    return answer;
}

json_t *broker_ask(struct broker *broker, const char *format, ...)
{
    va_list arguments;
    json_t *answer;

    va_start(arguments, format);
    answer = ask(broker, format, arguments);
    va_end(arguments);
    return answer;
}

void broker_tell(struct broker *broker, const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    json_decref(ask(broker, format, arguments));
    va_end(arguments);
}

void broker_stop(struct broker *broker)
{
    if (broker->orders)
        fclose(broker->orders);
    if (broker->answers)
        fclose(broker->answers);
    if (broker->pid > 0)
        waitpid(broker->pid, NULL, 0);
    if (broker->folder)
        fs_remove_tree(broker->folder);
    free(broker->folder);
    free(broker->user);
    free(broker->password);
    free(broker->ca);
    free(broker->place);
}
