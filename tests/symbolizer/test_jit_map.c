/* Names of code made in memory. */
#include "tests/harness.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "symbolizer/jit_file.h"

static struct sym_jit_map map_of(const void *bytes, size_t count)
{
    struct sym_jit_map map = {0};
    CHECK_OK(sym_jit_map_add_bytes(&map, bytes, count));
    CHECK(sym_jit_map_finish(&map));
    return map;
}

static const char *name_at(const struct sym_jit_map *map, uint64_t pc)
{
    const struct sym_jit_code *code = sym_jit_map_find(map, pc);
    return code != NULL ? code->name : "";
}

TEST(map_names_each_piece_of_code)
{
    static const char text[] = "7f00001000 20 LazyCompile:~f /a b.js:1\n"
                               "0x7f00002000 10 second\n"
                               "7f00003000 8 last";
    struct sym_jit_map map = map_of(text, sizeof text - 1);
    CHECK_STR(name_at(&map, 0x7f00001000), "LazyCompile:~f /a b.js:1");
    CHECK_STR(name_at(&map, 0x7f0000101f), "LazyCompile:~f /a b.js:1");
    CHECK_STR(name_at(&map, 0x7f00001020), "");
    CHECK_STR(name_at(&map, 0x7f00002004), "second");
    CHECK_STR(name_at(&map, 0x7f00003007), "last");
    sym_jit_map_fini(&map);
}

TEST(map_lets_later_code_cover_earlier)
{
    static const char text[] = "1000 100 old\n1040 20 new\n1000 8 newest\n";
    struct sym_jit_map map = map_of(text, sizeof text - 1);
    CHECK_STR(name_at(&map, 0x1000), "newest");
    CHECK_STR(name_at(&map, 0x1008), "old");
    CHECK_STR(name_at(&map, 0x1040), "new");
    CHECK_STR(name_at(&map, 0x1060), "old");
    sym_jit_map_fini(&map);
}

TEST(map_passes_over_damaged_lines)
{
    static const char text[] = "\n x\n1000\n1000 10\n1000 10 \n"
                               "zz 10 name\n1000 zz name\n1000 0 empty\n"
                               "ffffffffffffffff 10 wraps\n2000 10 good\n";
    struct sym_jit_map map = map_of(text, sizeof text - 1);
    CHECK_EQ(map.codes.count, 1);
    CHECK_STR(name_at(&map, 0x2000), "good");
    sym_jit_map_fini(&map);
}

TEST(map_keeps_only_what_answers_for_what_is_wanted)
{
    static const uint64_t wanted[] = {0x1010, 0x5008};
    struct sym_jit_map map = {.wanted = wanted, .wanted_count = 2};
    char *text = calloc(1, 20 << 20);
    assert_non_null(text);
    size_t count = 0;
    /* The same place made anew 200 000 times, others never asked for. */
    for (unsigned i = 0; i < 200000; i++)
        count += (size_t)sprintf(
            text + count, "1000 20 f%u\n%x 10 other%u\n", i, 0x100000 + 16 * i,
            i);
    count += (size_t)sprintf(text + count, "5000 10 last");
    CHECK_OK(sym_jit_map_add_bytes(&map, text, count));
    CHECK(map.codes.count < 100000);
    CHECK(sym_jit_map_finish(&map));
    CHECK_STR(name_at(&map, 0x1010), "f199999");
    CHECK_STR(name_at(&map, 0x5008), "last");
    CHECK_STR(name_at(&map, 0x100000), "");
    sym_jit_map_fini(&map);
    free(text);
}

TEST(map_passes_over_a_line_without_an_end_and_stops_at_a_hole)
{
    enum { LONG = 200000 };
    struct sym_jit_map map = {0};
    char *text = malloc(2 * LONG);
    assert_non_null(text);
    memset(text, 'x', LONG);
    int count = LONG + sprintf(text + LONG, "\n1000 10 good\n");
    CHECK_OK(sym_jit_map_add_bytes(&map, text, (size_t)count));
    memset(text, 0, LONG);
    CHECK_OK(sym_jit_map_add_bytes(&map, text, (size_t)count));
    CHECK_EQ(map.codes.count, 1);
    CHECK(sym_jit_map_finish(&map));
    CHECK_STR(name_at(&map, 0x1004), "good");
    sym_jit_map_fini(&map);
    free(text);
}

TEST(map_of_a_file_that_is_none_is_refused)
{
    struct sym_jit_map map = {0};
    struct diag diag = {0};
    CHECK_EQ(
        sym_jit_map_add_file(&map, "/nonexistent", 0, &diag), STATUS_SYSTEM);
    CHECK_EQ(
        sym_jit_map_add_file(&map, "/dev/zero", 0, &diag), STATUS_UNSUPPORTED);
    CHECK(strstr(diag.text, "/dev/zero") != NULL);
    CHECK(sym_jit_map_finish(&map));
    sym_jit_map_fini(&map);
}

enum { STRANGER = 65534, PROGRAM = 65533 };

TEST(map_by_a_link_or_of_another_user_is_refused)
{
    char folder[] = "/tmp/wf-jit-XXXXXX", file[64], link[64];
    struct sym_jit_map map = {0};
    struct diag diag = {0};
    CHECK(mkdtemp(folder) != NULL);
    (void)snprintf(file, sizeof file, "%s/perf-1.map", folder);
    (void)snprintf(link, sizeof link, "%s/perf-2.map", folder);
    FILE *made = fopen(file, "we");
    CHECK(made != NULL && fputs("1000 10 name\n", made) > 0);
    CHECK_OK(fclose(made));
    CHECK_OK(symlink(file, link));
    CHECK_EQ(sym_jit_map_add_file(&map, link, geteuid(), &diag), STATUS_SYSTEM);
    CHECK_EQ(sym_jit_map_add_file(&map, file, geteuid(), &diag), STATUS_OK);
    if (geteuid() == 0) {
        CHECK_OK(chown(file, STRANGER, STRANGER));
        CHECK_EQ(
            sym_jit_map_add_file(&map, file, PROGRAM, &diag),
            STATUS_NOT_PERMITTED);
        CHECK(strstr(diag.text, "65534") != NULL);
        CHECK_EQ(sym_jit_map_add_file(&map, file, STRANGER, &diag), STATUS_OK);
    }
    CHECK_OK(unlink(file));
    CHECK_OK(unlink(link));
    CHECK_OK(rmdir(folder));
    sym_jit_map_fini(&map);
}

/* ---- jitdump ---- */

struct dump {
    uint8_t bytes[1024];
    size_t count;
};

static void put(struct dump *dump, uint64_t value, size_t width)
{
    memcpy(dump->bytes + dump->count, &value, width);
    dump->count += width;
}

static struct dump begin_dump(void)
{
    struct dump dump = {.count = 0};
    put(&dump, 0x4a695444, 4); /* magic */
    put(&dump, 1, 4);          /* version */
    put(&dump, 40, 4);         /* bytes of this header */
    put(&dump, 62, 4);         /* EM_X86_64 */
    put(&dump, 0, 8);
    put(&dump, 0, 8);
    put(&dump, 0, 8);
    return dump;
}

static void put_head(struct dump *dump, uint64_t kind, uint64_t body_bytes)
{
    put(dump, kind, 4);
    put(dump, 16 + body_bytes, 4);
    put(dump, 0, 8); /* time */
}

static void put_load(
    struct dump *dump, uint64_t start, uint64_t size, const char *name)
{
    size_t name_bytes = strlen(name) + 1;
    put_head(dump, 0, 40 + name_bytes + 4);
    put(dump, 0, 8); /* pid, tid */
    put(dump, start, 8);
    put(dump, start, 8);
    put(dump, size, 8);
    put(dump, 1, 8);
    memcpy(dump->bytes + dump->count, name, name_bytes);
    dump->count += name_bytes;
    put(dump, 0xc3c3c3c3, 4); /* the code */
}

static void put_move(
    struct dump *dump, uint64_t from, uint64_t to, uint64_t size)
{
    put_head(dump, 1, 48);
    put(dump, 0, 8);
    put(dump, to, 8);
    put(dump, from, 8);
    put(dump, to, 8);
    put(dump, size, 8);
    put(dump, 1, 8);
}

static void put_text(struct dump *dump, const char *text)
{
    size_t bytes = strlen(text) + 1;
    memcpy(dump->bytes + dump->count, text, bytes);
    dump->count += bytes;
}

static void put_line(
    struct dump *dump, uint64_t pc, uint32_t line, const char *file)
{
    put(dump, pc, 8);
    put(dump, line, 4);
    put(dump, 0, 4);
    put_text(dump, file);
}

/* Four lines of the code at 0x1000, the third out of order; the claim is of
   what the record says there are. */
static void put_lines(struct dump *dump, uint64_t claim)
{
    put_head(dump, 2, 16 + 4 * 16 + 5 + 2 + 2 + 5);
    put(dump, 0x1000, 8);
    put(dump, claim, 8);
    put_line(dump, 0x1004, 7, "a.js");
    put_line(dump, 0x1008, 8, "\xff");
    put_line(dump, 0x1006, 9, "\xff");
    put_line(dump, 0x1010, 3, "b.js");
}

static void check_line(
    const struct sym_jit_map *map, uint64_t pc, const char *file, uint32_t line)
{
    const struct sym_jit_code *code = sym_jit_map_find(map, pc);
    CHECK(code != NULL);
    const struct sym_jit_line *found = sym_jit_map_line(map, code, pc);
    CHECK_STR(found != NULL ? found->file : "", file);
    CHECK_EQ(found != NULL ? found->line : 0, line);
}

TEST(dump_tells_lines_of_what_is_loaded_next_wherever_it_moves)
{
    struct dump dump = begin_dump();
    put_load(&dump, 0x3000, 0x20, "before");
    put_lines(&dump, 4);
    put_load(&dump, 0x1000, 0x20, "first");
    put_load(&dump, 0x2000, 0x20, "second");
    put_move(&dump, 0x1000, 0x5000, 0x20);
    struct sym_jit_map map = map_of(dump.bytes, dump.count);
    for (unsigned i = 0; i < 2; i++) {
        uint64_t start = i == 0 ? 0x1000 : 0x5000;
        check_line(&map, start + 3, "", 0);
        check_line(&map, start + 4, "a.js", 7);
        check_line(&map, start + 8, "a.js", 8);
        check_line(&map, start + 15, "a.js", 8);
        check_line(&map, start + 31, "b.js", 3);
    }
    check_line(&map, 0x2010, "", 0);
    check_line(&map, 0x3010, "", 0);
    sym_jit_map_fini(&map);
}

TEST(dump_gives_no_lines_to_code_that_is_made_again_without)
{
    struct dump dump = begin_dump();
    put_lines(&dump, 4);
    put_load(&dump, 0x1000, 0x20, "first");
    put_load(&dump, 0x1000, 0x20, "again");
    struct sym_jit_map map = map_of(dump.bytes, dump.count);
    CHECK_STR(name_at(&map, 0x1010), "again");
    check_line(&map, 0x1010, "", 0);
    sym_jit_map_fini(&map);
}

TEST(dump_that_claims_more_lines_than_it_has_gives_those)
{
    struct dump dump = begin_dump();
    put_lines(&dump, UINT64_MAX);
    put_load(&dump, 0x1000, 0x20, "first");
    struct sym_jit_map map = map_of(dump.bytes, dump.count);
    CHECK_EQ(map.lines.count, 3);
    check_line(&map, 0x1010, "b.js", 3);
    sym_jit_map_fini(&map);
}

TEST(dump_names_code_that_was_loaded_and_moved)
{
    struct dump dump = begin_dump();
    put_load(&dump, 0x1000, 0x20, "first");
    put_head(&dump, 2, 16); /* lines of code, which are passed over */
    put(&dump, 0x1000, 8);
    put(&dump, 0, 8);
    put_load(&dump, 0x2000, 0x20, "second");
    put_move(&dump, 0x1000, 0x3000, 0x20);
    struct sym_jit_map map = map_of(dump.bytes, dump.count);
    CHECK_STR(name_at(&map, 0x2010), "second");
    CHECK_STR(name_at(&map, 0x301f), "first");
    CHECK_STR(name_at(&map, 0x3020), "");
    sym_jit_map_fini(&map);
}

TEST(dump_cut_anywhere_gives_what_was_whole)
{
    struct dump dump = begin_dump();
    put_load(&dump, 0x1000, 0x20, "first");
    size_t whole = dump.count;
    put_load(&dump, 0x2000, 0x20, "second");
    for (size_t count = 0; count <= dump.count; count++) {
        struct sym_jit_map map = map_of(dump.bytes, count);
        CHECK_STR(name_at(&map, 0x1000), count >= whole ? "first" : "");
        CHECK_STR(name_at(&map, 0x2000), count == dump.count ? "second" : "");
        sym_jit_map_fini(&map);
    }
}

TEST(dump_with_records_of_no_size_ends)
{
    struct dump dump = begin_dump();
    put(&dump, 0, 4);
    put(&dump, 0, 4);
    put(&dump, 0, 8);
    struct sym_jit_map map = map_of(dump.bytes, dump.count);
    CHECK_EQ(map.codes.count, 0);
    sym_jit_map_fini(&map);
}
