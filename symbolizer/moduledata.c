/*
 * It is a struct of words, the same since Go 1.18 up to where it matters here
 * but for two that Go 1.20 put in (runtime/symtab.go of each):
 *
 *   0   the table   1..18  six slices: names, units, files, values, functions
 *   and rows, of 3 words each   19  ...   22  start of text   23  its end
 *   38 or 40  the data of functions
 *
 * Its slices point into the table, so that nothing else is taken for it. The
 * linkers write these addresses into position-independent files too, beside
 * the relocations.
 */
#include "symbolizer/moduledata.h"

#include <string.h>

enum {
    NAMES = 1,
    FUNCTIONS = 13,
    TEXT = 22,
    DATA_1_18 = 38,
    DATA_1_20 = 40,
    WORDS = DATA_1_20 + 1
};

static uint64_t word_at(
    const struct sym_moduledata_search *search, struct sym_section_bytes bytes,
    uint64_t index)
{
    uint64_t word = 0; /* of this byte order, as the whole file is */
    memcpy(
        &word, (const char *)bytes.start + index * search->word_bytes,
        search->word_bytes);
    return word;
}

static bool is_it(
    const struct sym_moduledata_search *search, struct sym_section_bytes bytes)
{
    uint64_t vaddr = search->table_vaddr;
    return word_at(search, bytes, 0) == vaddr &&
           word_at(search, bytes, NAMES) == vaddr + search->names &&
           word_at(search, bytes, FUNCTIONS) == vaddr + search->functions &&
           sym_image_is_code(search->image, word_at(search, bytes, TEXT));
}

static bool find_in(
    struct sym_moduledata *found, const struct sym_moduledata_search *search,
    struct sym_section_bytes section)
{
    unsigned word = search->word_bytes;
    size_t all = (size_t)WORDS * word;
    for (size_t at = 0; section.count >= all && at <= section.count - all;
         at += word) {
        struct sym_section_bytes bytes = {
            .start = (const char *)section.start + at, .count = all};
        if (!is_it(search, bytes))
            continue;
        int data = search->is_go_1_18 ? DATA_1_18 : DATA_1_20;
        found->text_start = word_at(search, bytes, TEXT);
        found->function_data = sym_image_loaded(
            search->image, word_at(search, bytes, (uint64_t)data));
        return true;
    }
    return false;
}

bool sym_moduledata_find(
    struct sym_moduledata *found, const struct sym_moduledata_search *search)
{
    /* The first since Go 1.26. */
    static const char *const sections[] = {".go.module", ".noptrdata", ".data"};
    for (size_t i = 0; i < sizeof sections / sizeof sections[0]; i++) {
        struct sym_section_bytes bytes =
            sym_image_bytes(search->image, sections[i]);
        if (bytes.start != NULL && find_in(found, search, bytes))
            return true;
    }
    return false;
}
