/*
 * ELF files with one of Go's tables of functions, of each form there has been,
 * after cmd/link: "main.a" of 0x10 bytes, and "main.bb" of 0x20, in which
 *
 *   0x00  line 10, calls main.c   0x08  main.c, line 3, calls main.d
 *   0x10  main.d, line 7          0x18  line 11
 *
 * all in "/go/x.go".
 */
#ifndef TESTS_SYMBOLIZER_GO_MAKER_H
#define TESTS_SYMBOLIZER_GO_MAKER_H

#include <stddef.h>
#include <stdint.h>

#include "symbolizer/pclntab.h"

#define GO_TEXT_VADDR  UINT64_C(0x401000)
#define GO_TABLE_VADDR UINT64_C(0x500000) /* of what is at GO_TABLE_AT */

/* Where Go's text begins: behind 0x40 bytes of C code. */
#define GO_START_VADDR (GO_TEXT_VADDR + 0x40)

enum {
    GO_TABLE_AT = 0x200,
    GO_MODULE_AT = 0x800, /* runtime.moduledata */
    GO_DATA_AT = 0xa00,   /* inlined calls */
    GO_END_AT = 0xc00,    /* of what is loaded */
    GO_FILE_BYTES = 0x1000,
};

struct go_file {
    uint8_t bytes[GO_FILE_BYTES];
    size_t count;    /* of the table */
    size_t names_at; /* and its areas, from its start */
    size_t units_at, files_at, values_at, functions_at;
};

void go_file_make(struct go_file *file, enum sym_pclntab_form form);

#endif
