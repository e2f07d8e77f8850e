/* Where the functions of an ELF file begin, by its symbols. */
#ifndef PROFILER_UNWIND_FUNCTION_STARTS_H
#define PROFILER_UNWIND_FUNCTION_STARTS_H

#include <stdbool.h>
#include <stdint.h>

#include <libelf.h>

struct prof_function_starts {
    bool is_read;
    uint32_t count;
    uint64_t *addresses; /* ELF addresses, sorted; NULL: none are known */
};

/* Read them; later calls do nothing. */
void prof_function_starts_read(struct prof_function_starts *starts, Elf *elf);
void prof_function_starts_fini(struct prof_function_starts *starts);

/* The last start that is not behind `address`; 0: there is none. */
uint64_t prof_function_starts_find(
    const struct prof_function_starts *starts, uint64_t address);

#endif
