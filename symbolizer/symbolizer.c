/* The door: a cache of modules, and what makes indexes for it. */
#include "symbolizer/symbolizer.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "symbolizer/builder.h"
#include "symbolizer/module_answer.h"

/* Some hundred modules' worth. */
#define CACHE_BYTES (UINT64_C(512) << 20)

struct sym_symbolizer {
    struct sym_shared shared;
    struct table modules;   /* struct sym_module * */
    struct sym_cache cache; /* shared.cache, where it is usable */
};

/* ---- options ---- */

/* Without a cache everything works, and takes as long each time. */
static void open_cache(
    struct sym_symbolizer *symbolizer, const struct sym_options *options)
{
    struct sym_shared *shared = &symbolizer->shared;
    uint64_t limit = options->cache_bytes ? options->cache_bytes : CACHE_BYTES;
    if (sym_cache_open(
            &symbolizer->cache, options->cache_folder, limit, NULL) !=
        STATUS_OK)
        return;
    shared->cache = &symbolizer->cache;
    shared->want = sym_builder_want;
    if (!options->is_brief)
        shared->builder = sym_builder_create(
            shared->cache, (const char *const *)shared->debug_dirs,
            options->uses_debuginfod);
}

struct sym_symbolizer *sym_symbolizer_create(const struct sym_options *options)
{
    struct sym_symbolizer *symbolizer = calloc(1, sizeof *symbolizer);
    if (symbolizer == NULL)
        return NULL;
    symbolizer->modules.row_bytes = sizeof(struct sym_module *);
    if (!sym_shared_init(
            &symbolizer->shared,
            options != NULL ? options->debug_dirs : NULL)) {
        sym_symbolizer_destroy(symbolizer);
        return NULL;
    }
    symbolizer->shared.names_only = options != NULL && options->names_only;
    symbolizer->shared.raw_names = options != NULL && options->raw_names;
    if (options != NULL && options->cache_folder != NULL)
        open_cache(symbolizer, options);
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
    sym_shared_fini(&symbolizer->shared);
    free(symbolizer);
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
    enum status status = sym_source_open(&added->image, source, diag);
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
        complete.path =
            complete.kind == SYM_KERNEL ? SYM_KALLSYMS_PATH : "[vdso]";
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

/* ---- a module's answers ---- */

enum status sym_module_lookup(
    struct sym_module *module, uint64_t vaddr, struct sym_frames *frames,
    struct diag *diag)
{
    if (sym_module_answer(module, vaddr) != STATUS_OK)
        return fail(
            diag, STATUS_NO_MEMORY, "no memory to symbolize '%s'",
            module->path);
    *frames = (struct sym_frames){
        .rows = module->frames.rows,
        .count = module->frames.count,
        .start_vaddr = module->start_vaddr};
    return STATUS_OK;
}

bool sym_module_vaddr(
    const struct sym_module *module, uint64_t offset, uint64_t *vaddr)
{
    if (module->kind != SYM_KERNEL)
        return sym_image_vaddr(&module->image, offset, vaddr);
    *vaddr = offset;
    return true;
}

bool sym_module_section(
    const struct sym_module *module, const char *name, uint64_t *vaddr,
    uint64_t *bytes_count)
{
    GElf_Shdr header;
    if (sym_image_section(&module->image, name, &header) == NULL)
        return false;
    *vaddr = header.sh_addr;
    *bytes_count = header.sh_size;
    return true;
}

unsigned sym_module_address_bytes(const struct sym_module *module)
{
    return gelf_getclass(module->image.elf) == ELFCLASS32 ? 4 : 8;
}

size_t sym_module_build_id(
    const struct sym_module *module, const uint8_t **bytes)
{
    *bytes = module->image.build_id;
    return module->image.build_id_bytes;
}

const char *sym_module_problem(const struct sym_module *module)
{
    return module->problem.text;
}
