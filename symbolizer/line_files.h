/* The files of a line table, as its header lists them, and their paths. */
#ifndef SYMBOLIZER_LINE_FILES_H
#define SYMBOLIZER_LINE_FILES_H

#include <stdint.h>

#include "profiler/base/table.h"
#include "symbolizer/strings.h"

struct sym_line_file {
    const char *name;
    uint64_t dir;
    uint32_t path; /* id of the full path, SYM_NO_STRING until asked for */
};

struct sym_line_files {
    struct table names; /* struct sym_line_file */
    struct table dirs;  /* const char * */
    const char *comp_dir;
    uint32_t first; /* number of the first file: 0 since DWARF 5 */
};

void sym_line_files_init(struct sym_line_files *files, const char *comp_dir);
void sym_line_files_fini(struct sym_line_files *files);

/*
 * The full path of a file by its number, as rows and DW_AT_call_file hold it:
 * an id of `strings`, 0 ("") when there is no such file, SYM_NO_STRING when
 * out of memory.
 */
uint32_t sym_line_files_path(
    struct sym_line_files *files, struct sym_strings *strings, uint64_t number);

#endif
