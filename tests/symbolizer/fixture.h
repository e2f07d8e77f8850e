/* Fixtures, and the truth about them from their own symbol tables. */
#ifndef TESTS_SYMBOLIZER_FIXTURE_H
#define TESTS_SYMBOLIZER_FIXTURE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "symbolizer/symbolizer.h"

/* The absolute path of a built fixture; valid until the next call but 3. */
const char *fixture_path(const char *name);

/* Whether the tool that makes this fixture was there; says so when not. */
bool fixture_exists(const char *name);

/* The address of a symbol of .symtab, which must exist. */
uint64_t fixture_symbol(const char *name, const char *symbol);
uint64_t fixture_symbol_size(const char *name, const char *symbol);

/* The file offset of an ELF address, by the section headers. */
uint64_t fixture_offset(const char *name, uint64_t vaddr);

/* The line of fixtures/SOURCE that holds the comment "mark NAME". */
uint32_t fixture_line(const char *source, const char *mark);

/* The whole file on the heap. */
uint8_t *fixture_read(const char *name, size_t *bytes);

/* A symbolizer that finds debug files only below these folders (or none). */
struct sym_symbolizer *fixture_symbolizer(const char *debug_dir);

/* Open a fixture that must open. */
struct sym_module *fixture_open(
    struct sym_symbolizer *symbolizer, const char *name);

/* Look up an address; out of memory fails the test. */
struct sym_frames fixture_lookup(struct sym_module *module, uint64_t vaddr);

#endif
