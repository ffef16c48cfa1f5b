/* The text of .env; that parsers understand it alike is shown end to end (tests/e2e/test_dotenv.py). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "core/mem.h"
#include "job/dotenv.h"

static void quotes(void **state)
{
    static const struct {
        const char *value, *line; /* line NULL: left out */
    } vectors[] = {
        {"", "A=\n"},
        {"plain", "A=plain\n"},
        {"https://host:1/p?q", "A='https://host:1/p?q'\n"},
        {"a=b,c+d@e-f_g/h.i:j%k", "A=a=b,c+d@e-f_g/h.i:j%k\n"},
        {"C:\\dir\\", "A=C:\\dir\\\n"},
        {"two words", "A='two words'\n"},
        {" blanks ", "A=' blanks '\n"},
        {"#hash", "A='#hash'\n"},
        {"a#b", "A='a#b'\n"},
        {"$HOME ${X}", "A='$HOME ${X}'\n"},
        {"back\\slash n\\n", "A='back\\slash n\\n'\n"},
        {"say \"x\"", "A='say \"x\"'\n"},
        {"it's", "A=\"it's\"\n"},
        {"it's #1", "A=\"it's #1\"\n"},
        {"it's $5", "A=`it's $5`\n"},
        {"it's \"x\"", "A=`it's \"x\"`\n"},
        {"it's \\n", "A=`it's \\n`\n"},
        {"one\ntwo\n", "A='one\ntwo\n'\n"},
        {"it's\ntwo", "A=\"it's\ntwo\"\n"},
        {"one\r\ntwo", "A=\"one\\r\ntwo\"\n"},
        {"\xc3\xa9", "A='\xc3\xa9'\n"},
        {"ends in \\", NULL},
        {"it's \"`\"", NULL},
        {"one\r\"two\"", NULL},
        {"one\r$two", NULL},
        {"it's `x` \"y\"", NULL},
    };
    size_t i;

    (void)state;
    for (i = 0; i < ARRAY_LEN(vectors); i++) {
        struct buf out;

        buf_init(&out, 4096);
        assert_int_equal(dotenv_add(&out, "A", vectors[i].value), vectors[i].line != NULL);
        assert_string_equal(buf_text(&out), vectors[i].line ? vectors[i].line : "");
        buf_dispose(&out);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(quotes)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
