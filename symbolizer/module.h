/* One module of a symbolizer: its files, its two tiers, its last answer. */
#ifndef SYMBOLIZER_MODULE_H
#define SYMBOLIZER_MODULE_H

#include "symbolizer/debug_info.h"
#include "symbolizer/fde_starts.h"
#include "symbolizer/image.h"
#include "symbolizer/names.h"
#include "symbolizer/strings.h"
#include "symbolizer/symbolizer.h"

/* What all modules of a symbolizer share. */
struct sym_shared {
    struct sym_strings strings;
    char **debug_dirs; /* ended by NULL */
    bool names_only;
};

struct sym_module {
    struct sym_shared *shared;
    enum sym_kind kind;
    char *path; /* as the target saw it */
    struct sym_image image;

    /* Filled in by the first lookup. */
    bool is_searched, has_names;
    struct sym_image debug;    /* the separate debug file, if any */
    struct sym_image embedded; /* from .gnu_debugdata, if any */
    char *kallsyms;            /* KERNEL: the text names point into */
    struct sym_names names;
    struct sym_debug_info *info; /* NULL: no DWARF */

    /* Filled in by the first address without a sized symbol. */
    bool has_fde_starts;
    struct sym_fde_starts fde_starts;

    /* The last answer. */
    struct table frames; /* struct sym_frame */
    uint64_t start_vaddr;

    struct diag problem;
};

/*
 * A module without files yet; the caller opens `image`, or gives KERNEL the
 * path it reads from. NULL when out of memory.
 */
struct sym_module *sym_module_create(
    struct sym_shared *shared, enum sym_kind kind, const char *path);

void sym_module_destroy(struct sym_module *module);

#endif
