/*
 * The image that is made:
 *
 *   Elf64_Ehdr | section bytes, each aligned to 8 | names | Elf64_Shdr[]
 *
 * Section 0 is the empty one, the last is the names'. Compression comes in
 * two forms: SHF_COMPRESSED with an Elf64_Chdr before the bytes, and the older
 * .zdebug_* with "ZLIB" and the size in big-endian.
 */
#include "symbolizer/inflate.h"

#include <endian.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>
#include <zstd.h>

#include "symbolizer/image_open.h"
#include "symbolizer/relocate.h"

/* The largest debug sections known, of browsers, have 2 GB. */
#define TOTAL_LIMIT_BYTES    (UINT64_C(1) << 33)

/* What compressed sections may inflate to, beside what they take themselves:
   real ones reach 10 times, a bomb a thousand, with Zstandard 30 thousand. */
#define INFLATION_BASE_BYTES (UINT64_C(8) << 20)
#define INFLATION_TIMES      32

#define ZSTD_METHOD          2 /* ELFCOMPRESS_ZSTD; not in elf.h yet */

static const char *const wanted_sections[] = {
    ".debug_abbrev", ".debug_addr", ".debug_info", ".debug_line",
    ".debug_ranges", ".debug_line_str", ".debug_rnglists", ".debug_str",
    ".debug_str_offsets", ".gnu_debugaltlink",
    /* of split units, and the index of a package */
    ".debug_abbrev.dwo", ".debug_info.dwo", ".debug_rnglists.dwo",
    ".debug_str.dwo", ".debug_str_offsets.dwo", ".debug_cu_index"};

enum { WANTED = sizeof wanted_sections / sizeof wanted_sections[0] };

enum method { PLAIN, ZLIB, ZSTD };

/* One section to copy or to inflate. */
struct part {
    const char *name;
    Elf_Scn *section;
    enum method method;
    const uint8_t *bytes;
    uint64_t bytes_count, plain_count;
};

struct plan {
    const struct sym_image *image;
    struct part parts[WANTED];
    unsigned count;
    uint64_t total; /* bytes of the new image */
    uint64_t limit; /* of what all of it may inflate to */
};

static uint64_t align8(uint64_t bytes)
{
    return (bytes + 7) & ~UINT64_C(7);
}

/* ---- what is there ---- */

static bool is_old_form(const char *name)
{
    return strncmp(name, ".zdebug_", 8) == 0;
}

bool sym_inflate_is_needed(const struct sym_image *image)
{
    for (Elf_Scn *section = elf_nextscn(image->elf, NULL); section != NULL;
         section = elf_nextscn(image->elf, section)) {
        GElf_Shdr header;
        if (gelf_getshdr(section, &header) == NULL)
            return false;
        const char *name = sym_image_section_name(image, &header);
        if ((is_old_form(name) || ((header.sh_flags & SHF_COMPRESSED) != 0 &&
                                   strncmp(name, ".debug_", 7) == 0)))
            return true;
    }
    return false;
}

/* The section's name without a sign of compression if it is wanted. */
static const char *wanted_name(const char *name)
{
    size_t skip = is_old_form(name) ? 2 : 1;
    for (unsigned i = 0; i < WANTED; i++) {
        if (name[0] == '.' && strcmp(name + skip, wanted_sections[i] + 1) == 0)
            return wanted_sections[i];
    }
    return NULL;
}

/* Take a header of compression off the front of the part. */
static enum status read_method(
    struct part *part, const GElf_Shdr *header, const char *name,
    const struct plan *plan, struct diag *diag)
{
    size_t head_bytes = 0;
    if (is_old_form(name)) {
        head_bytes = 12;
        uint64_t size = 0;
        if (part->bytes_count >= head_bytes &&
            memcmp(part->bytes, "ZLIB", 4) == 0)
            memcpy(&size, part->bytes + 4, 8);
        part->plain_count = be64toh(size);
        part->method = ZLIB;
    } else if ((header->sh_flags & SHF_COMPRESSED) != 0) {
        Elf64_Chdr head = {0};
        head_bytes = sizeof head;
        if (part->bytes_count >= head_bytes)
            memcpy(&head, part->bytes, head_bytes);
        if (head.ch_type != ELFCOMPRESS_ZLIB && head.ch_type != ZSTD_METHOD)
            return fail(
                diag, STATUS_UNSUPPORTED,
                "'%s': %s is compressed by an unknown method (%u)",
                plan->image->path, name, head.ch_type);
        part->method = head.ch_type == ZSTD_METHOD ? ZSTD : ZLIB;
        part->plain_count = head.ch_size;
    }
    if (part->bytes_count < head_bytes)
        return fail(
            diag, STATUS_MALFORMED, "'%s': %s is cut short", plan->image->path,
            name);
    part->bytes += head_bytes;
    part->bytes_count -= head_bytes;
    return STATUS_OK;
}

static enum status add_part(
    struct plan *plan, Elf_Scn *section, const GElf_Shdr *header,
    const char *name, struct diag *diag)
{
    Elf_Data *data = elf_rawdata(section, NULL);
    if (wanted_name(name) == NULL || data == NULL || data->d_buf == NULL ||
        plan->count == WANTED)
        return STATUS_OK;
    struct part *part = &plan->parts[plan->count++];
    *part = (struct part){
        .name = wanted_name(name),
        .section = section,
        .bytes = data->d_buf,
        .bytes_count = data->d_size,
        .plain_count = data->d_size};
    enum status status = read_method(part, header, name, plan, diag);
    if (status != STATUS_OK)
        return status;
    plan->limit += INFLATION_TIMES * part->bytes_count;
    if (part->plain_count > TOTAL_LIMIT_BYTES - plan->total ||
        plan->total + part->plain_count > plan->limit)
        return fail(
            diag, STATUS_LIMIT, "'%s': %s claims to inflate to %llu bytes",
            plan->image->path, name, (unsigned long long)part->plain_count);
    plan->total = align8(plan->total + part->plain_count);
    return STATUS_OK;
}

static enum status make_plan(
    struct plan *plan, const struct sym_image *image, struct diag *diag)
{
    *plan = (struct plan){
        .image = image,
        .total = sizeof(Elf64_Ehdr),
        .limit = INFLATION_BASE_BYTES};
    if (gelf_getclass(image->elf) != ELFCLASS64)
        return fail(
            diag, STATUS_UNSUPPORTED,
            "'%s': compressed debug sections of a 32-bit file", image->path);
    for (Elf_Scn *section = elf_nextscn(image->elf, NULL); section != NULL;
         section = elf_nextscn(image->elf, section)) {
        GElf_Shdr header;
        if (gelf_getshdr(section, &header) == NULL ||
            header.sh_type == SHT_NOBITS)
            continue;
        enum status status = add_part(
            plan, section, &header, sym_image_section_name(image, &header),
            diag);
        if (status != STATUS_OK)
            return status;
    }
    return STATUS_OK;
}

/* ---- inflating ---- */

static bool inflate_zlib(const struct part *part, uint8_t *to)
{
    /* zlib counts in 32 bits, so large sections go in steps. */
    z_stream stream = {.next_in = (Bytef *)(uintptr_t)part->bytes};
    if (inflateInit(&stream) != Z_OK)
        return false;
    uint64_t in_left = part->bytes_count, out_left = part->plain_count;
    int result = Z_OK;
    stream.next_out = to;
    while (result == Z_OK) {
        uInt in = in_left < UINT32_MAX ? (uInt)in_left : UINT32_MAX;
        uInt out = out_left < UINT32_MAX ? (uInt)out_left : UINT32_MAX;
        stream.avail_in = in;
        stream.avail_out = out;
        result = inflate(&stream, Z_NO_FLUSH);
        in_left -= in - stream.avail_in;
        out_left -= out - stream.avail_out;
    }
    (void)inflateEnd(&stream);
    return result == Z_STREAM_END && out_left == 0;
}

static bool write_part(const struct part *part, uint8_t *to)
{
    switch (part->method) {
    case ZLIB:
        return inflate_zlib(part, to);
    case ZSTD:
        return ZSTD_decompress(
                   to, part->plain_count, part->bytes, part->bytes_count) ==
               part->plain_count;
    default:
        memcpy(to, part->bytes, part->plain_count);
        return true;
    }
}

/* ---- the new image ---- */

static const char names_section[] = ".shstrtab";

/* Names of sections: a NUL, one name after the other, and its own. */
static size_t names_bytes(const struct plan *plan)
{
    size_t bytes = 1 + sizeof names_section;
    for (unsigned i = 0; i < plan->count; i++)
        bytes += strlen(plan->parts[i].name) + 1;
    return bytes;
}

static enum status write_image(
    const struct plan *plan, uint8_t *image, struct diag *diag)
{
    uint64_t names_at = plan->total, at = sizeof(Elf64_Ehdr);
    uint64_t headers_at = align8(names_at + names_bytes(plan));
    Elf64_Shdr headers[WANTED + 2] = {0};
    char *name = (char *)image + names_at;
    *name++ = '\0';
    for (unsigned i = 0; i < plan->count; i++) {
        const struct part *part = &plan->parts[i];
        if (!write_part(part, image + at))
            return fail(
                diag, STATUS_MALFORMED, "'%s': %s does not inflate",
                plan->image->path, part->name);
        if (part->method != PLAIN)
            sym_relocate_inflated(
                plan->image, part->section, image + at, part->plain_count);
        headers[i + 1] = (Elf64_Shdr){
            .sh_name = (Elf64_Word)(name - (char *)image - names_at),
            .sh_type = SHT_PROGBITS,
            .sh_offset = at,
            .sh_size = part->plain_count,
            .sh_addralign = 1};
        name = stpcpy(name, part->name) + 1;
        at = align8(at + part->plain_count);
    }
    memcpy(name, names_section, sizeof names_section);
    headers[plan->count + 1] = (Elf64_Shdr){
        .sh_name = (Elf64_Word)(name - (char *)image - names_at),
        .sh_type = SHT_STRTAB,
        .sh_offset = names_at,
        .sh_size = names_bytes(plan),
        .sh_addralign = 1};

    Elf64_Ehdr *file = (Elf64_Ehdr *)image;
    file->e_shoff = headers_at;
    file->e_ehsize = sizeof *file;
    file->e_shentsize = sizeof headers[0];
    file->e_shnum = (Elf64_Half)(plan->count + 2);
    file->e_shstrndx = (Elf64_Half)(plan->count + 1);
    memcpy(image + headers_at, headers, file->e_shnum * sizeof headers[0]);
    return STATUS_OK;
}

enum status sym_inflate(
    const struct sym_image *image, struct sym_image *inflated,
    struct diag *diag)
{
    struct plan plan;
    enum status status = make_plan(&plan, image, diag);
    GElf_Ehdr original;
    if (status != STATUS_OK)
        return status;
    if (gelf_getehdr(image->elf, &original) == NULL)
        return fail(
            diag, STATUS_MALFORMED, "'%s': damaged header", image->path);

    uint64_t bytes_count = align8(plan.total + names_bytes(&plan)) +
                           (WANTED + 2) * sizeof(Elf64_Shdr);
    uint8_t *bytes = malloc(bytes_count);
    if (bytes == NULL)
        return fail(
            diag, STATUS_NO_MEMORY, "no memory for debug sections of '%s'",
            image->path);
    Elf64_Ehdr file = {
        .e_type = original.e_type,
        .e_machine = original.e_machine,
        .e_version = EV_CURRENT};
    memcpy(file.e_ident, original.e_ident, EI_NIDENT);
    memcpy(bytes, &file, sizeof file);
    status = write_image(&plan, bytes, diag);
    if (status != STATUS_OK) {
        free(bytes);
        return status;
    }
    return sym_image_adopt(inflated, image->path, bytes, bytes_count, diag);
}
