/*
 * An index on disk: what runs at every address of one module, mapped and
 * searched as it is.
 *
 *   header           struct sym_index_header
 *   checksums        uint64_t for every block of what follows
 *   directory        uint32_t: for every stretch of 1 << stretch_shift bytes
 *                    of the address space, where its places begin; one more
 *   groups           uint32_t: where in the text every eighth string begins
 *   places           for each stretch, see below
 *   nodes            a function, or a call that was inlined, each
 *   text             the strings, in the order of strcmp(); 0 is ""
 *
 * The first two parts are rounded up to 8 bytes; every part follows the one
 * before it, the text behind SYM_INDEX_SLACK zeros, so that counts alone say
 * where everything is, and one sum says whether the file is whole.
 *
 * Places and nodes are records: 16 bits of head, then up to five numbers. Bits
 * 0 to 9 of the head say how long each of them is, by two bits each, the first
 * lowest: 0, 1, 2 or 4 bytes. A number of no bytes is 0. So every record is
 * read by the same instructions whatever is in it. With LEB128, where the
 * processor guesses at each byte, the file was 6 % smaller and answers slower.
 *
 * The places of a stretch say what holds from the stretch's start on, and then
 * wherever that changes; each reaches to the next. Their numbers are
 *
 *   node, file, line, column, discriminator
 *
 * each as the difference to the place before, the first to zeros, its sign in
 * the lowest bit. A place without any says that nothing is known here, and the
 * next differs from the one before it. Bits 10 to 15 of the head are the
 * distance from the place before, of the first from the stretch's start; 63
 * stands for one that follows the head in 4 bytes.
 *
 * Nodes are told by where they begin in their part, plus 1; 0 is none: then no
 * function is known, and the answer is the source alone. Their numbers are
 *
 *   name             a string; 0: a function of which only the start is known
 *   caller           how far before this node it begins, or 0 for a function's
 *                    own body
 *   file, line, column  of the call; of a body, `line` is its start from `base`
 *
 * In the text, the first of every eight strings is whole; of others a byte says
 * how much they share with the one before, and the rest follows. All end in a
 * NUL. Names of one library, and paths, begin alike: half of the text is gone.
 *
 * Arrays of rows of fixed width, searched by halves, took twice the bytes where
 * names were most of them, five times where lines were, and more time.
 *
 * Nothing here is believed. The header has a checksum, and so has the table of
 * checksums. A block is compared with its checksum when it is first touched:
 * opening costs the same for 20 KB and 20 MB, and a lookup pays for what it
 * reads. Checksums tell damage, not malice, so every number is bounded again
 * where it is used: a place in a part by its size, a caller by being before
 * its callee, which also ends every walk.
 *
 * A file is written once, under another name, and renamed when it is whole;
 * readers keep what they mapped. Words are in the byte order of the machine,
 * and the magic is one of them. Whoever changes a byte of this, or what any
 * answer says, counts SYM_INDEX_VERSION up; files of other versions are
 * replaced.
 */
#ifndef SYMBOLIZER_INDEX_FORMAT_H
#define SYMBOLIZER_INDEX_FORMAT_H

#include <stddef.h>
#include <stdint.h>

#define SYM_INDEX_MAGIC       UINT64_C(0x786469666d795377) /* "wSymfidx" */
#define SYM_INDEX_VERSION     3

#define SYM_INDEX_BLOCK_SHIFT 14
#define SYM_INDEX_BLOCK_BYTES (1u << SYM_INDEX_BLOCK_SHIFT)

/* No such node. */
#define SYM_INDEX_NONE        UINT32_MAX

/* Numbers of a record, and how its head is laid out. */
enum {
    SYM_INDEX_NUMBERS = 5,
    SYM_INDEX_CODE_BITS = 2,
    SYM_INDEX_STEP_SHIFT = SYM_INDEX_NUMBERS * SYM_INDEX_CODE_BITS,
    SYM_INDEX_STEP_LONG = 63,
};

/* The numbers of a place. */
enum {
    SYM_PLACE_NODE,
    SYM_PLACE_FILE,
    SYM_PLACE_LINE,
    SYM_PLACE_COLUMN,
    SYM_PLACE_DISCRIMINATOR,
};

/* The numbers of a node. */
enum {
    SYM_NODE_NAME,
    SYM_NODE_CALLER,
    SYM_NODE_FILE,
    SYM_NODE_LINE,
    SYM_NODE_COLUMN,
};

/* Strings that share a word of the groups. */
#define SYM_INDEX_GROUP        8u

/* A head, a long step, five numbers; and what follows the records, so that a
   whole one can be read wherever one may begin. */
#define SYM_INDEX_RECORD_BYTES 26u
#define SYM_INDEX_SLACK        32u

struct sym_index_header {
    uint64_t magic;
    uint32_t version;
    uint32_t stretch_shift;
    uint64_t key;  /* of the file that is described; see sym_index_key() */
    uint64_t base; /* the vaddr that places are counted from */
    uint32_t stretch_count;
    uint32_t string_count;
    uint32_t node_count;
    uint32_t place_bytes, node_bytes, text_bytes; /* of these parts */
    uint64_t checksums_checksum;
    uint64_t header_checksum; /* of what is before it */
};
_Static_assert(sizeof(struct sym_index_header) == 72, "layout on disk");
_Static_assert(
    offsetof(struct sym_index_header, header_checksum) == 64, "comes last");
_Static_assert(
    __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__,
    "a number's first bytes are its lowest");

/* A place in the source; file 0 is "unknown". */
struct sym_index_source {
    uint32_t file; /* string */
    uint32_t line, column, discriminator;
};

/* The parts of a file of these counts, as offsets from its start. */
struct sym_index_layout {
    uint64_t checksums, directory, groups, places, nodes, text, end;
    uint64_t block_count; /* from the directory to the end */
};

struct sym_index_layout sym_index_layout(const struct sym_index_header *header);

/* A hash against damage, some bytes a cycle. */
uint64_t sym_index_checksum(const void *bytes, size_t count);

#endif
