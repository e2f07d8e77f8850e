/*
 * The quick way through DIEs against libdw: every unit read both ways must
 * give the same functions, inlined calls and addresses.
 */
#include "tests/harness.h"

#include <string.h>
#include <unistd.h>

#include "symbolizer/debug_info.h"
#include "symbolizer/image_open.h"
#include "symbolizer/spans.h"
#include "tests/symbolizer/fixture.h"

struct reading {
    struct sym_image image;
    struct sym_strings strings;
    struct sym_debug_info info;
    uint32_t node_count;
};

static void read_all(
    struct reading *reading, const char *path, bool uses_libdw_only)
{
    static char *no_dirs[] = {NULL};
    struct diag problem = {0};
    CHECK_OK(sym_image_open(&reading->image, path, NULL));
    CHECK(sym_strings_init(&reading->strings));
    CHECK_OK(sym_debug_info_open(
        &reading->info, &reading->image, &reading->image, no_dirs,
        &reading->strings, &problem));
    reading->info.context.uses_libdw_only = uses_libdw_only;
    reading->node_count = 0;
    for (uint32_t i = 0; i < reading->info.units.count; i++) {
        struct sym_unit *unit = table_row(&reading->info.units, i);
        if (unit->is_read) { /* its root had no ranges: begin again */
            Dwarf_CU *handle = unit->handle;
            sym_unit_fini(unit);
            *unit = (struct sym_unit){.handle = handle};
        }
        CHECK_OK(sym_unit_read(unit, &reading->info.context, &problem));
        reading->node_count += unit->nodes.count;
    }
    CHECK_STR(problem.text, "");
}

static void destroy(struct reading *reading)
{
    sym_debug_info_close(&reading->info);
    sym_strings_fini(&reading->strings);
    sym_image_close(&reading->image);
}

static void compare_nodes(
    const struct reading *a, const struct sym_unit *x, const struct reading *b,
    const struct sym_unit *y)
{
    CHECK_EQ(x->nodes.count, y->nodes.count);
    for (uint32_t i = 0; i < x->nodes.count; i++) {
        const struct sym_node *p = sym_unit_node(x, i);
        const struct sym_node *q = sym_unit_node(y, i);
        CHECK_STR(
            sym_strings_text(&a->strings, p->name),
            sym_strings_text(&b->strings, q->name));
        CHECK_EQ(p->parent, q->parent);
        CHECK_EQ(p->start, q->start);
        CHECK_EQ(p->call_file, q->call_file);
        CHECK_EQ(p->call_line, q->call_line);
        CHECK_EQ(p->call_column, q->call_column);
    }
}

static void compare_spans(const struct sym_unit *x, const struct sym_unit *y)
{
    CHECK_EQ(x->spans.count, y->spans.count);
    const struct sym_span *p = x->spans.rows, *q = y->spans.rows;
    for (uint32_t i = 0; i < x->spans.count; i++) {
        CHECK_EQ(p[i].start, q[i].start);
        CHECK_EQ(p[i].end, q[i].end);
        CHECK_EQ(p[i].owner, q[i].owner);
    }
}

static void compare(const char *path)
{
    struct reading quick, libdw;
    read_all(&quick, path, false);
    read_all(&libdw, path, true);
    CHECK(libdw.node_count > 0);
    CHECK_EQ(quick.info.units.count, libdw.info.units.count);
    for (uint32_t i = 0; i < libdw.info.units.count; i++) {
        const struct sym_unit *x = table_row(&quick.info.units, i);
        const struct sym_unit *y = table_row(&libdw.info.units, i);
        CHECK(x->is_scanned && !y->is_scanned);
        compare_nodes(&quick, x, &libdw, y);
        compare_spans(x, y);
    }
    destroy(&quick);
    destroy(&libdw);
}

TEST(both_ways_agree_on_every_fixture)
{
    static const char *const fixtures[] = {
        "inline_gcc_dwarf2",
        "inline_gcc_dwarf3",
        "inline_gcc_dwarf4",
        "inline_gcc_dwarf5",
        "inline_gcc_dwarf64",
        "inline_gcc_types",
        "inline_gcc_sections",
        "inline_gcc_lto",
        "inline_gcc_zlib",
        "inline_clang_dwarf4",
        "inline_clang_dwarf5",
        "inline_clang_g1",
        "constructors",
        "constructors_g1",
        "shapes",
        "dwz_one"};
    for (size_t i = 0; i < sizeof fixtures / sizeof fixtures[0]; i++) {
        if (fixture_exists(fixtures[i]))
            compare(fixture_path(fixtures[i]));
    }
}

/* Every test is a program with debug information of its compiler's default. */
TEST(both_ways_agree_on_this_program)
{
    char path[4096];
    ssize_t bytes = readlink("/proc/self/exe", path, sizeof path - 1);
    assert_true(bytes > 0);
    path[bytes] = '\0';
    compare(path);
}
