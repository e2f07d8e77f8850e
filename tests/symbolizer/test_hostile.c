/*
 * Damaged ELF and DWARF. Nothing is expected of the answers but that they
 * come, and under the sanitizers that nothing outside the file is read.
 */
#include "tests/harness.h"

#include <stdlib.h>
#include <string.h>

#include "tests/symbolizer/fixture.h"

/* Damaged copies per file: enough to meet every section, few enough for a
   second. */
enum { COPIES = 2500 };

struct victim {
    const char *fixture;
    uint8_t *bytes;
    size_t count;
    uint64_t start, end; /* addresses to ask for */
};

/* `truth` is a fixture of the same code that has symbols. */
static struct victim victim_of(const char *fixture, const char *truth)
{
    struct victim victim = {.fixture = fixture};
    victim.bytes = fixture_read(fixture, &victim.count);
    victim.start = fixture_symbol(truth, "outer");
    victim.end = fixture_symbol(truth, "other") + 64;
    return victim;
}

/* Ask a damaged copy for some addresses; the number of frames that came, and
   of starts of functions. */
static size_t ask(const struct victim *victim, const void *bytes, size_t count)
{
    struct sym_symbolizer *symbolizer = fixture_symbolizer(NULL);
    struct sym_source source = {
        .path = "damaged", .image = bytes, .image_bytes = count};
    struct sym_module *module;
    size_t found_count = 0;
    if (sym_module_open(symbolizer, &source, &module, NULL) == STATUS_OK) {
        for (uint64_t v = victim->start - 2; v < victim->end; v += 5) {
            struct sym_frames frames = fixture_lookup(module, v);
            found_count += frames.count + (frames.start_vaddr < v);
        }
        CHECK(strlen(sym_module_problem(module)) < 480);
    }
    sym_symbolizer_destroy(symbolizer);
    return found_count;
}

static void flip_bytes(const char *fixture, const char *truth)
{
    if (!fixture_exists(fixture))
        return;
    struct victim victim = victim_of(fixture, truth);
    size_t whole = ask(&victim, victim.bytes, victim.count);
    CHECK(whole > 0);

    static const uint8_t patterns[] = {0xff, 0x01, 0x80, 0x7f};
    size_t step = victim.count / COPIES + 1, intact = 0;
    for (size_t at = 0; at < victim.count; at += step) {
        uint8_t kept = victim.bytes[at];
        victim.bytes[at] ^= patterns[at / step % 4];
        intact += ask(&victim, victim.bytes, victim.count) == whole;
        victim.bytes[at] = kept;
    }
    /* Most bytes of a file have no part in the answer. */
    CHECK(intact > 0);
    free(victim.bytes);
}

TEST(flipped_bytes_in_dwarf_5_do_no_harm)
{
    flip_bytes("inline_gcc_dwarf5", "inline_gcc_dwarf5");
}

TEST(flipped_bytes_in_dwarf_4_do_no_harm)
{
    flip_bytes("inline_gcc_dwarf4", "inline_gcc_dwarf4");
}

TEST(flipped_bytes_in_compressed_sections_do_no_harm)
{
    flip_bytes("inline_gcc_zlib", "inline_gcc_zlib");
}

TEST(flipped_bytes_from_clang_do_no_harm)
{
    flip_bytes("inline_clang_dwarf5", "inline_clang_dwarf5");
}

TEST(flipped_bytes_in_stripped_files_do_no_harm)
{
    flip_bytes("stripped", "inline_gcc_dwarf5");
}

TEST(truncated_files_do_no_harm)
{
    struct victim victim = victim_of("inline_gcc_dwarf5", "inline_gcc_dwarf5");
    for (size_t count = 0; count < victim.count; count += 37) {
        /* A block of exactly that size: one byte further is an error. */
        void *cut = malloc(count + 1);
        assert_non_null(cut);
        memcpy(cut, victim.bytes, count);
        void *exact = realloc(cut, count ? count : 1);
        (void)ask(&victim, exact ? exact : cut, count);
        free(exact ? exact : cut);
    }
    free(victim.bytes);
}

TEST(random_damage_in_many_places_does_no_harm)
{
    struct victim victim = victim_of("inline_gcc_dwarf5", "inline_gcc_dwarf5");
    uint8_t *copy = malloc(victim.count);
    assert_non_null(copy);
    unsigned seed = 7;
    for (int round = 0; round < 500; round++) {
        memcpy(copy, victim.bytes, victim.count);
        for (int i = 0; i < 1 + round % 40; i++)
            copy[64 + (size_t)rand_r(&seed) % (victim.count - 64)] =
                (uint8_t)rand_r(&seed);
        (void)ask(&victim, copy, victim.count);
    }
    free(copy);
    free(victim.bytes);
}
