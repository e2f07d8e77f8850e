/* ELF files through libelf; see the header. */
#include "profiler/unwind/image.h"

#include <stdlib.h>
#include <string.h>

#include <gelf.h>

#include "profiler/unwind/fde_index.h"
#include "profiler/unwind/function_starts.h"
#include "profiler/unwind/module_phdr.h"
#include "profiler/unwind/row_table.h"

/* More segments than any linker writes; the rest are ignored. */
enum { SEGMENTS_MAX = 32 };

/* Mapping offsets are whole pages, segments' need not be. */
#define PAGE_MASK (~UINT64_C(4095))

struct prof_image {
    Elf *elf;
    size_t header_count;
    GElf_Phdr headers[SEGMENTS_MAX];
    struct prof_cfi_source eh_frame, debug_frame; /* at bias 0 */
    int32_t *eh_index, *debug_index; /* made where the file has none */
    struct prof_row_table *rows;
    const uint8_t *code[SEGMENTS_MAX];
    struct prof_function_starts starts; /* read when first asked for */
    bool is_go;
};

/* The bytes of a section, decompressed; NULL when it has none in the file. */
static const Elf_Data *section_data(Elf_Scn *section, const GElf_Shdr *header)
{
    if (header->sh_type == SHT_NOBITS)
        return NULL;
    if ((header->sh_flags & SHF_COMPRESSED) != 0 &&
        elf_compress(section, 0, 0) < 0)
        return NULL;
    const Elf_Data *data = elf_rawdata(section, NULL);
    return data != NULL && data->d_buf != NULL &&
                   data->d_size <= PROF_CFI_SECTION_BYTES_MAX
               ? data
               : NULL;
}

static Elf_Scn *section_named(Elf *elf, const char *name, GElf_Shdr *header)
{
    size_t names;
    if (elf_getshdrstrndx(elf, &names) != 0)
        return NULL;
    for (Elf_Scn *section = NULL;
         (section = elf_nextscn(elf, section)) != NULL;) {
        if (gelf_getshdr(section, header) == NULL)
            continue;
        const char *its_name = elf_strptr(elf, names, header->sh_name);
        if (its_name != NULL && strcmp(its_name, name) == 0)
            return section;
    }
    return NULL;
}

static bool has_section(Elf *elf, const char *name)
{
    GElf_Shdr header;
    return section_named(elf, name, &header) != NULL;
}

static const Elf_Data *find_section(
    Elf *elf, const char *name, uint64_t *address)
{
    GElf_Shdr header;
    Elf_Scn *section = section_named(elf, name, &header);
    if (section == NULL)
        return NULL;
    *address = header.sh_addr;
    return section_data(section, &header);
}

static struct prof_cfi_source as_source(const Elf_Data *data, uint64_t address)
{
    return (struct prof_cfi_source){
        .bytes = data->d_buf,
        .size_bytes = data->d_size,
        .address = address,
    };
}

static enum status make_index(
    struct prof_cfi_source *source, int32_t **pairs, struct diag *diag)
{
    uint32_t count = prof_fde_count(source);
    if (count == 0)
        return STATUS_OK;
    *pairs = calloc(count, 2 * sizeof **pairs);
    if (*pairs == NULL)
        return fail(diag, STATUS_NO_MEMORY, "index of %u functions", count);
    /* Code out of reach leaves the section to the bounded scan. */
    (void)prof_fde_index_build(source, *pairs, count, 0);
    return STATUS_OK;
}

/* A file without section headers is as a loaded image: the program headers
 * lead to .eh_frame. */
static void load_by_headers(struct prof_image *image)
{
    struct prof_loaded_image loaded = {
        .headers = image->headers,
        .header_count = (uint32_t)image->header_count,
    };
    struct prof_frames_range range;
    struct prof_text text;
    if (!prof_loaded_frames(&loaded, &range) ||
        range.size_bytes > PROF_CFI_SECTION_BYTES_MAX)
        return;
    const Elf_Data *data = elf_getdata_rawchunk(
        image->elf, (int64_t)range.offset, range.size_bytes, ELF_T_BYTE);
    if (data == NULL || data->d_size != range.size_bytes)
        return;
    loaded.frames = data->d_buf;
    if (prof_loaded_texts(&loaded, &text, 1) == 1)
        image->eh_frame = text.eh_frame;
}

static enum status load_eh_frame(struct prof_image *image, struct diag *diag)
{
    uint64_t address, header_address;
    const Elf_Data *data = find_section(image->elf, ".eh_frame", &address);
    if (data == NULL) {
        load_by_headers(image);
        return STATUS_OK;
    }
    image->eh_frame = as_source(data, address);
    data = find_section(image->elf, ".eh_frame_hdr", &header_address);
    if (data != NULL) {
        struct prof_eh_frame_header header = {
            data->d_buf, data->d_size, header_address};
        if (prof_fde_index_adopt(&image->eh_frame, &header) &&
            prof_fde_index_is_sorted(&image->eh_frame))
            return STATUS_OK;
    }
    image->eh_frame.index_count = 0;
    return make_index(&image->eh_frame, &image->eh_index, diag);
}

static enum status load_debug_frame(struct prof_image *image, struct diag *diag)
{
    uint64_t address;
    const Elf_Data *data = find_section(image->elf, ".debug_frame", &address);
    if (data == NULL)
        return STATUS_OK;
    image->debug_frame = as_source(data, address);
    image->debug_frame.is_debug_frame = true;
    return make_index(&image->debug_frame, &image->debug_index, diag);
}

static bool is_executable(const GElf_Phdr *header)
{
    return header->p_type == PT_LOAD && (header->p_flags & PF_X) != 0;
}

/* What a walk may look at to recognise a restorer: the text, where no CFI is
 * that would describe it. Reading all text of every file would be waste. */
static void load_code(struct prof_image *image)
{
    if (image->eh_frame.bytes != NULL)
        return;
    for (size_t i = 0; i < image->header_count; i++) {
        const GElf_Phdr *header = &image->headers[i];
        if (!is_executable(header))
            continue;
        const Elf_Data *data = elf_getdata_rawchunk(
            image->elf, (int64_t)header->p_offset, header->p_filesz,
            ELF_T_BYTE);
        if (data != NULL && header->p_filesz == header->p_memsz)
            image->code[i] = data->d_buf;
    }
}

static enum status load(
    struct prof_image *image, const char *name, struct diag *diag)
{
    if (image->elf == NULL || elf_kind(image->elf) != ELF_K_ELF ||
        gelf_getclass(image->elf) != ELFCLASS64)
        return fail(diag, STATUS_UNSUPPORTED, "'%s' is no 64-bit ELF", name);
    size_t count;
    if (elf_getphdrnum(image->elf, &count) != 0)
        return fail(diag, STATUS_MALFORMED, "'%s': program headers", name);
    for (size_t i = 0; i < count && image->header_count < SEGMENTS_MAX; i++)
        if (gelf_getphdr(
                image->elf, (int)i, &image->headers[image->header_count]))
            image->header_count++;
    enum status status = load_eh_frame(image, diag);
    if (status == STATUS_OK)
        status = load_debug_frame(image, diag);
    load_code(image);
    image->is_go = has_section(image->elf, ".gopclntab") ||
                   has_section(image->elf, ".data.rel.ro.gopclntab");
    return status;
}

static enum status open_elf(
    Elf *elf, const char *name, struct prof_image **image, struct diag *diag)
{
    struct prof_image *made = calloc(1, sizeof *made);
    if (made == NULL) {
        elf_end(elf);
        return fail(diag, STATUS_NO_MEMORY, "'%s'", name);
    }
    made->elf = elf;
    enum status status = load(made, name, diag);
    if (status == STATUS_OK)
        *image = made;
    else
        prof_image_close(made);
    return status;
}

enum status prof_image_open(
    int fd, const char *name, struct prof_image **image, struct diag *diag)
{
    (void)elf_version(EV_CURRENT);
    return open_elf(elf_begin(fd, ELF_C_READ, NULL), name, image, diag);
}

enum status prof_image_open_memory(
    void *bytes, size_t size_bytes, const char *name, struct prof_image **image,
    struct diag *diag)
{
    (void)elf_version(EV_CURRENT);
    return open_elf(elf_memory(bytes, size_bytes), name, image, diag);
}

void prof_image_close(struct prof_image *image)
{
    if (image == NULL)
        return;
    prof_function_starts_fini(&image->starts);
    elf_end(image->elf);
    free(image->eh_index);
    free(image->debug_index);
    free(image->rows);
    free(image);
}

bool prof_image_bias(
    const struct prof_image *image, uint64_t start, uint64_t offset,
    uint64_t *bias)
{
    for (size_t i = 0; i < image->header_count; i++) {
        const GElf_Phdr *header = &image->headers[i];
        uint64_t first = header->p_offset & PAGE_MASK;
        if (!is_executable(header) || offset < first ||
            offset >= header->p_offset + header->p_filesz)
            continue;
        *bias = start - (header->p_vaddr - header->p_offset + offset);
        return true;
    }
    return false;
}

uint64_t prof_image_function(struct prof_image *image, uint64_t address)
{
    prof_function_starts_read(&image->starts, image->elf);
    return prof_function_starts_find(&image->starts, address);
}

bool prof_image_is_go(const struct prof_image *image)
{
    return image->is_go;
}

uint64_t prof_image_entry(const struct prof_image *image)
{
    GElf_Ehdr header;
    return gelf_getehdr(image->elf, &header) != NULL ? header.e_entry : 0;
}

enum status prof_image_build_rows(struct prof_image *image, struct diag *diag)
{
    const struct prof_cfi_source *source = image->eh_frame.index_count != 0
                                               ? &image->eh_frame
                                               : &image->debug_frame;
    if (image->rows != NULL)
        return STATUS_OK;
    return prof_row_table_build(source, &image->rows, diag);
}

const struct prof_row_table *prof_image_rows(const struct prof_image *image)
{
    return image->rows;
}

static struct prof_cfi_source loaded(
    const struct prof_cfi_source *source, uint64_t bias)
{
    struct prof_cfi_source moved = *source;
    moved.address += bias;
    moved.bias += bias;
    moved.index_pc_base += bias;
    moved.index_fde_base += bias;
    return moved;
}

uint32_t prof_image_texts(
    const struct prof_image *image, uint64_t bias, struct prof_text *texts,
    uint32_t capacity)
{
    uint32_t count = 0;
    for (size_t i = 0; i < image->header_count && count < capacity; i++) {
        const GElf_Phdr *header = &image->headers[i];
        if (!is_executable(header))
            continue;
        texts[count++] = (struct prof_text){
            .start = bias + header->p_vaddr,
            .end = bias + header->p_vaddr + header->p_memsz,
            .eh_frame = loaded(&image->eh_frame, bias),
            .debug_frame = loaded(&image->debug_frame, bias),
            .rows = image->rows,
            .bias = bias,
            .code = image->code[i],
        };
    }
    return count;
}
