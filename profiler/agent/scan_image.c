/* One image of a running process; see the header. */
#include "profiler/agent/scan_image.h"

#include "profiler/agent/sys.h"
#include "profiler/unwind/fde_index.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>

enum {
    PAGE_BYTES = 4096,
    SECTIONS_MAX = 256,
    /* Copies take memory, mappings of files do not. */
    COPIED_BYTES_MAX = 4 << 20,
};

static const char EH_FRAME[] = ".eh_frame", DEBUG_FRAME[] = ".debug_frame";

bool prof_scan_files_open(struct prof_scan_files *files)
{
    files->count = 0;
    files->copied_bytes = 0;
    files->memory = (int)sys_call4(
        __NR_openat, (long)AT_FDCWD, "/proc/self/mem",
        (long)(O_RDONLY | O_CLOEXEC), 0L);
    return files->memory >= 0;
}

void prof_scan_files_close(struct prof_scan_files *files)
{
    if (files->memory >= 0)
        (void)sys_close(files->memory);
    files->memory = -1;
}

void prof_scan_files_release(struct prof_scan_files *files)
{
    for (uint32_t i = 0; i < files->count; i++)
        (void)sys_munmap(files->mappings[i].base, files->mappings[i].bytes);
    files->count = 0;
}

static size_t read_at(int fd, uint64_t offset, void *bytes, size_t size)
{
    long got =
        sys_call4(__NR_pread64, (long)fd, bytes, (long)size, (long)offset);
    return got > 0 ? (size_t)got : 0;
}

size_t prof_scan_memory_read(
    const struct prof_scan_files *files, uint64_t address, void *bytes,
    size_t size)
{
    return read_at(files->memory, address, bytes, size);
}

/* Memory to be kept for the walker: of `fd`, or empty. */
static void *add_mapping(
    struct prof_scan_files *files, size_t bytes, int fd, uint64_t offset)
{
    bool is_file = fd >= 0;
    if (files->count == PROF_SCAN_MAPPINGS_MAX || bytes == 0)
        return NULL;
    long base = sys_mmap(
        NULL, bytes, is_file ? PROT_READ : PROT_READ | PROT_WRITE,
        is_file ? MAP_PRIVATE : MAP_PRIVATE | MAP_ANONYMOUS, fd, (long)offset);
    if (sys_is_error(base))
        return NULL;
    files->mappings[files->count++] =
        (struct prof_scan_mapping){.base = (void *)base, .bytes = bytes};
    return (void *)base;
}

/* [offset, offset + bytes) of a file that has it. */
static const uint8_t *map_file(
    struct prof_scan_files *files, int fd, uint64_t offset, uint64_t bytes)
{
    uint64_t into = offset % PAGE_BYTES;
    const uint8_t *base = add_mapping(files, bytes + into, fd, offset - into);
    return base != NULL ? base + into : NULL;
}

static const uint8_t *copy_memory(
    struct prof_scan_files *files, uint64_t address, uint64_t bytes)
{
    if (bytes > COPIED_BYTES_MAX - files->copied_bytes)
        return NULL;
    uint8_t *copy = add_mapping(files, bytes, -1, 0);
    if (copy == NULL ||
        prof_scan_memory_read(files, address, copy, bytes) != bytes)
        return NULL;
    files->copied_bytes += bytes;
    return copy;
}

bool prof_scan_image_read(
    const struct prof_scan_files *files, uint64_t base,
    struct prof_scan_image *image)
{
    Elf64_Ehdr header;
    if (prof_scan_memory_read(files, base, &header, sizeof header) !=
            sizeof header ||
        *(const uint32_t *)(const void *)header.e_ident !=
            *(const uint32_t *)(const void *)ELFMAG ||
        header.e_ident[EI_CLASS] != ELFCLASS64 ||
        header.e_phentsize != sizeof(Elf64_Phdr) || header.e_phnum == 0 ||
        header.e_phnum > PROF_SCAN_HEADERS_MAX)
        return false;
    size_t bytes = header.e_phnum * sizeof(Elf64_Phdr);
    if (prof_scan_memory_read(
            files, base + header.e_phoff, image->headers, bytes) != bytes)
        return false;
    image->base = base;
    image->header_offset = header.e_phoff;
    image->loaded = (struct prof_loaded_image){
        .headers = image->headers, .header_count = header.e_phnum};
    for (uint32_t i = 0; i < header.e_phnum; i++) {
        const Elf64_Phdr *segment = &image->headers[i];
        if (segment->p_type != PT_LOAD || segment->p_offset >= PAGE_BYTES)
            continue;
        image->loaded.bias = base - (segment->p_vaddr - segment->p_offset);
        return true;
    }
    return false;
}

/* ---- the file ---- */

struct file {
    int fd;
    uint64_t bytes;
};

/* The file at `path`, if it begins as the image does; fd -1 if not. */
static struct file open_same(
    const struct prof_scan_files *files, const struct prof_scan_image *image,
    const char *path)
{
    struct file file = {.fd = -1};
    uint64_t ours[64], theirs[64];
    struct stat stat;
    if (path == NULL)
        return file;
    /* O_NONBLOCK: never wait for a fifo that took the file's place. */
    int fd = (int)sys_call4(
        __NR_openat, (long)AT_FDCWD, path,
        (long)(O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY), 0L);
    if (fd < 0)
        return file;
    bool is_same =
        sys_call2(__NR_fstat, (long)fd, &stat) == 0 && S_ISREG(stat.st_mode) &&
        read_at(fd, 0, ours, sizeof ours) == sizeof ours &&
        prof_scan_memory_read(files, image->base, theirs, sizeof theirs) ==
            sizeof theirs;
    for (unsigned i = 0; is_same && i < sizeof ours / sizeof ours[0]; i++)
        is_same = ours[i] == theirs[i];
    if (!is_same) {
        (void)sys_close(fd);
        return file;
    }
    return (struct file){.fd = fd, .bytes = (uint64_t)stat.st_size};
}

static bool holds(const struct file *file, uint64_t offset, uint64_t bytes)
{
    return file->fd >= 0 && offset <= file->bytes &&
           bytes <= file->bytes - offset;
}

static bool equals(const char *a, const char *b)
{
    while (*a != '\0' && *a == *b) {
        a++;
        b++;
    }
    return *a == *b;
}

/* The section of that name, as it is in the file; false when it is not. */
static bool find_section(
    const struct file *file, const char *name, Elf64_Shdr *found)
{
    Elf64_Ehdr header;
    Elf64_Shdr names;
    if (!holds(file, 0, sizeof header) ||
        read_at(file->fd, 0, &header, sizeof header) != sizeof header ||
        header.e_shentsize != sizeof *found || header.e_shnum > SECTIONS_MAX ||
        read_at(
            file->fd, header.e_shoff + header.e_shstrndx * sizeof names, &names,
            sizeof names) != sizeof names)
        return false;
    for (unsigned i = 0; i < header.e_shnum; i++) {
        char text[sizeof DEBUG_FRAME + 1] = "";
        if (read_at(
                file->fd, header.e_shoff + i * sizeof *found, found,
                sizeof *found) != sizeof *found)
            return false;
        (void)read_at(
            file->fd, names.sh_offset + found->sh_name, text, sizeof text - 1);
        if (equals(text, name))
            return found->sh_type != SHT_NOBITS &&
                   (found->sh_flags & SHF_COMPRESSED) == 0 &&
                   holds(file, found->sh_offset, found->sh_size);
    }
    return false;
}

/* CFI without a header: its index is made. */
static struct prof_cfi_source read_section(
    struct prof_scan_files *files, const struct file *file, const char *name,
    uint64_t bias)
{
    Elf64_Shdr section;
    struct prof_cfi_source source = {.bytes = NULL};
    if (!find_section(file, name, &section))
        return source;
    const uint8_t *bytes =
        map_file(files, file->fd, section.sh_offset, section.sh_size);
    if (bytes == NULL)
        return source;
    source.bytes = bytes;
    source.size_bytes = section.sh_size;
    source.address = bias + section.sh_addr;
    source.is_debug_frame = name == DEBUG_FRAME;
    source.bias = source.is_debug_frame ? bias : 0;
    uint32_t count = prof_fde_count(&source);
    int32_t *pairs = add_mapping(files, 2 * sizeof *pairs * count, -1, 0);
    if (pairs != NULL)
        (void)prof_fde_index_build(&source, pairs, count, bias);
    return source;
}

/* ---- both ---- */

/* What .eh_frame_hdr leads to, where it will not be unmapped. */
static void borrow_frames(
    struct prof_scan_files *files, const struct file *file,
    struct prof_scan_image *image)
{
    struct prof_loaded_image *loaded = &image->loaded;
    struct prof_frames_range range;
    if (loaded->is_permanent || !prof_loaded_frames(loaded, &range))
        return;
    if (holds(file, range.offset, range.size_bytes))
        loaded->frames =
            map_file(files, file->fd, range.offset, range.size_bytes);
    if (loaded->frames == NULL)
        loaded->frames =
            copy_memory(files, loaded->bias + range.vaddr, range.size_bytes);
}

uint32_t prof_scan_image_texts(
    struct prof_scan_files *files, struct prof_scan_image *image,
    const char *path, struct prof_text *texts, uint32_t capacity)
{
    struct file file = open_same(files, image, path);
    borrow_frames(files, &file, image);
    uint32_t count = prof_loaded_texts(&image->loaded, texts, capacity);
    /* Without a header, or with one that makes no sense. */
    if (count > 0 && texts[0].eh_frame.index_count == 0 && file.fd >= 0) {
        struct prof_cfi_source frames =
            read_section(files, &file, EH_FRAME, image->loaded.bias);
        struct prof_cfi_source debug =
            read_section(files, &file, DEBUG_FRAME, image->loaded.bias);
        for (uint32_t i = 0; i < count; i++) {
            texts[i].eh_frame = frames;
            texts[i].debug_frame = debug;
        }
    }
    if (file.fd >= 0)
        (void)sys_close(file.fd);
    return count;
}
