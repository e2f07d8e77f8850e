/*
 * From a place in a module to source: function, file, line, inlined frames.
 *
 * A symbolizer is a cache of modules. A module answers in two tiers: names,
 * from the symbol tables alone, and full, from DWARF, of which one compilation
 * unit is read on the first address that falls into it, once. With a cache, a
 * module that was read before answers from its index, which holds both tiers,
 * and no other file is opened; one that was not gets an index in the
 * background.
 *
 * Three kinds of address, never mixed: a runtime pc is the caller's business;
 * `offset` is the place in the file (pc - mapping start + mapping offset);
 * `vaddr` is the address the ELF file itself uses. An address must already be
 * inside the call: the caller has subtracted 1 from every return address.
 *
 * One thread at a time per symbolizer; symbolizers are independent of each
 * other. Files are input from anywhere: whatever is in them, the worst answer
 * is no answer, with its reason in sym_module_problem().
 */
#ifndef SYMBOLIZER_SYMBOLIZER_H
#define SYMBOLIZER_SYMBOLIZER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "profiler/base/status.h"
#include "symbolizer/frame.h"
#include "symbolizer/source.h"

struct sym_symbolizer;
struct sym_module;

struct sym_options {
    /* Where separate debug files live, ended by NULL; copied. NULL stands
       for /usr/lib/debug alone; an empty list for none. */
    const char *const *debug_dirs;
    bool names_only; /* symbol tables only, no inlines, no lines */
    bool raw_names;  /* `function` is `raw_name`: nothing is demangled */

    /* Where indexes of modules are kept from one time to the next, made if
       its parent exists; NULL: nowhere. A folder that is not this user's
       alone is not used. */
    const char *cache_folder;
    /* Have indexes made of debug files that a server has (debuginfod.h), in the
       background; answers wait for none. */
    bool uses_debuginfod;
    uint64_t cache_bytes; /* what all of them may take; 0: 512 MiB */
    bool is_brief; /* uses what indexes there are and makes none: there would
                      be no time to finish one */
};

/* `options` may be NULL. NULL when out of memory. */
struct sym_symbolizer *sym_symbolizer_create(const struct sym_options *options);

/*
 * With a cache, indexes may still be in the making. One that will soon be done
 * is waited for: 0.2 s, or as long as the symbolizer was in use, up to 2 s.
 */
void sym_symbolizer_destroy(struct sym_symbolizer *symbolizer);

/*
 * Find a module's file and read its headers; nothing else is read before the
 * first lookup. The same source opened again gives the same module, unless
 * the file has changed since.
 *
 *   owner    the symbolizer, until it is destroyed
 *   errors   MISMATCH when every file found has another build-id than the one
 *            expected: such a file is never used; SYSTEM, MALFORMED,
 *            UNSUPPORTED when there is no file to read; NO_MEMORY
 */
MUST_CHECK enum status sym_module_open(
    struct sym_symbolizer *symbolizer, const struct sym_source *source,
    struct sym_module **module, struct diag *diag);

/*
 * This file will be asked about: have its index made in the background, with
 * processor time that nobody else wants. Nothing happens where there is one
 * already, or no cache. The source is copied.
 *
 *   returns  false when it could not be taken at this moment; never waits
 */
bool sym_symbolizer_foresee(
    struct sym_symbolizer *symbolizer, const struct sym_source *source);

/*
 * The ELF address of a file offset, by the program headers of the runtime
 * file. False when no segment holds the offset in the file.
 */
bool sym_module_vaddr(
    const struct sym_module *module, uint64_t offset, uint64_t *vaddr);

/* Where a section is loaded; false when there is none of that name. */
bool sym_module_section(
    const struct sym_module *module, const char *name, uint64_t *vaddr,
    uint64_t *bytes_count);

/* Bytes of an address of the file: 8, or 4. */
unsigned sym_module_address_bytes(const struct sym_module *module);

/* The bytes of the file's own build-id, 0 when it has none. */
size_t sym_module_build_id(
    const struct sym_module *module, const uint8_t **bytes);

/*
 * What runs at `vaddr`. An address nobody knows is an answer, with a count of
 * 0; damaged debug information makes the answer poorer, not an error.
 *
 *   errors   NO_MEMORY
 */
MUST_CHECK enum status sym_module_lookup(
    struct sym_module *module, uint64_t vaddr, struct sym_frames *frames,
    struct diag *diag);

/*
 * Why this module answers less than it might, as one sentence: a debug file
 * that belongs to another build, DWARF that breaks its rules, a compression
 * that is not handled. "" when there is nothing to say. May change with each
 * lookup, since DWARF is read late.
 */
const char *sym_module_problem(const struct sym_module *module);

#endif
