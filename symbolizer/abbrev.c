/* Abbreviation tables and the forms of attributes (section 7.5). */
#include "symbolizer/abbrev.h"

#include <dwarf.h>
#include <stdlib.h>

/* ---- forms ---- */

/* Bytes of a form in the file, or SYM_NOT_FIXED. */
static int16_t form_bytes(uint16_t form, const struct sym_encoding *encoding)
{
    switch (form) {
    case DW_FORM_flag_present:
    case DW_FORM_implicit_const:
        return 0;
    case DW_FORM_data1:
    case DW_FORM_flag:
    case DW_FORM_ref1:
    case DW_FORM_strx1:
    case DW_FORM_addrx1:
        return 1;
    case DW_FORM_data2:
    case DW_FORM_ref2:
    case DW_FORM_strx2:
    case DW_FORM_addrx2:
        return 2;
    case DW_FORM_strx3:
    case DW_FORM_addrx3:
        return 3;
    case DW_FORM_data4:
    case DW_FORM_ref4:
    case DW_FORM_ref_sup4:
    case DW_FORM_strx4:
    case DW_FORM_addrx4:
        return 4;
    case DW_FORM_data8:
    case DW_FORM_ref8:
    case DW_FORM_ref_sig8:
    case DW_FORM_ref_sup8:
        return 8;
    case DW_FORM_data16:
        return 16;
    case DW_FORM_addr:
        return encoding->address_bytes;
    case DW_FORM_ref_addr:
        return encoding->version == 2 ? encoding->address_bytes
                                      : encoding->offset_bytes;
    case DW_FORM_strp:
    case DW_FORM_line_strp:
    case DW_FORM_strp_sup:
    case DW_FORM_sec_offset:
    case DW_FORM_GNU_ref_alt:
    case DW_FORM_GNU_strp_alt:
        return encoding->offset_bytes;
    default:
        return SYM_NOT_FIXED;
    }
}

static enum sym_value_kind form_kind(uint16_t form)
{
    switch (form) {
    case DW_FORM_addr:
        return SYM_VALUE_ADDRESS;
    case DW_FORM_addrx:
    case DW_FORM_addrx1:
    case DW_FORM_addrx2:
    case DW_FORM_addrx3:
    case DW_FORM_addrx4:
    case DW_FORM_GNU_addr_index:
        return SYM_VALUE_ADDRESS_INDEX;
    case DW_FORM_rnglistx:
        return SYM_VALUE_RANGES_INDEX;
    case DW_FORM_ref1:
    case DW_FORM_ref2:
    case DW_FORM_ref4:
    case DW_FORM_ref8:
    case DW_FORM_ref_udata:
        return SYM_VALUE_UNIT_REF;
    case DW_FORM_ref_addr:
        return SYM_VALUE_INFO_REF;
    case DW_FORM_string:
        return SYM_VALUE_TEXT;
    case DW_FORM_strp:
        return SYM_VALUE_STR;
    case DW_FORM_line_strp:
        return SYM_VALUE_LINE_STR;
    case DW_FORM_strx:
    case DW_FORM_strx1:
    case DW_FORM_strx2:
    case DW_FORM_strx3:
    case DW_FORM_strx4:
    case DW_FORM_GNU_str_index:
        return SYM_VALUE_STR_INDEX;
    case DW_FORM_data1:
    case DW_FORM_data2:
    case DW_FORM_data4:
    case DW_FORM_data8:
    case DW_FORM_sdata:
    case DW_FORM_udata:
    case DW_FORM_sec_offset:
    case DW_FORM_implicit_const:
    case DW_FORM_flag:
        return SYM_VALUE_NUMBER;
    default:
        return SYM_VALUE_OTHER;
    }
}

static uint64_t read_variable(struct sym_bytes *bytes, uint16_t form)
{
    switch (form) {
    case DW_FORM_udata:
    case DW_FORM_ref_udata:
    case DW_FORM_strx:
    case DW_FORM_addrx:
    case DW_FORM_loclistx:
    case DW_FORM_rnglistx:
    case DW_FORM_GNU_addr_index:
    case DW_FORM_GNU_str_index:
        return sym_bytes_uleb(bytes);
    case DW_FORM_sdata:
        return (uint64_t)sym_bytes_sleb(bytes);
    case DW_FORM_block1:
        sym_bytes_skip(bytes, sym_bytes_fixed(bytes, 1));
        return 0;
    case DW_FORM_block2:
        sym_bytes_skip(bytes, sym_bytes_fixed(bytes, 2));
        return 0;
    case DW_FORM_block4:
        sym_bytes_skip(bytes, sym_bytes_fixed(bytes, 4));
        return 0;
    case DW_FORM_block:
    case DW_FORM_exprloc:
        sym_bytes_skip(bytes, sym_bytes_uleb(bytes));
        return 0;
    default: /* DW_FORM_indirect, and what came after DWARF 5 */
        bytes->is_bad = true;
        return 0;
    }
}

struct sym_value sym_attribute_read(
    struct sym_bytes *bytes, const struct sym_attribute *attribute)
{
    struct sym_value value = {.kind = attribute->kind};
    int size = attribute->fixed_bytes;
    if (size > 0 && size <= 8)
        value.number = sym_bytes_fixed(bytes, (unsigned)size);
    else if (attribute->form == DW_FORM_string)
        value.text = sym_bytes_text(bytes);
    else if (size == SYM_NOT_FIXED)
        value.number = read_variable(bytes, attribute->form);
    else if (size == 0)
        value.number = (uint64_t)attribute->implicit;
    else
        sym_bytes_skip(bytes, (uint64_t)size);
    return value;
}

/* ---- tables ---- */

static bool add_attributes(
    struct sym_abbrevs *abbrevs, struct sym_abbrev *abbrev,
    struct sym_bytes *bytes, const struct sym_encoding *encoding)
{
    abbrev->first_attribute = abbrevs->attributes.count;
    while (!bytes->is_bad) {
        uint64_t name = sym_bytes_uleb(bytes), form = sym_bytes_uleb(bytes);
        if (name == 0 && form == 0)
            return true;
        if (name > UINT16_MAX || form > UINT16_MAX)
            return false;
        struct sym_attribute attribute = {
            .name = (uint16_t)name,
            .form = (uint16_t)form,
            .fixed_bytes = form_bytes((uint16_t)form, encoding),
            .kind = (uint8_t)form_kind((uint16_t)form)};
        if (form == DW_FORM_implicit_const)
            attribute.implicit = sym_bytes_sleb(bytes);
        if (attribute.fixed_bytes == SYM_NOT_FIXED ||
            abbrev->fixed_bytes > UINT16_MAX)
            abbrev->fixed_bytes = SYM_VARIABLE_SIZE;
        else
            abbrev->fixed_bytes += (uint32_t)attribute.fixed_bytes;
        if (name == DW_AT_low_pc || name == DW_AT_ranges)
            abbrev->has_code = true;
        if (++abbrev->attribute_count > SYM_ATTRIBUTE_LIMIT) {
            abbrevs->is_excessive = true;
            return false;
        }
        if (table_add(&abbrevs->attributes, &attribute) == TABLE_NONE)
            return false;
    }
    return false;
}

static int by_code(const void *left, const void *right)
{
    const struct sym_abbrev *a = left, *b = right;
    return (a->code > b->code) - (a->code < b->code);
}

bool sym_abbrevs_read(
    struct sym_abbrevs *abbrevs, struct sym_bytes bytes,
    const struct sym_encoding *encoding, struct sym_budget *budget)
{
    const uint8_t *start = bytes.at;
    *abbrevs = (struct sym_abbrevs){
        .rows.row_bytes = sizeof(struct sym_abbrev),
        .attributes.row_bytes = sizeof(struct sym_attribute),
        .is_dense = true,
        .is_excessive = sym_budget_is_spent(budget)};
    while (!abbrevs->is_excessive) {
        struct sym_abbrev abbrev = {.code = sym_bytes_uleb(&bytes)};
        if (abbrev.code == 0 || bytes.is_bad)
            break;
        abbrev.tag = (uint16_t)sym_bytes_uleb(&bytes);
        abbrev.has_children = sym_bytes_fixed(&bytes, 1) != 0;
        if (!add_attributes(abbrevs, &abbrev, &bytes, encoding) ||
            table_add(&abbrevs->rows, &abbrev) == TABLE_NONE)
            return false;
        if (abbrev.code != abbrevs->rows.count)
            abbrevs->is_dense = false;
    }
    if (!abbrevs->is_dense)
        qsort(
            abbrevs->rows.rows, abbrevs->rows.count, sizeof(struct sym_abbrev),
            by_code);
    if (!sym_budget_spend(budget, (uint64_t)(bytes.at - start)))
        abbrevs->is_excessive = true;
    return !bytes.is_bad && !abbrevs->is_excessive;
}

const struct sym_abbrev *sym_abbrevs_find(
    const struct sym_abbrevs *abbrevs, uint64_t code)
{
    const struct sym_abbrev *rows = abbrevs->rows.rows;
    if (abbrevs->is_dense)
        return code - 1 < abbrevs->rows.count ? &rows[code - 1] : NULL;
    struct sym_abbrev key = {.code = code};
    return bsearch(&key, rows, abbrevs->rows.count, sizeof key, by_code);
}

const struct sym_attribute *sym_abbrevs_attributes(
    const struct sym_abbrevs *abbrevs, const struct sym_abbrev *abbrev)
{
    return abbrev->attribute_count > 0
               ? table_row(&abbrevs->attributes, abbrev->first_attribute)
               : NULL;
}

void sym_abbrevs_fini(struct sym_abbrevs *abbrevs)
{
    table_fini(&abbrevs->rows);
    table_fini(&abbrevs->attributes);
}
