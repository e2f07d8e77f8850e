/*
 * Any bytes as an index from the cache: whatever its numbers say, every walk
 * ends, and every text is made of the file.
 *
 *   byte 0      bit 0: make the checksums right, as a forger would; else the
 *               file is taken as it is
 *   bytes 1..   the file. With bit 0 the counts of its header are bounded by
 *               its length, so that the mutations reach what is behind it
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "symbolizer/index.h"

enum { QUESTIONS = 64 };

#define KEY UINT64_C(0x77)

/* Shrink the counts until the file holds what they promise. */
static size_t fit(struct sym_index_header *header, size_t size)
{
    header->magic = SYM_INDEX_MAGIC;
    header->version = SYM_INDEX_VERSION;
    header->key = KEY;
    header->stretch_shift %= 32;
    header->stretch_count %= 64;
    header->place_bytes %= 1024;
    header->node_bytes %= 1024;
    header->string_count = header->string_count % 64 + 1;
    header->text_bytes = header->text_bytes % 4096 + 1;
    struct sym_index_layout at = sym_index_layout(header);
    return at.end <= size ? at.end : 0;
}

static void forge(uint8_t *bytes, struct sym_index_header *header)
{
    struct sym_index_layout at = sym_index_layout(header);
    for (uint64_t block = 0; block < at.block_count; block++) {
        uint64_t start = at.directory + block * SYM_INDEX_BLOCK_BYTES;
        uint64_t left = at.end - start;
        uint64_t sum = sym_index_checksum(
            bytes + start,
            left < SYM_INDEX_BLOCK_BYTES ? left : SYM_INDEX_BLOCK_BYTES);
        memcpy(bytes + at.checksums + 8 * block, &sum, 8);
    }
    header->checksums_checksum =
        sym_index_checksum(bytes + at.checksums, 8 * at.block_count);
    header->header_checksum = sym_index_checksum(
        header, offsetof(struct sym_index_header, header_checksum));
    memcpy(bytes, header, sizeof *header);
}

static void check_text(struct sym_index *index, uint32_t id)
{
    const char *text = sym_index_string(index, id);
    /* What is shared grows by no more than a byte tells with each string. */
    if (text == NULL || strlen(text) > index->header.text_bytes + 8 * 255)
        abort();
}

static void ask(struct sym_index *index, uint64_t vaddr)
{
    struct sym_index_walk walk = sym_index_find(index, vaddr);
    struct sym_index_frame frame;
    uint32_t frames = 0;
    while (sym_index_walk_next(index, &walk, &frame)) {
        if (++frames > index->header.node_bytes + 1)
            abort();
        check_text(index, frame.name);
        check_text(index, frame.source.file);
    }
}

static void ask_all(const uint8_t *bytes, size_t size)
{
    struct sym_index index;
    if (sym_index_open_memory(&index, bytes, size, KEY, NULL) != STATUS_OK)
        return;
    for (uint64_t i = 0; i < QUESTIONS; i++) {
        ask(&index, index.header.base + i);
        ask(&index, index.header.base + (i << index.header.stretch_shift));
        ask(&index, index.header.base - i);
    }
    for (uint32_t id = 0; id < index.header.string_count; id++)
        check_text(&index, id);
    sym_index_close(&index);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct sym_index_header header;
    if (size < 1 + sizeof header)
        return 0;
    uint8_t flags = *data++;
    size--;
    memcpy(&header, data, sizeof header);
    if ((flags & 1) != 0)
        size = fit(&header, size);
    if (size == 0)
        return 0;
    /* Exactly as large as the file, for AddressSanitizer to see its end. */
    uint8_t *bytes = malloc(size);
    if (bytes == NULL)
        abort();
    memcpy(bytes, data, size);
    if ((flags & 1) != 0)
        forge(bytes, &header);
    ask_all(bytes, size);
    free(bytes);
    return 0;
}
