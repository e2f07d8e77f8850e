/*
 * .eh_frame and .debug_frame: entries, and finding the one that covers a pc.
 *
 * Both sections hold the same records with small differences: how an entry
 * names its CIE, how addresses are encoded, and what an address is relative
 * to (LSB 5.0 10.6; DWARF 5 6.4). A source is one section and a sorted index
 * into it: the table of .eh_frame_hdr where that has the usual encoding, else
 * one made by fde_index.h. Bytes are untrusted: nothing outside the section
 * is read, whatever it says.
 */
#ifndef PROFILER_UNWIND_SIG_EH_FRAME_H
#define PROFILER_UNWIND_SIG_EH_FRAME_H

#include <stdbool.h>
#include <stdint.h>

#include "profiler/base/status.h"
#include "profiler/unwind/sig_bytes.h"

/* Without an index a lookup reads at most this many entries. */
#define PROF_CFI_SCAN_ENTRIES      4096

/* Offsets into a section are kept in 31 bits. */
#define PROF_CFI_SECTION_BYTES_MAX INT32_MAX

struct prof_cfi_source {
    const uint8_t *bytes; /* where we read it; NULL when absent */
    uint64_t size_bytes;
    uint64_t address; /* of bytes[0] in the program: what pcrel counts from */
    uint64_t bias;    /* added to absolute addresses; 0 once relocated */
    uint64_t text_base, data_base; /* DW_EH_PE_textrel, DW_EH_PE_datarel */
    bool is_debug_frame;

    /*
     * `index_count` pairs of int32, sorted: the start of a function less
     * `index_pc_base`, and the address of its FDE less `index_fde_base`.
     */
    uint32_t index_count;
    const uint8_t *index;
    uint64_t index_pc_base, index_fde_base;
};

struct prof_fde {
    const struct prof_cfi_source *source;
    uint64_t offset;     /* of the entry in its section */
    uint64_t start, end; /* pcs, half open */
    uint64_t next;       /* from prof_fde_find(): where the next one may begin,
                            whether or not this one goes on; 0 when unknown */
    uint64_t code_align;
    int64_t data_align;
    struct prof_bytes initial; /* the CIE's instructions */
    struct prof_bytes program; /* the FDE's */
    uint8_t ra_column;
    uint8_t pointer_encoding;
    uint8_t address_bytes;
    bool is_signal_frame;
};

enum prof_entry_kind {
    PROF_ENTRY_FDE,
    PROF_ENTRY_OTHER, /* a CIE, a terminator, or an FDE we cannot read */
    PROF_ENTRY_END,   /* no further entry */
};

/*
 * Read the entry at `*offset` and move `*offset` to the next.
 *
 *   fde      written for PROF_ENTRY_FDE only; borrows the section's bytes
 */
SIGNAL_SAFE enum prof_entry_kind prof_fde_next(
    const struct prof_cfi_source *source, uint64_t *offset,
    struct prof_fde *fde);

/* The FDE that covers `pc`; false when none does. */
SIGNAL_SAFE bool prof_fde_find(
    const struct prof_cfi_source *source, uint64_t pc, struct prof_fde *fde);

/*
 * Read a pointer in DW_EH_PE encoding; sets bytes->is_bad where it cannot be
 * told (omitted, indirect, an unknown form).
 *
 *   bytes      within the section of `source`, which gives the bases
 *   function   the base of DW_EH_PE_funcrel
 */
SIGNAL_SAFE uint64_t prof_encoded_pointer(
    struct prof_bytes *bytes, const struct prof_cfi_source *source,
    uint8_t encoding, uint8_t address_bytes, uint64_t function);

#endif
