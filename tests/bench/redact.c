/*
 * What redaction costs: its own throughput with more and more secrets on clean text, on text that is hostile to it, and
 * what it adds to the log path (output of a command → pipe → spool). Prints "NAME VALUE" lines.
 */
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "core/log.h"
#include "core/mem.h"
#include "core/redact.h"
#include "core/spool.h"

#define TEXT_SIZE ((size_t)32 << 20)
#define CHUNK 65536
#define ROUNDS 5

static uint32_t seed = 1;

static uint32_t roll(uint32_t below)
{
    seed = seed * 1664525 + 1013904223;
    return (uint32_t)((uint64_t)seed * below >> 32);
}

/* Lines as builds print them: words, paths, numbers. */
static void make_log(char *text, size_t size)
{
    static const char *const words[] = {
        "npm",
        "warn",
        "deprecated",
        "vite v5.4.2 building for production...",
        "modules",
        "transformed",
        "assets/index-",
        "dist/",
        ".js",
        " kB │ gzip:",
        "rendering chunks",
        "error",
        "at Object.<anonymous> (/workspace/source/node_modules/",
        "https://registry/",
        "http ",
        "fetch GET 200",
        "added 812 packages in 14s",
        "[1/4] Resolving packages",
        "sha512-",
        "=>",
    };
    size_t at = 0;

    while (at + 256 < size) {
        size_t words_left = 2 + roll(12);

        while (words_left--) {
            const char *word = words[roll(ARRAY_LEN(words))];

            at += (size_t)snprintf(text + at, 200, "%s %x", word, roll(100000));
            text[at++] = ' ';
            if (at + 256 >= size)
                break;
        }
        text[at++] = '\n';
    }
    while (at < size)
        text[at++] = '\n';
}

static struct redactor *make_redactor(size_t secrets)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-";
    struct redactor *redactor = redactor_new();
    char value[64];
    size_t i, k;

    for (i = 0; i < secrets; i++) {
        size_t len = 16 + roll(40);

        for (k = 0; k < len; k++)
            value[k] = digits[roll(64)];
        redactor_add(redactor, value, len);
    }
    return redactor;
}

static double seconds(void)
{
    struct timespec now;

    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

/* MB/s, the best of some rounds. */
static double throughput(const struct redactor *redactor, const char *text)
{
    double best = 1e9, start;
    struct redact_stream stream;
    struct buf out;
    size_t at;
    int round;

    buf_init(&out, (size_t)4 * CHUNK);
    for (round = 0; round < ROUNDS; round++) {
        redact_stream_init(&stream, redactor);
        start = seconds();
        for (at = 0; at < TEXT_SIZE; at += CHUNK) {
            redact_stream_feed(&stream, (struct view){text + at, CHUNK}, &out);
            buf_reset(&out);
        }
        redact_stream_flush(&stream, &out);
        buf_reset(&out);
        if (seconds() - start < best)
            best = seconds() - start;
        redact_stream_dispose(&stream);
    }
    buf_dispose(&out);
    return (double)TEXT_SIZE / best / 1e6;
}

/* The command: prints the text. */
static pid_t start_writer(const char *text, int *output)
{
    int pipe_fds[2];
    size_t at = 0;
    pid_t writer;

    if (pipe(pipe_fds))
        exit(1);
    writer = fork();
    if (writer == 0) {
        while (at < TEXT_SIZE) {
            ssize_t written = write(pipe_fds[1], text + at, TEXT_SIZE - at);

            if (written <= 0)
                _exit(1);
            at += (size_t)written;
        }
        _exit(0);
    }
    close(pipe_fds[1]);
    *output = pipe_fds[0];
    return writer;
}

/* CPU seconds of ours for one pass of the log path. */
static double log_path(struct redactor *redactor, const char *text)
{
    static char bytes[CHUNK];
    struct spool *spool = spool_new("/dev/shm", (int64_t)1 << 40);
    struct log *log = log_new(spool, redactor);
    double start, end;
    int output;
    pid_t writer = start_writer(text, &output);
    ssize_t got;

    start = seconds();
    while ((got = read(output, bytes, sizeof bytes)) > 0)
        log_output(log, false, bytes, (size_t)got);
    log_output_flush(log);
    end = seconds();
    close(output);
    waitpid(writer, NULL, 0);
    log_free(log);
    spool_free(spool);
    return end - start;
}

static void measure_log_path(const char *text)
{
    static const size_t counts[] = {0, 1, 10, 100, 1000};
    struct redactor *redactors[ARRAY_LEN(counts)];
    double best[ARRAY_LEN(counts)];
    size_t i;
    int round;

    for (i = 0; i < ARRAY_LEN(counts); i++) {
        redactors[i] = make_redactor(counts[i]);
        best[i] = 1e9;
    }
    for (round = 0; round < 2 * ROUNDS; round++)
        for (i = 0; i < ARRAY_LEN(counts); i++) {
            double took = log_path(redactors[i], text);

            if (took < best[i])
                best[i] = took;
        }
    for (i = 0; i < ARRAY_LEN(counts); i++) {
        printf("log.%zu %.4f\n", counts[i], best[i]);
        redactor_free(redactors[i]);
    }
}

int main(void)
{
    static const size_t counts[] = {0, 1, 10, 100, 1000};
    char *text = xmalloc(TEXT_SIZE);
    struct redactor *redactor;
    size_t i;

    make_log(text, TEXT_SIZE);
    for (i = 0; i < ARRAY_LEN(counts); i++) {
        redactor = make_redactor(counts[i]);
        printf("clean.%zu %.1f\n", counts[i], throughput(redactor, text));
        redactor_free(redactor);
    }
    measure_log_path(text);
    /* Every byte might begin a secret, and every few end one. */
    redactor = redactor_new();
    memset(text, 'a', TEXT_SIZE);
    redactor_add(redactor, text, 4000);
    memset(text + 1000, 'b', 1);
    redactor_add(redactor, text, 3000);
    memset(text, 'a', TEXT_SIZE);
    printf("hostile.repeated %.1f\n", throughput(redactor, text));
    for (i = 3999; i < TEXT_SIZE; i += 3000)
        text[i] = 'c';
    printf("hostile.almost %.1f\n", throughput(redactor, text));
    redactor_free(redactor);
    free(text);
    return 0;
}
