/*
 * Any bytes as an ELF file, asked for names: symbol tables, stubs, FDEs, Go's
 * table, .gnu_debugdata. DWARF has a target of its own (fuzz_dwarf.c), since
 * what libdw does with damaged files is not ours to mend.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "symbolizer/symbolizer.h"

enum { QUESTIONS = 64 };

static void ask(struct sym_module *module, uint64_t vaddr)
{
    struct sym_frames frames;
    if (sym_module_lookup(module, vaddr, &frames, NULL) != STATUS_OK)
        abort();
    for (size_t i = 0; i < frames.count; i++) {
        if (frames.rows[i].function[0] == '\0' ||
            strlen(frames.rows[i].raw_name) == 0)
            abort();
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char *const no_dirs[] = {NULL};
    struct sym_options options = {.debug_dirs = no_dirs, .names_only = true};
    struct sym_symbolizer *symbolizer = sym_symbolizer_create(&options);
    struct sym_source source = {
        .path = "/fuzzed", .image = data, .image_bytes = size};
    struct sym_module *module;
    if (symbolizer == NULL)
        abort();
    if (sym_module_open(symbolizer, &source, &module, NULL) == STATUS_OK) {
        uint64_t vaddr;
        for (uint64_t i = 0; i < QUESTIONS; i++) {
            ask(module, i * 64);
            if (sym_module_vaddr(module, size / QUESTIONS * i, &vaddr))
                ask(module, vaddr);
        }
        ask(module, UINT64_MAX);
    }
    sym_symbolizer_destroy(symbolizer);
    return 0;
}
