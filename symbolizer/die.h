/* What a debugging information entry says about a function's name. */
#ifndef SYMBOLIZER_DIE_H
#define SYMBOLIZER_DIE_H

#include <stdbool.h>
#include <stdint.h>

#include <elfutils/libdw.h>

#include "profiler/base/table.h"
#include "symbolizer/strings.h"

/* Thousands of inlined calls share one origin: its name is found once. */
struct sym_die_names {
    struct sym_strings *strings;
    struct table entries;
    struct index index;
};

void sym_die_names_init(
    struct sym_die_names *names, struct sym_strings *strings);
void sym_die_names_fini(struct sym_die_names *names);

/* The name kept for the DIE with these bytes; SYM_NO_STRING: none is. */
uint32_t sym_die_names_find(
    const struct sym_die_names *names, const void *address);

/* Keep one; false when out of memory. */
bool sym_die_names_keep(
    struct sym_die_names *names, const void *address, uint32_t name);

/*
 * The raw name of a function or inlined call, following abstract origins and
 * specifications into other units and files. A linkage name is preferred, the
 * nearest first: a constructor's own DIE says C1 or C2 where its origin says
 * C4, which no symbol table knows.
 *
 *   returns  an id; 0 ("") when there is no name, SYM_NO_STRING when out of
 *            memory
 */
uint32_t sym_die_name(struct sym_die_names *names, Dwarf_Die *die);

/* The same for a DIE that others refer to, by its bytes in .debug_info. */
uint32_t sym_die_name_at(
    struct sym_die_names *names, Dwarf *dwarf, const void *address);

/* An unsigned attribute, or 0. */
uint64_t sym_die_number(Dwarf_Die *die, unsigned attribute);

#endif
