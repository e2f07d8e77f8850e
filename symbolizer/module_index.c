/* Answering from an index. */
#include "symbolizer/module_index.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "symbolizer/fingerprint.h"

/* Find the module's index, once. */
static bool open_index(struct sym_module *module)
{
    struct sym_module_index *own = &module->index;
    const struct sym_cache *cache = module->shared->cache;
    if (own->is_sought)
        return own->is_open;
    own->is_sought = true;
    if (cache == NULL || module->kind != SYM_FILE ||
        module->shared->names_only ||
        !sym_fingerprint_of(&module->image, &own->fingerprint))
        return false;
    own->is_possible = true;
    int fd = sym_cache_find(cache, own->fingerprint.name);
    if (fd < 0)
        return false;
    own->is_open =
        sym_index_open(&own->index, fd, own->fingerprint.key, NULL) ==
        STATUS_OK;
    (void)close(fd);
    if (!own->is_open)
        return false;
    own->strings = calloc(own->index.header.string_count, sizeof *own->strings);
    if (own->strings != NULL)
        return true;
    sym_index_close(&own->index); /* too little memory for this way */
    own->is_open = false;
    return false;
}

/*
 * A string of the index, and as a person writes it where it is a name. Both
 * are worked out once. What is out of bounds is "". NULL when out of memory.
 */
static struct sym_known_string *known_string(
    struct sym_module *module, uint32_t id)
{
    struct sym_module_index *own = &module->index;
    struct sym_strings *strings = &module->shared->strings;
    if (id >= own->index.header.string_count)
        id = 0;
    struct sym_known_string *known = &own->strings[id];
    if (known->raw != NULL)
        return known;
    const char *text = sym_index_string(&own->index, id);
    if (text == NULL)
        return NULL;
    uint32_t shared = sym_strings_add(strings, text, strlen(text));
    if (shared != SYM_NO_STRING)
        known->raw = sym_strings_text(strings, shared);
    return shared != SYM_NO_STRING ? known : NULL;
}

static const char *demangled(
    struct sym_module *module, struct sym_known_string *known)
{
    struct sym_strings *strings = &module->shared->strings;
    if (module->shared->raw_names)
        return known->function = known->raw;
    uint32_t id = sym_strings_add(strings, known->raw, strlen(known->raw));
    if (id != SYM_NO_STRING)
        known->function = sym_strings_demangled(strings, id);
    return known->function;
}

static enum status add_frame(
    struct sym_module *module, const struct sym_index_frame *found)
{
    struct sym_known_string *name = known_string(module, found->name);
    struct sym_known_string *file = known_string(module, found->source.file);
    if (name == NULL || file == NULL)
        return STATUS_NO_MEMORY;
    const char *function =
        name->function != NULL ? name->function : demangled(module, name);
    struct sym_frame *frame =
        function != NULL ? table_add_blank(&module->frames) : NULL;
    if (frame == NULL)
        return STATUS_NO_MEMORY;
    *frame = (struct sym_frame){
        .function = function,
        .raw_name = name->raw,
        .file = file->raw,
        .line = found->source.line,
        .column = found->source.column,
        .discriminator = found->source.discriminator,
        .is_inlined = found->is_inlined};
    if (found->name == 0)
        frame->raw_name = frame->function = SYM_UNKNOWN_FUNCTION;
    return STATUS_OK;
}

bool sym_module_index_answer(
    struct sym_module *module, uint64_t vaddr, enum status *status)
{
    struct sym_index *index = &module->index.index;
    struct sym_index_frame frame;
    *status = STATUS_OK;
    if (!open_index(module) || index->is_damaged)
        return false;
    struct sym_index_walk walk = sym_index_find(index, vaddr);
    while (*status == STATUS_OK && sym_index_walk_next(index, &walk, &frame))
        *status = add_frame(module, &frame);
    module->start_vaddr = walk.start_vaddr;
    if (!index->is_damaged)
        return true;
    sym_cache_remove(module->shared->cache, module->index.fingerprint.name);
    module->frames.count = 0;
    module->start_vaddr = vaddr;
    *status = STATUS_OK;
    return false;
}

void sym_module_index_want(struct sym_module *module)
{
    struct sym_module_index *own = &module->index;
    if (!own->is_possible || own->is_wanted || module->shared->builder == NULL)
        return;
    struct sym_source source = {
        .path = module->path,
        .alternative = module->image.path,
        .build_id = module->image.build_id,
        .build_id_bytes = module->image.build_id_bytes};
    own->is_wanted = module->shared->want(module->shared->builder, &source);
}
