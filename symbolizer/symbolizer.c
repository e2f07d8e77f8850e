/* The cache of modules, and which file a module is read from. */
#include "symbolizer/symbolizer.h"

#include <fcntl.h>
#include <link.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <unistd.h>

#include "symbolizer/bytes.h"
#include "symbolizer/module.h"

#define KALLSYMS_PATH "/proc/kallsyms"

/* Some hundred modules' worth. */
#define CACHE_BYTES   (UINT64_C(512) << 20)

struct sym_symbolizer {
    struct sym_shared shared;
    struct table modules;   /* struct sym_module * */
    struct sym_cache cache; /* shared.cache, where it is usable */
};

/* ---- options ---- */

void sym_dirs_free(char **dirs)
{
    for (char **dir = dirs; dir != NULL && *dir != NULL; dir++)
        free(*dir);
    free(dirs);
}

char **sym_dirs_copy(const char *const *dirs)
{
    size_t count = 0;
    while (dirs[count] != NULL)
        count++;
    char **copy = calloc(count + 1, sizeof *copy);
    for (size_t i = 0; copy != NULL && i < count; i++) {
        copy[i] = strdup(dirs[i]);
        if (copy[i] == NULL) {
            sym_dirs_free(copy);
            return NULL;
        }
    }
    return copy;
}

/* Without a cache everything works, and takes as long each time. */
static void open_cache(
    struct sym_symbolizer *symbolizer, const struct sym_options *options,
    const char *const *dirs)
{
    struct sym_shared *shared = &symbolizer->shared;
    uint64_t limit = options->cache_bytes ? options->cache_bytes : CACHE_BYTES;
    if (sym_cache_open(
            &symbolizer->cache, options->cache_folder, limit, NULL) !=
        STATUS_OK)
        return;
    shared->cache = &symbolizer->cache;
    if (!options->is_brief)
        shared->builder =
            sym_builder_create(shared->cache, dirs, options->uses_debuginfod);
}

struct sym_symbolizer *sym_symbolizer_create(const struct sym_options *options)
{
    static const char *const usual_dirs[] = {"/usr/lib/debug", NULL};
    const char *const *dirs = usual_dirs;
    if (options != NULL && options->debug_dirs != NULL)
        dirs = options->debug_dirs;

    struct sym_symbolizer *symbolizer = calloc(1, sizeof *symbolizer);
    if (symbolizer == NULL)
        return NULL;
    symbolizer->modules.row_bytes = sizeof(struct sym_module *);
    symbolizer->shared.names_only = options != NULL && options->names_only;
    symbolizer->shared.raw_names = options != NULL && options->raw_names;
    symbolizer->shared.debug_dirs = sym_dirs_copy(dirs);
    if (symbolizer->shared.debug_dirs == NULL ||
        !sym_strings_init(&symbolizer->shared.strings)) {
        sym_symbolizer_destroy(symbolizer);
        return NULL;
    }
    if (options != NULL && options->cache_folder != NULL)
        open_cache(symbolizer, options, dirs);
    return symbolizer;
}

static struct sym_module *module_at(
    const struct sym_symbolizer *symbolizer, uint32_t id)
{
    return *(struct sym_module **)table_row(&symbolizer->modules, id);
}

void sym_symbolizer_destroy(struct sym_symbolizer *symbolizer)
{
    if (symbolizer == NULL)
        return;
    sym_builder_destroy(symbolizer->shared.builder);
    if (symbolizer->shared.cache != NULL)
        sym_cache_close(symbolizer->shared.cache);
    for (uint32_t i = 0; i < symbolizer->modules.count; i++)
        sym_module_destroy(module_at(symbolizer, i));
    table_fini(&symbolizer->modules);
    sym_strings_fini(&symbolizer->shared.strings);
    sym_dirs_free(symbolizer->shared.debug_dirs);
    free(symbolizer);
}

/* ---- which file ---- */

static void write_hex(
    const uint8_t *bytes, size_t count, char text[2 * SYM_BUILD_ID_BYTES + 1])
{
    text[0] = '\0';
    for (size_t i = 0; i < count && i < SYM_BUILD_ID_BYTES; i++)
        (void)snprintf(text + 2 * i, 3, "%02x", bytes[i]);
}

/* A file that is not what ran must not be used: close it and say so. */
static enum status check_build_id(
    struct sym_image *image, const struct sym_source *source, struct diag *diag)
{
    if (source->build_id_bytes == 0 ||
        sym_image_has_build_id(image, source->build_id, source->build_id_bytes))
        return STATUS_OK;
    char wanted[2 * SYM_BUILD_ID_BYTES + 1], found[sizeof wanted];
    write_hex(source->build_id, source->build_id_bytes, wanted);
    write_hex(image->build_id, image->build_id_bytes, found);
    enum status status = fail(
        diag, STATUS_MISMATCH,
        "'%s' is another build than the one that ran: build-id %s, wanted %s",
        image->path, found[0] ? found : "absent", wanted);
    sym_image_close(image);
    return status;
}

static enum status open_path(
    struct sym_image *image, const char *path, const struct sym_source *source,
    struct diag *diag)
{
    enum status status = sym_image_open(image, path, diag);
    return status == STATUS_OK ? check_build_id(image, source, diag) : status;
}

static enum status open_file(
    struct sym_image *image, const struct sym_source *source, struct diag *diag)
{
    const char *first = source->path, *second = source->alternative;
    if (source->build_id_bytes == 0 && second != NULL) {
        first = source->alternative;
        second = source->path;
    }
    enum status status = open_path(image, first, source, diag);
    if (status == STATUS_OK || status == STATUS_NO_MEMORY || second == NULL)
        return status;

    struct diag second_diag = {0};
    enum status second_status = open_path(image, second, source, &second_diag);
    /* Two failures: a wrong build explains more than a missing file. */
    if (second_status != STATUS_OK && second_status != STATUS_NO_MEMORY &&
        (status == STATUS_MISMATCH || second_status != STATUS_MISMATCH))
        return status;
    if (second_status != STATUS_OK && diag != NULL)
        *diag = second_diag;
    return second_status;
}

/* The vDSO of this process: the kernel gives all processes the same one. */
static enum status open_own_vdso(
    struct sym_image *image, const struct sym_source *source, struct diag *diag)
{
    const ElfW(Ehdr) *header = (const void *)getauxval(AT_SYSINFO_EHDR);
    if (header == NULL)
        return fail(diag, STATUS_UNSUPPORTED, "this kernel has no vDSO");
    size_t bytes =
        (size_t)header->e_shoff + (size_t)header->e_shnum * header->e_shentsize;
    return sym_image_open_memory(image, source->path, header, bytes, diag);
}

static enum status open_image(
    struct sym_image *image, const struct sym_source *source, struct diag *diag)
{
    if (source->kind == SYM_FILE && source->image == NULL)
        return open_file(image, source, diag);
    enum status status = source->image == NULL
                             ? open_own_vdso(image, source, diag)
                             : sym_image_open_memory(
                                   image, source->path, source->image,
                                   source->image_bytes, diag);
    return status == STATUS_OK ? check_build_id(image, source, diag) : status;
}

/* ---- the kernel ---- */

/* The build-id of the kernel that runs; 0 bytes when it does not tell. */
static size_t read_kernel_build_id(uint8_t id[SYM_BUILD_ID_BYTES])
{
    uint8_t notes[4096];
    int fd = open("/sys/kernel/notes", O_RDONLY | O_CLOEXEC);
    ssize_t count = fd >= 0 ? read(fd, notes, sizeof notes) : 0;
    if (fd >= 0)
        (void)close(fd);
    struct sym_bytes bytes =
        sym_bytes_of(notes, count > 0 ? (size_t)count : 0, 0);
    while (sym_bytes_left(&bytes) > 0 && !bytes.is_bad) {
        uint64_t name_bytes = sym_bytes_fixed(&bytes, 4);
        uint64_t id_bytes = sym_bytes_fixed(&bytes, 4);
        uint64_t type = sym_bytes_fixed(&bytes, 4);
        struct sym_bytes name =
            sym_bytes_take(&bytes, (name_bytes + 3) & ~UINT64_C(3));
        struct sym_bytes value =
            sym_bytes_take(&bytes, (id_bytes + 3) & ~UINT64_C(3));
        if (bytes.is_bad || type != NT_GNU_BUILD_ID || name_bytes != 4 ||
            memcmp(name.at, "GNU", 4) != 0 || id_bytes > SYM_BUILD_ID_BYTES)
            continue;
        memcpy(id, value.at, id_bytes);
        return id_bytes;
    }
    return 0;
}

/* Of another kernel this one's list would name everything, and all wrong. */
static enum status check_kernel(
    const struct sym_source *source, struct diag *diag)
{
    uint8_t id[SYM_BUILD_ID_BYTES];
    if (source->build_id_bytes == 0 || strcmp(source->path, KALLSYMS_PATH) != 0)
        return STATUS_OK;
    size_t bytes = read_kernel_build_id(id);
    return bytes == 0 || (bytes == source->build_id_bytes &&
                          memcmp(id, source->build_id, bytes) == 0)
               ? STATUS_OK
               : fail(
                     diag, STATUS_MISMATCH,
                     "'%s' is of another kernel than the one that ran",
                     source->path);
}

/* ---- the cache ---- */

static bool is_unchanged(const struct sym_image *image)
{
    struct stat now;
    const struct stat *then = &image->identity;
    return then->st_ino == 0 ||
           (stat(image->path, &now) == 0 && now.st_ino == then->st_ino &&
            now.st_dev == then->st_dev && now.st_size == then->st_size &&
            now.st_mtim.tv_sec == then->st_mtim.tv_sec &&
            now.st_mtim.tv_nsec == then->st_mtim.tv_nsec);
}

static struct sym_module *find_module(
    const struct sym_symbolizer *symbolizer, const struct sym_source *source)
{
    for (uint32_t i = 0; i < symbolizer->modules.count; i++) {
        struct sym_module *module = module_at(symbolizer, i);
        if (module->kind != source->kind || source->image != NULL ||
            strcmp(module->path, source->path) != 0)
            continue;
        bool is_right =
            source->kind == SYM_KERNEL ? true
            : source->build_id_bytes > 0
                ? sym_image_has_build_id(
                      &module->image, source->build_id, source->build_id_bytes)
                : is_unchanged(&module->image);
        if (is_right)
            return module;
    }
    return NULL;
}

static enum status add_module(
    struct sym_symbolizer *symbolizer, const struct sym_source *source,
    struct sym_module **module, struct diag *diag)
{
    struct sym_module *added =
        sym_module_create(&symbolizer->shared, source->kind, source->path);
    if (added == NULL)
        return fail(diag, STATUS_NO_MEMORY, "no memory for a module");
    enum status status = source->kind == SYM_KERNEL
                             ? check_kernel(source, diag)
                             : open_image(&added->image, source, diag);
    if (status == STATUS_OK &&
        table_add(&symbolizer->modules, &added) == TABLE_NONE)
        status = fail(diag, STATUS_NO_MEMORY, "no memory for a module");
    if (status != STATUS_OK) {
        sym_module_destroy(added);
        return status;
    }
    *module = added;
    return STATUS_OK;
}

enum status sym_module_open(
    struct sym_symbolizer *symbolizer, const struct sym_source *source,
    struct sym_module **module, struct diag *diag)
{
    struct sym_source complete = *source;
    if (complete.path == NULL)
        complete.path = complete.kind == SYM_KERNEL ? KALLSYMS_PATH : "[vdso]";
    struct sym_module *known = find_module(symbolizer, &complete);
    if (known == NULL)
        return add_module(symbolizer, &complete, module, diag);
    *module = known;
    return STATUS_OK;
}

bool sym_symbolizer_foresee(
    struct sym_symbolizer *symbolizer, const struct sym_source *source)
{
    return symbolizer->shared.builder == NULL ||
           symbolizer->shared.names_only ||
           sym_builder_want(symbolizer->shared.builder, source);
}
