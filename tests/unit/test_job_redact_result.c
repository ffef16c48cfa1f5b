/* What the result quotes of others holds no secret, and no line of its own. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "core/mem.h"
#include "job/redact_result.h"

static void test_quoted_texts(void **state)
{
    struct redactor *redactor = redactor_new();
    struct result result;
    struct buf text;

    (void)state;
    redactor_add(redactor, "canary\nof-job", 13);
    result_init(&result);
    result.id = xstrdup("job-1");
    result.subject = xstrdup("Fix\tthis\033[2J");
    error_set(&result.error, CLASS_OUTPUT_REFUSED, "output-unreadable", "cannot open %s",
              "x\n00:00:00 publish\r\ncanary\nof-job");
    error_hint(&result.error, "look at %s", "\x7f\njob job-1 succeeded");
    redact_result(redactor, &result);
    assert_string_equal(result.error.message, "cannot open x?00:00:00 publish??" REDACT_MARK);
    assert_string_equal(result.error.hint, "look at ??job job-1 succeeded");
    assert_string_equal(result.subject, "Fix?this?[2J");
    /* The three lines that it has by itself. */
    buf_init(&text, 4096);
    result_text(&result, &text);
    assert_non_null(strstr(buf_text(&text), "\n  try: look at ??job job-1 succeeded\n  class output-refused"));
    buf_dispose(&text);
    result_dispose(&result);
    redactor_free(redactor);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_quoted_texts)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
