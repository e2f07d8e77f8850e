/*
 * An index on disk: what runs at every address of one module, as flat arrays
 * that are mapped and searched as they are.
 *
 *   header           struct sym_index_header
 *   checksums        uint64_t for every block of what follows
 *   directory        uint32_t: for every stretch of 1 << stretch_shift bytes
 *                    of the address space, the first place in it; one more
 *   places           uint32_t, ascending: where an answer begins, counted from
 *                    `base`. It reaches to the next place
 *   answers          struct sym_index_answer, one for every place
 *   nodes            struct sym_index_node, callers before callees
 *   sources          struct sym_index_source; 0 is "unknown"
 *   strings          uint32_t: where in the text each begins; 0 is ""
 *   text             NUL-terminated, the last byte a NUL
 *
 * Every part follows the one before it, rounded up to 8 bytes, so that counts
 * alone say where everything is, and one sum says whether the file is whole.
 *
 * Nothing here is believed. The header has a checksum, and so has the table of
 * checksums. A block is compared with its checksum when it is first touched:
 * opening costs the same for 20 KB and 20 MB, and a lookup pays for what it
 * reads. Checksums tell damage, not malice, so every number is bounded again
 * where it is used: a place in a table by its count, a caller by being before
 * its callee, which also ends every walk.
 *
 * A file is written once, under another name, and renamed when it is whole;
 * readers keep what they mapped. Numbers are in the byte order of the machine,
 * and the magic is one of them. Whoever changes a byte of this, or what any
 * answer says, counts SYM_INDEX_VERSION up; files of other versions are
 * replaced.
 */
#ifndef SYMBOLIZER_INDEX_FORMAT_H
#define SYMBOLIZER_INDEX_FORMAT_H

#include <stddef.h>
#include <stdint.h>

#define SYM_INDEX_MAGIC       UINT64_C(0x786469666d795377) /* "wSymfidx" */
#define SYM_INDEX_VERSION     1

#define SYM_INDEX_BLOCK_SHIFT 14
#define SYM_INDEX_BLOCK_BYTES (1u << SYM_INDEX_BLOCK_SHIFT)

/* No such node. */
#define SYM_INDEX_NONE        UINT32_MAX

struct sym_index_header {
    uint64_t magic;
    uint32_t version;
    uint32_t stretch_shift;
    uint64_t key;  /* of the file that is described; see sym_index_key() */
    uint64_t base; /* the vaddr that places are counted from */
    uint32_t stretch_count;
    uint32_t place_count;
    uint32_t node_count;
    uint32_t source_count;
    uint32_t string_count;
    uint32_t text_bytes;
    uint64_t checksums_checksum;
    uint64_t header_checksum; /* of what is before it */
};
_Static_assert(sizeof(struct sym_index_header) == 72, "layout on disk");
_Static_assert(
    offsetof(struct sym_index_header, header_checksum) == 64, "comes last");

/*
 * What runs from a place on. Without a node no function is known: the answer
 * is the source alone, or none at all.
 */
struct sym_index_answer {
    uint32_t node;   /* the innermost, or SYM_INDEX_NONE */
    uint32_t source; /* of the instruction */
};
_Static_assert(sizeof(struct sym_index_answer) == 8, "layout on disk");

/* A function, or a call that was inlined, under everything around it. */
struct sym_index_node {
    uint32_t name; /* string; 0: a function of which only the start is known */
    uint32_t caller; /* a node, or SYM_INDEX_NONE for a function's own body */
    uint32_t call;   /* source of the call; of a body, its start from `base` */
};
_Static_assert(sizeof(struct sym_index_node) == 12, "layout on disk");

struct sym_index_source {
    uint32_t file; /* string */
    uint32_t line, column, discriminator;
};
_Static_assert(sizeof(struct sym_index_source) == 16, "layout on disk");

/* The parts of a file of these counts, as offsets from its start. */
struct sym_index_layout {
    uint64_t checksums, directory, places, answers, nodes, sources, strings;
    uint64_t text, end;
    uint64_t block_count; /* from the directory to the end */
};

struct sym_index_layout sym_index_layout(const struct sym_index_header *header);

/* A hash against damage, some bytes a cycle. */
uint64_t sym_index_checksum(const void *bytes, size_t count);

#endif
