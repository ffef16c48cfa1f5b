/*
 * A versitygw of the test's own: an S3 server that checks every signature and honours conditions, on a folder that
 * goes with it. Its program comes from tests/tools/ensure-go-tool; without it a test skips.
 */
#ifndef CAISSON_TESTS_VERSITYGW_H
#define CAISSON_TESTS_VERSITYGW_H

#include <stdbool.h>
#include <sys/types.h>

#define VERSITYGW_ACCESS "AKIDTEST"
#define VERSITYGW_SECRET "secret/of+the-test"
#define VERSITYGW_REGION "eu-central-1"
#define VERSITYGW_BUCKET "test-bucket"

struct versitygw {
    pid_t pid;
    int port;       /* on 127.0.0.1; virtual hosts beneath "localhost" */
    char *folder;   /* <folder>/data/<bucket>/<key> are the objects */
    char *endpoint; /* "http://127.0.0.1:PORT" */
};

/* False when the program is not there: say so and skip. The bucket exists when it returns. */
bool versitygw_start(struct versitygw *server);
void versitygw_stop(struct versitygw *server);

#endif
