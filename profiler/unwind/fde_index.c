/* Adopting and building FDE indexes; see the header. */
#include "profiler/unwind/fde_index.h"

/* version, then the encodings of: eh_frame pointer, count, table */
enum { HEADER_BYTES = 4, HEADER_VERSION = 1, TABLE_ENCODING = 0x3b };

struct pair {
    int32_t pc, fde;
};

/* The header's fields, which are encoded like those of an FDE. */
static struct prof_cfi_source as_source(
    const struct prof_eh_frame_header *header)
{
    return (struct prof_cfi_source){
        .bytes = header->bytes,
        .size_bytes = header->size_bytes,
        .address = header->address,
        .data_base = header->address,
    };
}

static struct prof_bytes start(
    const struct prof_eh_frame_header *header, uint8_t encodings[3])
{
    struct prof_bytes bytes = {
        .at = header->bytes, .end = header->bytes + header->size_bytes};
    if (prof_bytes_u8(&bytes) != HEADER_VERSION)
        bytes.is_bad = true;
    for (unsigned i = 0; i < 3; i++)
        encodings[i] = prof_bytes_u8(&bytes);
    return bytes;
}

uint64_t prof_eh_frame_address(const struct prof_eh_frame_header *header)
{
    uint8_t encodings[3];
    struct prof_bytes bytes = start(header, encodings);
    struct prof_cfi_source source = as_source(header);
    uint64_t address =
        prof_encoded_pointer(&bytes, &source, encodings[0], 8, 0);
    return bytes.is_bad ? 0 : address;
}

bool prof_fde_index_adopt(
    struct prof_cfi_source *source, const struct prof_eh_frame_header *header)
{
    uint8_t encodings[3];
    struct prof_bytes bytes = start(header, encodings);
    struct prof_cfi_source fields = as_source(header);
    (void)prof_encoded_pointer(&bytes, &fields, encodings[0], 8, 0);
    uint64_t count = prof_encoded_pointer(&bytes, &fields, encodings[1], 8, 0);

    source->index_count = 0;
    if (bytes.is_bad || encodings[2] != TABLE_ENCODING || count == 0 ||
        count > (uint64_t)(bytes.end - bytes.at) / sizeof(struct pair))
        return false;
    source->index = bytes.at;
    source->index_count = (uint32_t)count;
    source->index_pc_base = header->address;
    source->index_fde_base = header->address;
    return true;
}

static int32_t pc_at(const struct prof_cfi_source *source, uint32_t pair)
{
    int32_t pc;
    __builtin_memcpy(
        &pc, source->index + sizeof(struct pair) * pair, sizeof pc);
    return pc;
}

bool prof_fde_index_is_sorted(const struct prof_cfi_source *source)
{
    for (uint32_t i = 1; i < source->index_count; i++)
        if (pc_at(source, i - 1) > pc_at(source, i))
            return false;
    return true;
}

/* Entries without code are what is left of functions the linker dropped. */
static bool next_fde(
    const struct prof_cfi_source *source, uint64_t *offset,
    struct prof_fde *fde)
{
    for (;;) {
        enum prof_entry_kind kind = prof_fde_next(source, offset, fde);
        if (kind == PROF_ENTRY_END)
            return false;
        if (kind == PROF_ENTRY_FDE && fde->start < fde->end)
            return true;
    }
}

uint32_t prof_fde_count(const struct prof_cfi_source *source)
{
    struct prof_fde fde;
    uint32_t count = 0;
    for (uint64_t offset = 0; next_fde(source, &offset, &fde);)
        count++;
    return count;
}

/* Ties in the order of the section, so that equal inputs give equal tables. */
static bool is_below(struct pair a, struct pair b)
{
    return a.pc != b.pc ? a.pc < b.pc : a.fde < b.fde;
}

static void sink(struct pair *pairs, uint32_t root, uint32_t count)
{
    for (uint32_t child; (child = 2 * root + 1) < count; root = child) {
        if (child + 1 < count && is_below(pairs[child], pairs[child + 1]))
            child++;
        if (!is_below(pairs[root], pairs[child]))
            return;
        struct pair pair = pairs[root];
        pairs[root] = pairs[child];
        pairs[child] = pair;
    }
}

/* Heap sort: in place, without recursion, never worse than n log n. */
static void sort(struct pair *pairs, uint32_t count)
{
    for (uint32_t i = count / 2; i > 0; i--)
        sink(pairs, i - 1, count);
    for (uint32_t last = count; last > 1; last--) {
        struct pair pair = pairs[0];
        pairs[0] = pairs[last - 1];
        pairs[last - 1] = pair;
        sink(pairs, 0, last - 1);
    }
}

bool prof_fde_index_build(
    struct prof_cfi_source *source, int32_t *pairs, uint32_t capacity,
    uint64_t pc_base)
{
    struct pair *sorted = (struct pair *)(void *)pairs;
    struct prof_fde fde;
    uint32_t count = 0;
    source->index_count = 0;
    if (source->size_bytes > PROF_CFI_SECTION_BYTES_MAX)
        return false;
    for (uint64_t offset = 0; next_fde(source, &offset, &fde);) {
        int64_t pc = (int64_t)(fde.start - pc_base);
        if (count == capacity || pc != (int32_t)pc)
            return false;
        sorted[count++] = (struct pair){(int32_t)pc, (int32_t)fde.offset};
    }
    if (count == 0)
        return false;
    sort(sorted, count);
    source->index = (const uint8_t *)pairs;
    source->index_count = count;
    source->index_pc_base = pc_base;
    source->index_fde_base = source->address;
    return true;
}
