/*
 * Two ways lead to the FDEs (Linux Standard Base 5.0, Core, section 10.6,
 * "Exception Frames"):
 *
 *     PT_GNU_EH_FRAME -> .eh_frame_hdr           section table -> .eh_frame
 *         version 1, three encodings                 length, id, body
 *         address of .eh_frame, count                length, id, body
 *         (function, FDE) (function, FDE) ...        ...
 *
 * The table of the header comes first: it needs no section headers, and it
 * steps over whatever else a linker left between the entries. Without a header
 * all of .eh_frame is walked. An entry with id 0 is a CIE; in an FDE the id is
 * the distance back to its CIE, which says how the FDE's addresses are
 * encoded.
 *
 * Only pointers of constant size are read. Variable ones are allowed by the
 * specification and written by nobody, but a file could point a million table
 * rows at one number of a million bytes.
 */
#include "symbolizer/fde_starts.h"

#include <stdlib.h>
#include <string.h>

#include <dwarf.h>

#include "symbolizer/bytes.h"

enum {
    HEADER_VERSION = 1,
    FORMAT_MASK = 0x0f, /* of an encoding: the number's format */
    BASE_MASK = 0xf0,   /* and what it is relative to */
    /* What is of interest of a CIE; the rest is its program. */
    CIE_HEAD_BYTES = 64,
};

/* Bytes of the file, and the address they are loaded at. */
struct area {
    const uint8_t *bytes;
    size_t count;
    uint64_t vaddr;
};

struct reader {
    struct sym_fde_starts *starts;
    const struct sym_image *image;
    struct area area;   /* what is read from */
    uint64_t data_base; /* of DW_EH_PE_datarel */
    unsigned address_bytes;
    const uint8_t *cie_at; /* the last CIE, which most FDEs share */
    uint8_t encoding;      /* as it says; DW_EH_PE_omit where damaged */
};

/* ---- encoded pointers ---- */

static uint64_t read_number(
    const struct reader *reader, struct sym_bytes *from, uint8_t encoding)
{
    switch (encoding & FORMAT_MASK) {
    case DW_EH_PE_absptr:
    case DW_EH_PE_signed:
        return sym_bytes_fixed(from, reader->address_bytes);
    case DW_EH_PE_udata2:
        return sym_bytes_fixed(from, 2);
    case DW_EH_PE_sdata2:
        return (uint64_t)(int16_t)sym_bytes_fixed(from, 2);
    case DW_EH_PE_udata4:
        return sym_bytes_fixed(from, 4);
    case DW_EH_PE_sdata4:
        return (uint64_t)(int32_t)sym_bytes_fixed(from, 4);
    case DW_EH_PE_udata8:
    case DW_EH_PE_sdata8:
        return sym_bytes_fixed(from, 8);
    default:
        sym_bytes_spoil(from);
        return 0;
    }
}

/* An address; indirect ones are for personality routines alone. */
static uint64_t read_pointer(
    const struct reader *reader, struct sym_bytes *from, uint8_t encoding)
{
    uint64_t here =
        reader->area.vaddr + (uint64_t)(from->at - reader->area.bytes);
    uint64_t number = read_number(reader, from, encoding);
    switch (encoding & BASE_MASK) {
    case DW_EH_PE_absptr:
        break;
    case DW_EH_PE_pcrel:
        number += here;
        break;
    case DW_EH_PE_datarel:
        number += reader->data_base;
        break;
    default:
        sym_bytes_spoil(from);
    }
    /* Addresses of 32 bits wrap there. */
    return reader->address_bytes == 4 ? (uint32_t)number : number;
}

/* ---- entries of .eh_frame ---- */

struct entry {
    struct sym_bytes body;
    const uint8_t *id_at;
    uint32_t id;
};

/* False at the end of the area and where the entry does not fit in it. */
static bool next_entry(struct sym_bytes *from, struct entry *entry)
{
    uint64_t length = sym_bytes_fixed(from, 4);
    if (length == UINT32_MAX)
        length = sym_bytes_fixed(from, 8);
    *entry = (struct entry){.body = sym_bytes_take(from, length)};
    if (from->is_bad)
        return false;
    entry->id_at = entry->body.at;
    if (length > 0) /* else a terminator; more may follow from other files */
        entry->id = (uint32_t)sym_bytes_fixed(&entry->body, 4);
    return true;
}

/* The letters of an augmentation, up to the one that gives the encoding. */
static uint8_t read_augmentation(
    const struct reader *reader, struct sym_bytes *from, const char *letters)
{
    for (; *letters != '\0' && !from->is_bad; letters++) {
        switch (*letters) {
        case 'R':
            return (uint8_t)sym_bytes_fixed(from, 1);
        case 'P':
            (void)read_number(reader, from, (uint8_t)sym_bytes_fixed(from, 1));
            break;
        case 'L':
            sym_bytes_skip(from, 1);
            break;
        case 'S': /* a signal frame; B and G: pointers signed or tagged */
        case 'B':
        case 'G':
            break;
        default:
            return DW_EH_PE_omit;
        }
    }
    return DW_EH_PE_absptr;
}

/* How the FDEs of a CIE encode addresses. */
static uint8_t read_encoding(const struct reader *reader, struct sym_bytes from)
{
    uint8_t version = (uint8_t)sym_bytes_fixed(&from, 1);
    const char *letters = sym_bytes_text(&from);
    if (version >= 4)
        sym_bytes_skip(&from, 2); /* sizes of addresses and of segments */
    (void)sym_bytes_uleb(&from);  /* code alignment */
    (void)sym_bytes_sleb(&from);  /* data alignment */
    if (version == 1)
        sym_bytes_skip(&from, 1); /* the return address's column */
    else
        (void)sym_bytes_uleb(&from);

    uint8_t encoding = DW_EH_PE_absptr;
    if (letters[0] == 'z') {
        (void)sym_bytes_uleb(&from);
        encoding = read_augmentation(reader, &from, letters + 1);
    } else if (letters[0] != '\0') {
        return DW_EH_PE_omit;
    }
    return from.is_bad ? DW_EH_PE_omit : encoding;
}

/* The encoding for an FDE: that of the CIE `distance` bytes before its id. */
static uint8_t encoding_of(struct reader *reader, const struct entry *fde)
{
    if (fde->id > (size_t)(fde->id_at - reader->area.bytes))
        return DW_EH_PE_omit;
    const uint8_t *cie_at = fde->id_at - fde->id;
    if (cie_at == reader->cie_at)
        return reader->encoding;

    struct sym_bytes from = sym_bytes_of(
        reader->area.bytes, reader->area.count,
        (uint64_t)(cie_at - reader->area.bytes));
    struct entry cie;
    reader->cie_at = cie_at;
    reader->encoding = DW_EH_PE_omit;
    if (next_entry(&from, &cie) && cie.id == 0) {
        if (sym_bytes_left(&cie.body) > CIE_HEAD_BYTES)
            cie.body.end = cie.body.at + CIE_HEAD_BYTES;
        reader->encoding = read_encoding(reader, cie.body);
    }
    return reader->encoding;
}

/* False when out of memory. */
static bool add_fde(struct reader *reader, struct entry *fde)
{
    uint8_t encoding = encoding_of(reader, fde);
    if (encoding == DW_EH_PE_omit)
        return true;
    struct sym_fde_range range;
    range.start = read_pointer(reader, &fde->body, encoding);
    range.end = range.start + read_number(reader, &fde->body, encoding);
    if (fde->body.is_bad || range.end <= range.start ||
        !sym_image_is_code(reader->image, range.start))
        return true;
    return table_add(&reader->starts->ranges, &range) != TABLE_NONE;
}

/* ---- the two ways ---- */

/* What is loaded from `vaddr` on; an empty area when nothing is. */
static struct area area_at(const struct sym_image *image, uint64_t vaddr)
{
    for (uint32_t i = 0; i < image->segments.count; i++) {
        const struct sym_segment *segment = table_row(&image->segments, i);
        uint64_t skip = vaddr - segment->vaddr;
        if (vaddr < segment->vaddr || skip >= segment->file_bytes)
            continue;
        struct sym_bytes file =
            sym_bytes_of(image->bytes, image->bytes_count, segment->offset);
        uint64_t count = segment->file_bytes < sym_bytes_left(&file)
                             ? segment->file_bytes
                             : sym_bytes_left(&file);
        if (skip < count)
            return (struct area){
                .bytes = file.at + skip, .count = count - skip, .vaddr = vaddr};
    }
    return (struct area){0};
}

static struct sym_bytes start_of(const struct area *area)
{
    return sym_bytes_of(area->bytes, area->count, 0);
}

static bool find_header(const struct sym_image *image, struct area *header)
{
    size_t count;
    if (elf_getphdrnum(image->elf, &count) != 0)
        return false;
    for (size_t i = 0; i < count; i++) {
        GElf_Phdr row;
        if (gelf_getphdr(image->elf, (int)i, &row) == NULL)
            return false;
        if (row.p_type != PT_GNU_EH_FRAME)
            continue;
        *header = area_at(image, row.p_vaddr);
        if (header->count > row.p_filesz)
            header->count = row.p_filesz;
        return header->count > 0;
    }
    return false;
}

/* Every FDE that the header's table names. */
static bool add_from_header(struct reader *reader, const struct area *header)
{
    reader->area = *header;
    reader->data_base = header->vaddr;
    struct sym_bytes from = start_of(header);
    uint8_t version = (uint8_t)sym_bytes_fixed(&from, 1);
    uint8_t section_encoding = (uint8_t)sym_bytes_fixed(&from, 1);
    uint8_t count_encoding = (uint8_t)sym_bytes_fixed(&from, 1);
    uint8_t row_encoding = (uint8_t)sym_bytes_fixed(&from, 1);
    uint64_t section = read_pointer(reader, &from, section_encoding);
    uint64_t count = read_pointer(reader, &from, count_encoding);
    if (version != HEADER_VERSION || from.is_bad)
        return true;

    struct reader fdes = *reader;
    fdes.area = area_at(reader->image, section);
    for (uint64_t i = 0; i < count; i++) {
        (void)read_pointer(reader, &from, row_encoding);
        uint64_t vaddr = read_pointer(reader, &from, row_encoding);
        if (from.is_bad)
            return true;
        struct sym_bytes at = sym_bytes_of(
            fdes.area.bytes, fdes.area.count, vaddr - fdes.area.vaddr);
        struct entry fde;
        if (next_entry(&at, &fde) && fde.id != 0 && !add_fde(&fdes, &fde))
            return false;
    }
    return true;
}

static bool find_section(const struct sym_image *image, struct area *area)
{
    GElf_Shdr header;
    if (sym_image_section(image, ".eh_frame", &header) == NULL)
        return false;
    struct sym_bytes file =
        sym_bytes_of(image->bytes, image->bytes_count, header.sh_offset);
    struct sym_bytes section = sym_bytes_take(&file, header.sh_size);
    *area = (struct area){
        .bytes = section.at,
        .count = sym_bytes_left(&section),
        .vaddr = header.sh_addr};
    return area->count > 0;
}

/* Every FDE of the section, one after the other. */
static bool add_from_section(struct reader *reader, const struct area *section)
{
    reader->area = *section;
    struct sym_bytes from = start_of(section);
    struct entry entry;
    while (next_entry(&from, &entry)) {
        if (entry.id != 0 && !add_fde(reader, &entry))
            return false;
    }
    return true;
}

/* ---- the ranges ---- */

static int by_start(const void *left, const void *right)
{
    const struct sym_fde_range *a = left, *b = right;
    if (a->start != b->start)
        return a->start < b->start ? -1 : 1;
    return (a->end > b->end) - (a->end < b->end);
}

/* A header's table is in order already. */
static void sort(struct table *ranges)
{
    const struct sym_fde_range *rows = ranges->rows;
    for (uint32_t i = 1; i < ranges->count; i++) {
        if (by_start(&rows[i - 1], &rows[i]) > 0) {
            qsort(ranges->rows, ranges->count, sizeof *rows, by_start);
            return;
        }
    }
}

bool sym_fde_starts_read(
    struct sym_fde_starts *starts, const struct sym_image *image)
{
    starts->ranges.row_bytes = sizeof(struct sym_fde_range);
    /* An object file's addresses wait for its relocations. */
    if (image->elf == NULL || image->segments.count == 0)
        return true;
    struct reader reader = {
        .starts = starts,
        .image = image,
        .address_bytes = gelf_getclass(image->elf) == ELFCLASS32 ? 4 : 8};
    struct area area;
    if (find_header(image, &area) && !add_from_header(&reader, &area))
        return false;
    if (starts->ranges.count == 0 && find_section(image, &area) &&
        !add_from_section(&reader, &area))
        return false;
    sort(&starts->ranges);
    return true;
}

const struct sym_fde_range *sym_fde_starts_find(
    const struct sym_fde_starts *starts, uint64_t vaddr)
{
    const struct sym_fde_range *rows = starts->ranges.rows;
    uint32_t low = 0, high = starts->ranges.count;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (rows[middle].start <= vaddr)
            low = middle + 1;
        else
            high = middle;
    }
    return low > 0 && vaddr < rows[low - 1].end ? &rows[low - 1] : NULL;
}

void sym_fde_starts_fini(struct sym_fde_starts *starts)
{
    table_fini(&starts->ranges);
}
