/* TLS against OpenSSL's own test server, with a certificate that the test makes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <fcntl.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "core/fs.h"
#include "core/mem.h"
#include "net/http.h"
#include "support/http_server.h"
#include "support/skip.h"

struct fixture {
    char *folder;
    char certificate[128], key[128];
    int port;
    pid_t server;
    struct loop *loop;
};

static pid_t spawn(const char *const *words)
{
    struct strings argv = {0};
    pid_t pid;

    for (; *words; words++)
        strings_add(&argv, *words);
    pid = fork();

    if (pid == 0) {
        int null = open("/dev/null", O_RDWR);

        prctl(PR_SET_PDEATHSIG, SIGKILL);
        dup2(null, 0);
        dup2(null, 1);
        dup2(null, 2);
        execvp(argv.items[0], argv.items);
        _exit(127);
    }
    strings_dispose(&argv);
    return pid;
}

static int exit_code_of(pid_t pid)
{
    int status;

    waitpid(pid, &status, 0);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static int setup(void **state)
{
    struct fixture *f = xcalloc(1, sizeof *f);
    char port[16];

    assert_int_equal(fs_make_temp("/tmp", "caisson-test-", &f->folder), 0);
    snprintf(f->certificate, sizeof f->certificate, "%s/cert.pem", f->folder);
    snprintf(f->key, sizeof f->key, "%s/key.pem", f->folder);
    f->loop = loop_new();
    *state = f;
    if (exit_code_of(spawn((const char *const[]){"openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt",
                                                 "ec_paramgen_curve:P-256", "-nodes", "-keyout", f->key, "-out",
                                                 f->certificate, "-days", "2", "-subj", "/CN=localhost", "-addext",
                                                 "subjectAltName=DNS:localhost", NULL}))) {
        f->server = -1; /* no openssl here: the tests skip themselves */
        return 0;
    }
    f->port = http_server_unused_port();
    snprintf(port, sizeof port, "%d", f->port);
    f->server = spawn((const char *const[]){"openssl", "s_server", "-accept", port, "-cert", f->certificate, "-key",
                                            f->key, "-www", "-quiet", NULL});
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;

    if (f->server > 0) {
        kill(f->server, SIGKILL);
        waitpid(f->server, NULL, 0);
    }
    loop_free(f->loop);
    fs_remove_tree(f->folder);
    free(f->folder);
    free(f);
    return 0;
}

static const char *ask(struct fixture *f, struct http_client *client, const char *host, struct error *err)
{
    struct http_request request;
    struct http_response response;
    char url[128];
    int tries = 0, result;

    snprintf(url, sizeof url, "https://%s:%d/", host, f->port);
    http_request_init(&request, "GET", url);
    request.max_response = 1024 * 1024;
    http_response_init(&response);
    do { /* the server takes a moment to listen */
        result = http_perform(client, &request, &response, err);
        if (result && strcmp(err->reason, "connect-failed") == 0)
            loop_sleep(f->loop, 50, NULL);
        else
            break;
    } while (++tries < 100);
    if (result == 0)
        assert_int_equal(response.status, 200);
    http_request_dispose(&request);
    http_response_dispose(&response);
    return result ? err->reason : "";
}

static const char *get(struct fixture *f, const char *ca_bundle, const char *host, struct error *err)
{
    struct http_client *client = http_client_new(f->loop, &(struct http_options){.ca_bundle = ca_bundle});
    const char *reason = ask(f, client, host, err);

    http_client_free(client);
    return reason;
}

/* A build that is root beside us can replace every file: with its own authority it would be whoever we speak to. */
static void test_a_bundle_that_is_replaced_is_not_obeyed(void **state)
{
    struct fixture *f = *state;
    CLEANUP_FREE char *bundle = xasprintf("%s/bundle.pem", f->folder);
    struct http_client *client;
    struct buf authority;
    struct error err;

    if (f->server < 0)
        skip_because("no server with TLS could be started");
    buf_init(&authority, 65536);
    assert_int_equal(fs_read_file(f->certificate, 65536, &authority), 0);
    assert_int_equal(fs_write_file(bundle, "", 0, 0644), 0);
    client = http_client_new(f->loop, &(struct http_options){.ca_bundle = bundle});
    assert_int_equal(fs_write_file(bundle, authority.data, authority.len, 0644), 0);
    assert_string_equal(ask(f, client, "localhost", &err), "tls-failed");
    http_client_free(client);
    assert_int_equal(remove(bundle), 0);

    bundle[strlen(bundle) - 1] = '2'; /* what was read of a name counts for good */
    assert_int_equal(fs_write_file(bundle, authority.data, authority.len, 0644), 0);
    client = http_client_new(f->loop, &(struct http_options){.ca_bundle = bundle});
    assert_int_equal(remove(bundle), 0);
    assert_string_equal(ask(f, client, "localhost", &err), "");
    assert_string_equal(http_client_ca_bundle(client), bundle);
    http_client_free(client);
    buf_dispose(&authority);
}

/* At a pipe whoever opens it waits until somebody writes: PID 1 would wait for ever. */
static void test_a_bundle_that_is_a_pipe_is_none(void **state)
{
    struct fixture *f = *state;
    CLEANUP_FREE char *bundle = xasprintf("%s/pipe.pem", f->folder);
    struct http_client *client;
    struct error err;

    if (f->server < 0)
        skip_because("no server with TLS could be started");
    assert_int_equal(mkfifo(bundle, 0600), 0);
    assert_string_equal(get(f, bundle, "localhost", &err), "tls-failed");
    assert_non_null(strstr(err.message, bundle));
    assert_int_equal(remove(bundle), 0);

    /* nor does one count that comes later */
    client = http_client_new(f->loop, &(struct http_options){.ca_bundle = bundle});
    assert_int_equal(mkfifo(bundle, 0600), 0);
    assert_string_equal(ask(f, client, "localhost", &err), "tls-failed");
    http_client_free(client);
}

static void test_certificates_are_checked(void **state)
{
    struct fixture *f = *state;
    struct error err;

    if (f->server < 0)
        skip_because("no server with TLS could be started");
    assert_string_equal(get(f, f->certificate, "localhost", &err), "");
    assert_string_equal(get(f, f->certificate, "localhost", &err), "");
    /* The system's bundle does not know it; the right one does not cover another name. */
    assert_string_equal(get(f, NULL, "localhost", &err), "tls-failed");
    assert_false(err.retryable);
    assert_true(err.hint[0] != '\0');
    assert_string_equal(get(f, f->certificate, "127.0.0.1", &err), "tls-failed");
    assert_string_equal(get(f, "/no/such/bundle.pem", "localhost", &err), "tls-failed");
}

/* A server that hangs up in the handshake is a lost connection, which may pass. */
static void test_cut_handshake(void **state)
{
    struct fixture *f = *state;
    struct http_server server;
    struct error err;

    http_server_start_mute(&server);
    f->port = server.port;
    assert_string_equal(get(f, NULL, "127.0.0.1", &err), "connection-lost");
    assert_true(err.retryable);
    http_server_stop(&server);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_certificates_are_checked, setup, teardown),
        cmocka_unit_test_setup_teardown(test_a_bundle_that_is_replaced_is_not_obeyed, setup, teardown),
        cmocka_unit_test_setup_teardown(test_a_bundle_that_is_a_pipe_is_none, setup, teardown),
        cmocka_unit_test_setup_teardown(test_cut_handshake, setup, teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
