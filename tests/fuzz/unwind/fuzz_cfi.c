/*
 * Any bytes as .eh_frame, .debug_frame and .eh_frame_hdr: every way to read
 * them ends, stays inside, and agrees with the others where it must.
 *
 *   byte 0      bit 0: .debug_frame; bit 1: the rest begins with a header;
 *               bit 2: make a table of rows, which takes the longest
 *   bytes 1..   the section
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "profiler/unwind/fde_index.h"
#include "profiler/unwind/row_table.h"
#include "profiler/unwind/sig_cfi.h"

enum { FDES_MAX = 64, ROWS_MAX = 4096, HEADER_BYTES = 64 };

#define SECTION_ADDRESS UINT64_C(0x500000)
#define HEADER_ADDRESS  UINT64_C(0x4ff000)

/* Exactly as large as the input, for AddressSanitizer to see its end. */
static uint8_t *copy(const uint8_t *bytes, size_t size)
{
    uint8_t *copied = malloc(size + (size == 0));
    if (copied == NULL)
        abort();
    memcpy(copied, bytes, size);
    return copied;
}

static void check_table(
    const struct prof_row_table *table, const struct prof_rows *row)
{
    struct prof_stretch stretch;
    uint64_t pcs[] = {row->start, row->end - 1};
    for (unsigned i = 0; i < 2; i++)
        (void)prof_row_table_find(table, pcs[i], &stretch);
}

static void read_rows(
    const struct prof_fde *fde, const struct prof_row_table *table)
{
    struct prof_rows rows, found;
    uint64_t last = fde->start;
    unsigned count = 0;
    prof_rows_begin(&rows, fde);
    while (prof_rows_next(&rows)) {
        if (rows.start < last || rows.end <= rows.start ||
            rows.end > fde->end || ++count > ROWS_MAX)
            abort();
        last = rows.end;
        (void)prof_row_encode(&rows.rules, fde->source);
        if (count > 32)
            continue;
        if (!prof_rows_find(&found, fde, rows.end - 1) ||
            found.start != rows.start)
            abort();
        if (table != NULL)
            check_table(table, &rows);
    }
}

static void read_fdes(struct prof_cfi_source *source, bool has_table)
{
    struct prof_row_table *table = NULL;
    struct prof_fde fde;
    uint64_t offset = 0;
    if (has_table && prof_row_table_build(source, &table, NULL) != STATUS_OK)
        table = NULL;
    for (unsigned i = 0; i < FDES_MAX; i++) {
        enum prof_entry_kind kind = prof_fde_next(source, &offset, &fde);
        if (kind == PROF_ENTRY_END)
            break;
        if (kind != PROF_ENTRY_FDE)
            continue;
        read_rows(&fde, table);
        (void)prof_fde_find(source, fde.start, &fde);
    }
    free(table);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static int32_t pairs[2 * FDES_MAX];
    if (size == 0)
        return 0;
    uint8_t flags = *data++;
    size--;
    size_t header_size = (flags & 2) == 0      ? 0
                         : size < HEADER_BYTES ? size
                                               : HEADER_BYTES;
    uint8_t *header = copy(data, header_size);
    uint8_t *section = copy(data + header_size, size - header_size);
    struct prof_cfi_source source = {
        .bytes = section,
        .size_bytes = size - header_size,
        .address = SECTION_ADDRESS,
        .is_debug_frame = flags & 1,
    };
    read_fdes(&source, false);
    (void)prof_fde_count(&source);
    if (prof_fde_index_build(&source, pairs, FDES_MAX, 0x400000)) {
        if (!prof_fde_index_is_sorted(&source))
            abort();
        read_fdes(&source, (flags & 4) != 0);
    }
    struct prof_eh_frame_header eh_header = {
        header, header_size, HEADER_ADDRESS};
    (void)prof_eh_frame_address(&eh_header);
    if (prof_fde_index_adopt(&source, &eh_header)) {
        (void)prof_fde_index_is_sorted(&source);
        struct prof_fde fde;
        (void)prof_fde_find(&source, 0x401000, &fde);
    }
    free(header);
    free(section);
    return 0;
}
