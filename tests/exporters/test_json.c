/* The JSON writer. */
#include "tests/harness.h"

#include <math.h>

#include "exporters/json.h"
#include "exporters/writer.h"

static struct exp_writer *writer;

static struct exp_json begin(enum exp_json_style style)
{
    writer = exp_writer_create_memory();
    assert_non_null(writer);
    return exp_json_init(writer, style);
}

static void check_text(const char *wanted)
{
    size_t count;
    const char *text = exp_writer_bytes(writer, &count);
    assert_non_null(text);
    CHECK_STR(text, wanted);
    exp_writer_destroy(writer);
}

static void check_refused(void)
{
    CHECK_EQ(exp_writer_status(writer), STATUS_LIMIT);
    exp_writer_destroy(writer);
}

static void write_sample(struct exp_json *json)
{
    exp_json_begin_object(json);
    exp_json_key(json, "list");
    exp_json_begin_array(json);
    exp_json_u64(json, UINT64_MAX);
    exp_json_i64(json, INT64_MIN);
    exp_json_bool(json, true);
    exp_json_null(json);
    exp_json_end(json);
    exp_json_key(json, "rows");
    exp_json_begin_array(json);
    exp_json_begin_object(json);
    exp_json_end(json);
    exp_json_begin_array(json);
    exp_json_end(json);
    exp_json_end(json);
    exp_json_end(json);
    CHECK(exp_json_is_complete(json));
}

TEST(json_places_commas_by_itself)
{
    struct exp_json json = begin(EXP_JSON_COMPACT);
    write_sample(&json);
    check_text(
        "{\"list\":[18446744073709551615,-9223372036854775808,true,null],"
        "\"rows\":[{},[]]}");
}

TEST(json_indents_rows_and_keeps_lists_of_scalars_on_a_line)
{
    struct exp_json json = begin(EXP_JSON_INDENTED);
    write_sample(&json);
    check_text("{\n"
               "  \"list\": [18446744073709551615, -9223372036854775808, true, "
               "null],\n"
               "  \"rows\": [\n"
               "    {},\n"
               "    []\n"
               "  ]\n"
               "}");
}

TEST(json_escapes_strings_and_replaces_broken_utf8)
{
    struct exp_json json = begin(EXP_JSON_COMPACT);
    exp_json_string(&json, "\"\\\n\t\x01\x7f </a&b> \xc3\xa9\xff \xe2\x80\xa8");
    check_text("\"\\\"\\\\\\n\\t\\u0001\\u007f </a&b> \xc3\xa9\xef\xbf\xbd "
               "\\u2028\"");
}

TEST(json_for_markup_escapes_what_ends_a_script)
{
    struct exp_json json = begin(EXP_JSON_MARKUP);
    exp_json_string(&json, "</script>&]]>");
    check_text("\"\\u003c/script\\u003e\\u0026]]\\u003e\"");
}

TEST(json_doubles_read_back_as_the_same_number)
{
    struct exp_json json = begin(EXP_JSON_COMPACT);
    exp_json_begin_array(&json);
    exp_json_double(&json, 0.1);
    exp_json_double(&json, 1.0 / 3);
    exp_json_double(&json, 1e300);
    exp_json_double(&json, NAN);
    exp_json_double(&json, INFINITY);
    exp_json_end(&json);
    check_text("[0.1,0.33333333333333331,1e+300,null,null]");
}

TEST(json_refuses_a_value_where_a_key_belongs)
{
    struct exp_json json = begin(EXP_JSON_COMPACT);
    exp_json_begin_object(&json);
    exp_json_u64(&json, 1);
    check_refused();
}

TEST(json_refuses_a_key_in_an_array)
{
    struct exp_json json = begin(EXP_JSON_COMPACT);
    exp_json_begin_array(&json);
    exp_json_key(&json, "a");
    check_refused();
}

TEST(json_refuses_an_end_too_many_and_a_key_without_a_value)
{
    struct exp_json json = begin(EXP_JSON_COMPACT);
    exp_json_end(&json);
    check_refused();

    json = begin(EXP_JSON_COMPACT);
    exp_json_begin_object(&json);
    exp_json_key(&json, "a");
    CHECK(!exp_json_is_complete(&json));
    exp_json_end(&json);
    check_refused();
}

TEST(json_refuses_to_nest_deeper_than_it_can_remember)
{
    struct exp_json json = begin(EXP_JSON_COMPACT);
    for (int level = 0; level < EXP_JSON_DEPTH; level++)
        exp_json_begin_array(&json);
    CHECK_EQ(exp_writer_status(writer), STATUS_OK);
    exp_json_begin_array(&json);
    check_refused();
}
