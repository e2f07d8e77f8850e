/* Where the parts of an index are, and its checksum. */
#include "symbolizer/index_format.h"

#include <string.h>

#define PRIME_1 UINT64_C(0x9e3779b185ebca87)
#define PRIME_2 UINT64_C(0xc2b2ae3d27d4eb4f)

enum { LANES = 4 };

static uint64_t rounded(uint64_t bytes)
{
    return (bytes + 7) & ~UINT64_C(7);
}

static uint64_t blocks_of(uint64_t bytes)
{
    return (bytes + SYM_INDEX_BLOCK_BYTES - 1) >> SYM_INDEX_BLOCK_SHIFT;
}

/* Counts are of 32 bits: no sum of these comes near 64. */
struct sym_index_layout sym_index_layout(const struct sym_index_header *header)
{
    struct sym_index_layout at = {.checksums = sizeof *header};
    uint64_t directory = rounded(4 * (UINT64_C(1) + header->stretch_count));
    uint64_t group_count =
        (UINT64_C(0) + header->string_count + SYM_INDEX_GROUP - 1) /
        SYM_INDEX_GROUP;
    uint64_t groups = rounded(4 * group_count);
    at.block_count = blocks_of(
        directory + groups + header->place_bytes + header->node_bytes +
        SYM_INDEX_SLACK + header->text_bytes);
    at.directory = at.checksums + 8 * at.block_count;
    at.groups = at.directory + directory;
    at.places = at.groups + groups;
    at.nodes = at.places + header->place_bytes;
    at.text = at.nodes + header->node_bytes + SYM_INDEX_SLACK;
    at.end = at.text + header->text_bytes;
    return at;
}

static uint64_t mixed(uint64_t lane, uint64_t word)
{
    lane = (lane ^ word) * PRIME_1;
    return lane << 29 | lane >> 35;
}

/* Four lanes, so that one multiplication need not wait for the other. */
uint64_t sym_index_checksum(const void *bytes, size_t count)
{
    const unsigned char *at = bytes;
    uint64_t lanes[LANES] = {PRIME_1, PRIME_2, ~PRIME_1, ~PRIME_2};
    size_t left = count;
    for (; left >= 8 * LANES; at += 8 * LANES, left -= 8 * LANES) {
        uint64_t words[LANES];
        memcpy(words, at, sizeof words);
        for (int i = 0; i < LANES; i++)
            lanes[i] = mixed(lanes[i], words[i]);
    }
    uint64_t hash = count;
    for (int i = 0; i < LANES; i++)
        hash = mixed(hash, lanes[i]);
    for (; left > 0; at += left < 8 ? left : 8, left -= left < 8 ? left : 8) {
        uint64_t word = 0;
        memcpy(&word, at, left < 8 ? left : 8);
        hash = mixed(hash, word);
    }
    hash = (hash ^ hash >> 32) * PRIME_2;
    return hash ^ hash >> 29;
}
