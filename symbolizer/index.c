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

#include "symbolizer/budget.h"
#include "symbolizer/bytes.h"

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
        header->string_count == 0 || header->text_bytes == 0)
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
    index->text.row_bytes = 1;
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
    table_fini(&index->text);
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

/* `count` bytes of a part, from `row` on, which the caller has bounded. NULL:
   damaged. */
static inline const uint8_t *part(
    struct sym_index *index, uint64_t start, uint64_t row, uint64_t count)
{
    uint64_t offset = start + row, end = offset + count;
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
    uint32_t value = 0;
    const uint8_t *at = part(index, start, row * sizeof value, sizeof value);
    if (at != NULL)
        memcpy(&value, at, sizeof value);
    return value;
}

/* ---- strings ---- */

/* From an offset in the text on, to the NUL that must come before the end;
   nothing where it does not. */
static struct sym_bytes text_at(struct sym_index *index, uint64_t offset)
{
    static const struct sym_bytes none = {.is_bad = true};
    uint64_t left = index->header.text_bytes;
    if (offset >= left)
        return none;
    left -= offset;
    if (left > SYM_TEXT_LIMIT_BYTES)
        left = SYM_TEXT_LIMIT_BYTES;
    /* Block by block, so that no more is checked than is read. */
    for (uint64_t done = 0; done < left;) {
        uint64_t place = index->at.text + offset + done - index->at.directory;
        uint64_t step =
            SYM_INDEX_BLOCK_BYTES - (place & (SYM_INDEX_BLOCK_BYTES - 1));
        if (step > left - done)
            step = left - done;
        const uint8_t *at = part(index, index->at.text, offset + done, 1);
        const uint8_t *nul = at != NULL ? memchr(at, '\0', step) : NULL;
        if (at == NULL)
            return none;
        if (nul != NULL)
            return (struct sym_bytes){
                .at = index->bytes + index->at.text + offset, .end = nul};
        done += step;
    }
    return none;
}

/* Replace what is behind the first `shared` bytes. */
static bool change_text(
    struct sym_index *index, uint32_t shared, struct sym_bytes rest)
{
    struct table *text = &index->text;
    if (shared < text->count)
        text->count = shared;
    return sym_bytes_left(&rest) == 0 ||
           table_add_many(text, rest.at, (uint32_t)sym_bytes_left(&rest)) !=
               TABLE_NONE;
}

const char *sym_index_string(struct sym_index *index, uint32_t id)
{
    static const char nul = '\0';
    if (id >= index->header.string_count)
        return "";
    index->text.count = 0;
    uint64_t offset = number(index, index->at.groups, id / SYM_INDEX_GROUP);
    for (uint32_t i = 0; i <= id % SYM_INDEX_GROUP; i++) {
        uint32_t shared = 0;
        if (i > 0 && offset < index->header.text_bytes) {
            const uint8_t *at = part(index, index->at.text, offset++, 1);
            shared = at != NULL ? *at : 0;
        }
        struct sym_bytes rest = text_at(index, offset);
        if (rest.is_bad)
            return "";
        if (!change_text(index, shared, rest))
            return NULL;
        offset += sym_bytes_left(&rest) + 1;
    }
    return table_add(&index->text, &nul) != TABLE_NONE ? index->text.rows
                                                       : NULL;
}

/* ---- finding ---- */

/*
 * The numbers of a record, behind its head. No number is asked how long it is:
 * each is read as if it had 4 bytes, and what is not its own is masked out. The
 * slack behind the records bounds this.
 *
 *   returns  where the next record begins; the caller looks whether that is
 *            still inside
 */
static inline const uint8_t *take_numbers(
    const uint8_t *at, unsigned head, uint32_t numbers[SYM_INDEX_NUMBERS])
{
    static const uint32_t masks[] = {0, UINT8_MAX, UINT16_MAX, UINT32_MAX};
    static const uint8_t widths[] = {0, 1, 2, 4};
    for (unsigned i = 0; i < SYM_INDEX_NUMBERS; i++) {
        unsigned code = head >> SYM_INDEX_CODE_BITS * i & 3;
        uint32_t word;
        memcpy(&word, at, sizeof word);
        numbers[i] = word & masks[code];
        at += widths[code];
    }
    return at;
}

static inline const uint8_t *take_head(const uint8_t *at, unsigned *head)
{
    uint16_t word;
    memcpy(&word, at, sizeof word);
    *head = word;
    return at + sizeof word;
}

static inline uint32_t unzigzag(uint32_t value)
{
    return (value >> 1) ^ (0 - (value & 1));
}

/* Go through the places of a stretch, to what is in force at `distance`; all
   zeros where nothing is known, and in what breaks its bounds. */
static inline void read_places(
    const uint8_t *at, const uint8_t *end, uint64_t place, uint64_t distance,
    uint32_t state[SYM_INDEX_NUMBERS])
{
    uint32_t changes[SYM_INDEX_NUMBERS];
    bool is_known = false;
    while (at < end) {
        unsigned head;
        at = take_head(at, &head);
        uint32_t step = head >> SYM_INDEX_STEP_SHIFT;
        if (step == SYM_INDEX_STEP_LONG) {
            memcpy(&step, at, sizeof step);
            at += sizeof step;
        }
        place += step;
        if (place > distance)
            break;
        is_known = (head & ((1u << SYM_INDEX_STEP_SHIFT) - 1)) != 0;
        at = take_numbers(at, head, changes);
        for (unsigned i = 0; i < SYM_INDEX_NUMBERS; i++)
            state[i] += unzigzag(changes[i]);
    }
    if (!is_known || at > end)
        memset(state, 0, SYM_INDEX_NUMBERS * sizeof *state);
}

struct sym_index_walk sym_index_find(struct sym_index *index, uint64_t vaddr)
{
    const struct sym_index_header *header = &index->header;
    struct sym_index_walk walk = {.node = SYM_INDEX_NONE, .start_vaddr = vaddr};
    uint64_t distance = vaddr - header->base;
    uint64_t stretch = distance >> header->stretch_shift;
    if (vaddr < header->base || stretch >= header->stretch_count)
        return walk;
    uint32_t bounds[2] = {0};
    const uint8_t *row = part(
        index, index->at.directory, stretch * sizeof *bounds, sizeof bounds);
    if (row != NULL)
        memcpy(bounds, row, sizeof bounds);
    uint32_t first = bounds[0], end = bounds[1];
    if (first >= end || end > header->place_bytes)
        return walk;
    const uint8_t *places = part(index, index->at.places, first, end - first);
    if (places == NULL)
        return walk;
    uint32_t state[SYM_INDEX_NUMBERS] = {0};
    read_places(
        places, places + (end - first), stretch << header->stretch_shift,
        distance, state);
    walk.node = state[SYM_PLACE_NODE] - 1;
    walk.source = (struct sym_index_source){
        .file = state[SYM_PLACE_FILE],
        .line = state[SYM_PLACE_LINE],
        .column = state[SYM_PLACE_COLUMN],
        .discriminator = state[SYM_PLACE_DISCRIMINATOR]};
    return walk;
}

/* ---- walking ---- */

static inline bool read_node(
    struct sym_index *index, uint32_t offset, uint32_t node[SYM_INDEX_NUMBERS])
{
    uint32_t left = index->header.node_bytes;
    if (offset >= left)
        return false;
    left -= offset;
    const uint8_t *at = part(
        index, index->at.nodes, offset,
        left < SYM_INDEX_RECORD_BYTES ? left : SYM_INDEX_RECORD_BYTES);
    if (at == NULL)
        return false;
    unsigned head;
    const uint8_t *numbers = take_head(at, &head);
    return take_numbers(numbers, head, node) <= at + left;
}

bool sym_index_walk_next(
    struct sym_index *index, struct sym_index_walk *walk,
    struct sym_index_frame *frame)
{
    if (walk->is_over)
        return false;
    *frame = (struct sym_index_frame){.source = walk->source};

    uint32_t node[SYM_INDEX_NUMBERS];
    bool is_known = read_node(index, walk->node, node);
    frame->name = is_known ? node[SYM_NODE_NAME] : 0;
    uint32_t back = is_known ? node[SYM_NODE_CALLER] : 0;
    /* Callers come first, so this walk ends. */
    if (back == 0 || back > walk->node) {
        walk->is_over = true;
        if (is_known)
            walk->start_vaddr = index->header.base + node[SYM_NODE_LINE];
        return frame->name != 0 || frame->source.file != 0;
    }
    frame->is_inlined = true;
    walk->node -= back;
    walk->source = (struct sym_index_source){
        .file = node[SYM_NODE_FILE],
        .line = node[SYM_NODE_LINE],
        .column = node[SYM_NODE_COLUMN]};
    return true;
}
