/*
 * Abbreviation tables (DWARF 2 to 5, section 7.5.3), compiled for skipping.
 *
 * Most DIEs are of no interest, and most of those have attributes of constant
 * size. Knowing the sum beforehand turns such a DIE into one addition; that is
 * what makes a scan over all of .debug_info an order of magnitude quicker than
 * asking libdw for every sibling.
 */
#ifndef SYMBOLIZER_ABBREV_H
#define SYMBOLIZER_ABBREV_H

#include <stdbool.h>
#include <stdint.h>

#include "profiler/base/table.h"
#include "symbolizer/budget.h"
#include "symbolizer/bytes.h"

/* What the sizes of forms depend on. */
struct sym_encoding {
    uint16_t version;
    uint8_t address_bytes, offset_bytes;
};

enum sym_value_kind {
    SYM_VALUE_OTHER, /* blocks, text and references in other files */
    SYM_VALUE_NUMBER,
    SYM_VALUE_ADDRESS,
    SYM_VALUE_ADDRESS_INDEX, /* into .debug_addr */
    SYM_VALUE_RANGES_INDEX,  /* into the offsets of .debug_rnglists */
    SYM_VALUE_UNIT_REF,      /* a DIE, by its distance from the unit header */
    SYM_VALUE_INFO_REF,      /* a DIE, by its offset in .debug_info */
    SYM_VALUE_TEXT,          /* the text itself */
    SYM_VALUE_STR,           /* its offset in .debug_str */
    SYM_VALUE_LINE_STR,      /* its offset in .debug_line_str */
    SYM_VALUE_STR_INDEX,     /* its place in .debug_str_offsets */
};

struct sym_value {
    enum sym_value_kind kind;
    union {
        uint64_t number;
        const char *text; /* of SYM_VALUE_TEXT */
    };
};

#define SYM_NOT_FIXED (-1)

struct sym_attribute {
    uint16_t name, form;
    int16_t fixed_bytes; /* of the form, or SYM_NOT_FIXED */
    uint8_t kind;        /* enum sym_value_kind */
    int64_t implicit;    /* of DW_FORM_implicit_const */
};

#define SYM_VARIABLE_SIZE UINT32_MAX

struct sym_abbrev {
    uint64_t code;
    uint16_t tag;
    bool has_children;
    bool has_code;        /* has DW_AT_low_pc or DW_AT_ranges */
    uint32_t fixed_bytes; /* of all attributes, or SYM_VARIABLE_SIZE */
    uint32_t first_attribute, attribute_count;
};

struct sym_abbrevs {
    struct table rows, attributes;
    bool is_dense;     /* code n is row n - 1, as compilers do it */
    bool is_excessive; /* its DIEs are not to be read, by nobody */
};

/* Attributes of one abbreviation; compilers give a DIE 30 at most. */
#define SYM_ATTRIBUTE_LIMIT 512

/* Read the table that `bytes` begins with; false when it is damaged, has a
   form that is not known here, costs too much, or memory is short. */
bool sym_abbrevs_read(
    struct sym_abbrevs *abbrevs, struct sym_bytes bytes,
    const struct sym_encoding *encoding, struct sym_budget *budget);

/* NULL when there is no such code. */
const struct sym_abbrev *sym_abbrevs_find(
    const struct sym_abbrevs *abbrevs, uint64_t code);

/* Its attributes in their order; NULL when it has none. */
const struct sym_attribute *sym_abbrevs_attributes(
    const struct sym_abbrevs *abbrevs, const struct sym_abbrev *abbrev);

void sym_abbrevs_fini(struct sym_abbrevs *abbrevs);

/* Read or pass over one attribute; what cannot be read spoils `bytes`. */
struct sym_value sym_attribute_read(
    struct sym_bytes *bytes, const struct sym_attribute *attribute);

#endif
