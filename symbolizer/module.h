/* One module of a symbolizer: its files, its two tiers, its last answer. */
#ifndef SYMBOLIZER_MODULE_H
#define SYMBOLIZER_MODULE_H

#include "symbolizer/debug_info.h"
#include "symbolizer/fde_starts.h"
#include "symbolizer/fingerprint.h"
#include "symbolizer/frame.h"
#include "symbolizer/image.h"
#include "symbolizer/index.h"
#include "symbolizer/names.h"
#include "symbolizer/pclntab.h"
#include "symbolizer/shared.h"
#include "symbolizer/source.h"

/* NULL: not asked for yet. */
struct sym_known_string {
    const char *raw;
    const char *function; /* demangled */
};

/* Where indexes come in; see module_index.h. */
struct sym_module_index {
    bool is_sought, is_possible, is_open, is_wanted;
    struct sym_fingerprint fingerprint;
    struct sym_index index;
    struct sym_known_string *strings; /* one for each of the index */
};

struct sym_module {
    struct sym_shared *shared;
    enum sym_kind kind;
    char *path; /* as the target saw it */
    struct sym_image image;
    struct sym_module_index index;

    /* Filled in by the first lookup that no index answers. */
    bool is_searched, is_prepared, has_names;
    struct sym_image debug;    /* the separate debug file, if any */
    struct sym_image embedded; /* from .gnu_debugdata, if any */
    char *kallsyms;            /* KERNEL: the text names point into */
    struct sym_names names;
    struct sym_debug_info *info; /* NULL: no DWARF */
    bool has_go_table;           /* which knows what DWARF does not */
    struct sym_pclntab go;

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

/* Find the separate debug file, once, unless there is nothing to look for. */
void sym_module_find_debug_file(struct sym_module *module);

/* Whether there is DWARF in what was found. */
bool sym_module_has_dwarf(const struct sym_module *module);

/* Add a frame to the answer; its names are those of the id `name`. NO_MEMORY,
   also when that or the file is none, or OK. */
MUST_CHECK enum status sym_module_add_frame(
    struct sym_module *module, uint32_t name, struct sym_frame frame);

#endif
