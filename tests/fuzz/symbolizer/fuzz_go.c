/*
 * Go's table of functions, in each of its forms, with some bytes of the table,
 * of the inlined calls or of moduledata changed: the input is the form and
 * then, for each byte, where it is and what it becomes. From whole tables on,
 * since one of random bytes ends at its head.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "symbolizer/symbolizer.h"
#include "tests/symbolizer/go_maker.h"

static void ask(struct sym_module *module, uint64_t vaddr)
{
    struct sym_frames frames;
    if (sym_module_lookup(module, vaddr, &frames, NULL) != STATUS_OK)
        abort();
    for (size_t i = 0; i < frames.count; i++) {
        if (frames.rows[i].function[0] == '\0' ||
            strlen(frames.rows[i].file) > GO_FILE_BYTES)
            abort();
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const enum sym_pclntab_form forms[] = {
        SYM_GO_1_2, SYM_GO_1_16, SYM_GO_1_18, SYM_GO_1_20};
    static const char *const no_dirs[] = {NULL};
    if (size == 0)
        return 0;
    struct go_file file;
    go_file_make(&file, forms[data[0] % 4]);
    for (size_t at = 1; at + 3 <= size; at += 3) {
        size_t place = (size_t)data[at] << 8 | data[at + 1];
        place = GO_TABLE_AT + place % (GO_END_AT - GO_TABLE_AT);
        file.bytes[place] = data[at + 2];
    }
    struct sym_options options = {.debug_dirs = no_dirs};
    struct sym_symbolizer *symbolizer = sym_symbolizer_create(&options);
    struct sym_source source = {
        .path = "/fuzzed", .image = file.bytes, .image_bytes = GO_FILE_BYTES};
    struct sym_module *module;
    if (symbolizer == NULL)
        abort();
    if (sym_module_open(symbolizer, &source, &module, NULL) == STATUS_OK) {
        for (uint64_t i = 0; i < 0x100; i += 4)
            ask(module, GO_TEXT_VADDR + i);
    }
    sym_symbolizer_destroy(symbolizer);
    return 0;
}
