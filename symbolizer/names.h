/*
 * The names tier: which symbol an address belongs to, from symbol tables
 * alone.
 *
 * Of several symbols at one address the best one speaks: functions before
 * untyped labels before objects, then global before weak before local, then
 * those with a size, then the name with the fewest leading underscores, the
 * shorter one, the first in the alphabet. A symbol inside another one takes
 * its part of it.
 *
 * A symbol without a size (assembly) reaches to the next symbol or to the end
 * of its section, but only outside of sized ones, and only from a full symbol
 * table: in .dynsym most of its neighbours are missing, so there it stands for
 * its own address alone.
 */
#ifndef SYMBOLIZER_NAMES_H
#define SYMBOLIZER_NAMES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <gelf.h>

#include "profiler/base/table.h"

struct sym_symbol {
    uint64_t vaddr, size; /* size 0: unknown */
    uint64_t limit;       /* end of the section */
    uint32_t file;        /* for sym_names_file(), of local ones only */
    const char *name;     /* borrowed; ends at a NUL or an '@' (a version) */
    uint8_t type;         /* STT_... */
    uint8_t binding;      /* STB_... */
    bool is_exact;        /* without a size, answers for one byte only */
    bool is_stub;         /* jumps to the function of this name */
};

/* Zeroed is empty; add, then finish, then find. */
struct sym_names {
    struct table files; /* const char *: names of STT_FILE symbols */
    struct table symbols;
    struct table spans; /* owner: row of `symbols` */
};

/* Add one symbol; those that name no code are dropped. False: no memory. */
bool sym_names_add(struct sym_names *names, const struct sym_symbol *symbol);

/*
 * Add the symbols of executable sections from the tables of one type,
 * SHT_SYMTAB or SHT_DYNSYM. Names stay in the Elf. Damaged rows are passed
 * over. `shift` is added to their addresses. False: no memory.
 */
bool sym_names_add_elf(
    struct sym_names *names, Elf *elf, uint32_t table_type, uint64_t shift);

/*
 * Add the functions of text in the form of /proc/kallsyms, which the caller
 * keeps; newlines and tabs behind names are overwritten.
 *
 *   hidden   set when the system shows 0 for every address
 *   returns  false when out of memory
 */
bool sym_names_add_kallsyms(struct sym_names *names, char *text, bool *hidden);

/* Sort and flatten, once, after the last add. False: no memory. */
bool sym_names_finish(struct sym_names *names);

/* The symbol whose code is at `vaddr`, or NULL. */
const struct sym_symbol *sym_names_find(
    const struct sym_names *names, uint64_t vaddr);

/* The file a local symbol was defined in, as its linker wrote it, or "". */
const char *sym_names_file(
    const struct sym_names *names, const struct sym_symbol *symbol);

/* Length of a symbol's name without its version. */
size_t sym_symbol_name_bytes(const struct sym_symbol *symbol);

void sym_names_fini(struct sym_names *names);

#endif
