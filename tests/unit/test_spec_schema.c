/* The schema and docs/spec.md are the table's, and the specs of the vectors pass the schema as far as C can tell. */
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
#include "spec/table.h"
#include "support/vectors.h"

/* Every rule has its property with what it means, and later keys have none. */
static void check_schema_object(const struct rule *rules, const json_t *schema)
{
    const json_t *properties = json_object_get(schema, "properties");
    const struct rule *rule;
    size_t now = 0;

    assert_true(json_is_false(json_object_get(schema, "additionalProperties")));
    assert_non_null(json_object_get(json_object_get(schema, "patternProperties"), "^x-"));
    for (rule = rule_first(rules); rule; rule = rule_next(rule)) {
        json_t *property = json_object_get(properties, rule->name);
        json_t *below = property;

        if (rule->later) {
            assert_null(property);
            continue;
        }
        now++;
        assert_non_null(property);
        assert_string_equal(json_text(property, "description", ""), rule->doc);
        if ((rule->type == TYPE_OBJECT || rule->type == TYPE_SWITCH) && !rule->required)
            below = json_array_get(json_object_get(property, "anyOf"), 0);
        if (rule->type == TYPE_OBJECT_LIST)
            below = json_object_get(property, "items");
        if (rule->children)
            check_schema_object(rule->children, below);
    }
    assert_int_equal(json_object_size(properties), now);
}

static void follows_the_table(void **state)
{
    json_t *schema = spec_schema();

    (void)state;
    assert_string_equal(json_text(schema, "$schema", ""), "https://json-schema.org/draft/2020-12/schema");
    check_schema_object(spec_rules, schema);
    assert_int_equal(json_array_size(json_object_get(schema, "required")), 2);
    json_decref(schema);
}

/* Each rule of the table is whole: what its type needs is there. */
static void check_rules(const struct rule *rules)
{
    const struct rule *rule;

    for (rule = rule_first(rules); rule; rule = rule_next(rule)) {
        assert_non_null(rule->doc);
        if (rule->later)
            continue;
        assert_int_equal(rule->type == TYPE_ENUM, rule->type != TYPE_LIST && rule->values);
        assert_int_equal(rule->type == TYPE_OBJECT || rule->type == TYPE_SWITCH || rule->type == TYPE_OBJECT_LIST,
                         rule->children != NULL);
        if (rule->type == TYPE_TEXT || rule->type == TYPE_COMMAND)
            assert_non_null(rule->check);
        if (rule->type == TYPE_TEXT_MAP || rule->type == TYPE_SECRET_MAP)
            assert_non_null(rule->check_name);
        if (rule->type == TYPE_INT)
            assert_true(rule->min <= rule->max);
        if (rule->children)
            check_rules(rule->children);
    }
}

static void table_is_whole(void **state)
{
    (void)state;
    check_rules(spec_rules);
    check_rules(operator_rules);
}

static void documented(void **state)
{
    struct buf out;

    (void)state;
    buf_init(&out, (size_t)1 << 20);
    spec_markdown(&out);
    assert_false(out.overflow);
    vectors_expect("../docs", "spec.md", buf_text(&out));
    buf_dispose(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(follows_the_table),
        cmocka_unit_test(table_is_whole),
        cmocka_unit_test(documented),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
