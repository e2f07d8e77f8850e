/*
 * Reading an index. Every access goes through part(), which bounds it and has
 * its blocks compared with their checksums.
 */
#include "symbolizer/index.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

/* ---- opening ---- */

static enum status check_header(
    struct sym_index *index, uint64_t key, struct diag *diag)
{
    struct sym_index_header *header = &index->header;
    if (index->bytes_count < sizeof *header)
        return fail(diag, STATUS_MALFORMED, "an index without a whole header");
    memcpy(header, index->bytes, sizeof *header);
    if (header->magic != SYM_INDEX_MAGIC)
        return fail(diag, STATUS_MALFORMED, "not an index of this machine");
    if (header->version != SYM_INDEX_VERSION)
        return fail(
            diag, STATUS_MISMATCH, "an index of version %u", header->version);
    if (header->header_checksum !=
        sym_index_checksum(
            header, offsetof(struct sym_index_header, header_checksum)))
        return fail(diag, STATUS_MALFORMED, "an index with a damaged header");
    if (header->key != key)
        return fail(diag, STATUS_MISMATCH, "an index of another file");

    index->at = sym_index_layout(header);
    if (index->at.end != index->bytes_count || header->stretch_shift > 31 ||
        header->source_count == 0 || header->string_count == 0 ||
        header->text_bytes == 0)
        return fail(diag, STATUS_MALFORMED, "an index that is not whole");
    if (header->checksums_checksum !=
        sym_index_checksum(
            index->bytes + index->at.checksums, 8 * index->at.block_count))
        return fail(diag, STATUS_MALFORMED, "an index with damaged checksums");
    return STATUS_OK;
}

static enum status open_bytes(
    struct sym_index *index, uint64_t key, struct diag *diag)
{
    enum status status = check_header(index, key, diag);
    if (status != STATUS_OK)
        return status;
    index->is_checked = calloc(index->at.block_count + 1, 1);
    if (index->is_checked == NULL)
        return fail(diag, STATUS_NO_MEMORY, "no memory for an index");
    return STATUS_OK;
}

enum status sym_index_open_memory(
    struct sym_index *index, const void *bytes, size_t count, uint64_t key,
    struct diag *diag)
{
    *index = (struct sym_index){.bytes = bytes, .bytes_count = count};
    enum status status = open_bytes(index, key, diag);
    if (status != STATUS_OK)
        sym_index_close(index);
    return status;
}

/* File systems across a network, or made by programs, may have no mmap(2). */
static enum status map_or_read(
    struct sym_index *index, int fd, struct diag *diag)
{
    void *bytes = mmap(NULL, index->bytes_count, PROT_READ, MAP_PRIVATE, fd, 0);
    index->is_mapped = bytes != MAP_FAILED;
    if (index->is_mapped) {
        index->bytes = bytes;
        return STATUS_OK;
    }
    uint8_t *copy = malloc(index->bytes_count);
    if (copy == NULL)
        return fail(diag, STATUS_NO_MEMORY, "no memory for an index");
    index->bytes = copy;
    index->is_read = true;
    for (size_t done = 0; done < index->bytes_count;) {
        ssize_t count =
            pread(fd, copy + done, index->bytes_count - done, (off_t)done);
        if (count <= 0)
            return fail(diag, STATUS_SYSTEM, "read an index");
        done += (size_t)count;
    }
    return STATUS_OK;
}

enum status sym_index_open(
    struct sym_index *index, int fd, uint64_t key, struct diag *diag)
{
    *index = (struct sym_index){0};
    struct stat identity;
    if (fstat(fd, &identity) != 0)
        return fail(diag, STATUS_SYSTEM, "stat an index");
    if (identity.st_size <= 0)
        return fail(diag, STATUS_MALFORMED, "an index without a whole header");
    index->bytes_count = (size_t)identity.st_size;
    enum status status = map_or_read(index, fd, diag);
    if (status == STATUS_OK)
        status = open_bytes(index, key, diag);
    if (status != STATUS_OK)
        sym_index_close(index);
    return status;
}

void sym_index_close(struct sym_index *index)
{
    if (index->is_mapped)
        munmap((void *)(uintptr_t)index->bytes, index->bytes_count);
    if (index->is_read)
        free((void *)(uintptr_t)index->bytes);
    free(index->is_checked);
    *index = (struct sym_index){0};
}

/* ---- access ---- */

static bool check_block(struct sym_index *index, uint64_t block)
{
    uint64_t start = index->at.directory + (block << SYM_INDEX_BLOCK_SHIFT);
    uint64_t left = index->at.end - start, expected;
    memcpy(&expected, index->bytes + index->at.checksums + 8 * block, 8);
    size_t bytes = left < SYM_INDEX_BLOCK_BYTES ? left : SYM_INDEX_BLOCK_BYTES;
    if (sym_index_checksum(index->bytes + start, bytes) != expected) {
        index->is_damaged = true;
        return false;
    }
    index->is_checked[block] = 1;
    return true;
}

/* `count` rows of a part, from `row` on, which the caller has bounded. NULL:
   damaged. */
static inline const void *part(
    struct sym_index *index, uint64_t start, uint64_t row, size_t row_bytes,
    uint32_t count)
{
    uint64_t offset = start + row * row_bytes;
    uint64_t end = offset + count * row_bytes;
    uint64_t first = (offset - index->at.directory) >> SYM_INDEX_BLOCK_SHIFT;
    uint64_t last = (end - 1 - index->at.directory) >> SYM_INDEX_BLOCK_SHIFT;
    for (uint64_t block = first; block <= last; block++) {
        if (!index->is_checked[block] && !check_block(index, block))
            return NULL;
    }
    return index->bytes + offset;
}

static inline uint32_t number(
    struct sym_index *index, uint64_t start, uint64_t row)
{
    const uint32_t *value = part(index, start, row, sizeof *value, 1);
    return value ? *value : 0;
}

const char *sym_index_string(struct sym_index *index, uint32_t id)
{
    if (id >= index->header.string_count)
        return "";
    uint32_t first = number(index, index->at.strings, id);
    uint32_t text_bytes = index->header.text_bytes;
    if (first >= text_bytes)
        return "";
    /* Block by block to the NUL that must come before the end. */
    for (uint64_t at = first; at < text_bytes;) {
        const char *text = part(index, index->at.text, at, 1, 1);
        if (text == NULL)
            return "";
        uint64_t in_block = (index->at.text + at - index->at.directory) &
                            (SYM_INDEX_BLOCK_BYTES - 1);
        uint64_t room = SYM_INDEX_BLOCK_BYTES - in_block;
        if (room > text_bytes - at)
            room = text_bytes - at;
        if (memchr(text, '\0', room) != NULL)
            return (const char *)index->bytes + index->at.text + first;
        at += room;
    }
    return "";
}

/* ---- finding ---- */

/* The place in force at `distance` from the base, or SYM_INDEX_NONE. */
static uint32_t find_place(struct sym_index *index, uint64_t distance)
{
    const struct sym_index_header *header = &index->header;
    uint64_t stretch = distance >> header->stretch_shift;
    if (stretch >= header->stretch_count)
        return SYM_INDEX_NONE;
    uint32_t low = number(index, index->at.directory, stretch);
    uint32_t high = number(index, index->at.directory, stretch + 1);
    if (low > high || high > header->place_count)
        return SYM_INDEX_NONE;
    /* The answer is among these: fetch it while the search goes on. */
    __builtin_prefetch(
        index->bytes + index->at.answers +
        (low + (high - low) / 2) * sizeof(struct sym_index_answer));
    /* Those of the stretch; none of them: the one before reaches into it. */
    if (low < high) {
        const uint32_t *places =
            part(index, index->at.places, low, sizeof *places, high - low);
        uint32_t before = 0, count = high - low;
        if (places == NULL)
            return SYM_INDEX_NONE;
        while (before < count) {
            uint32_t middle = before + (count - before) / 2;
            if (places[middle] <= distance)
                before = middle + 1;
            else
                count = middle;
        }
        low += before;
    }
    return low > 0 ? low - 1 : SYM_INDEX_NONE;
}

struct sym_index_walk sym_index_find(struct sym_index *index, uint64_t vaddr)
{
    struct sym_index_walk walk = {.node = SYM_INDEX_NONE, .start_vaddr = vaddr};
    if (vaddr < index->header.base)
        return walk;
    uint32_t place = find_place(index, vaddr - index->header.base);
    if (place == SYM_INDEX_NONE)
        return walk;
    const struct sym_index_answer *answer =
        part(index, index->at.answers, place, sizeof *answer, 1);
    if (answer == NULL)
        return walk;
    walk.node = answer->node;
    walk.source = answer->source;
    return walk;
}

/* What a frame says of its place in the source. */
static void fill_source(
    struct sym_index *index, uint32_t id, struct sym_index_frame *frame)
{
    if (id >= index->header.source_count)
        return;
    const struct sym_index_source *source =
        part(index, index->at.sources, id, sizeof *source, 1);
    if (source == NULL)
        return;
    frame->file = source->file;
    frame->line = source->line;
    frame->column = source->column;
    frame->discriminator = source->discriminator;
}

bool sym_index_walk_next(
    struct sym_index *index, struct sym_index_walk *walk,
    struct sym_index_frame *frame)
{
    if (walk->is_over)
        return false;
    *frame = (struct sym_index_frame){0};
    fill_source(index, walk->source, frame);

    const struct sym_index_node *node = NULL;
    if (walk->node < index->header.node_count)
        node = part(index, index->at.nodes, walk->node, sizeof *node, 1);
    /* Callers come first, so this walk ends. */
    if (node == NULL || node->caller >= walk->node) {
        walk->is_over = true;
        if (node != NULL)
            walk->start_vaddr = index->header.base + node->call;
        frame->name = node ? node->name : 0;
        return frame->name != 0 || frame->file != 0;
    }
    frame->name = node->name;
    frame->is_inlined = true;
    walk->node = node->caller;
    walk->source = node->call;
    return true;
}
