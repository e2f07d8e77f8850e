/* What all modules of a symbolizer share. */
#ifndef SYMBOLIZER_SHARED_H
#define SYMBOLIZER_SHARED_H

#include <stdbool.h>

#include "symbolizer/cache.h"
#include "symbolizer/source.h"
#include "symbolizer/strings.h"

struct sym_builder;

/* As sym_builder_want(), which is above all that shares this. */
typedef bool sym_index_want(
    struct sym_builder *builder, const struct sym_source *source);

struct sym_shared {
    struct sym_strings strings;
    char **debug_dirs; /* ended by NULL */
    bool names_only, raw_names;
    struct sym_cache *cache;     /* NULL: no index is read */
    struct sym_builder *builder; /* NULL: no index is made */
    sym_index_want *want;
};

/* `debug_dirs`, ended by NULL, are copied; NULL stands for /usr/lib/debug.
   False when out of memory; then fini is called all the same. */
bool sym_shared_init(struct sym_shared *shared, const char *const *debug_dirs);
void sym_shared_fini(struct sym_shared *shared);

/* Copies of lists of folders, ended by NULL. NULL when out of memory. */
char **sym_dirs_copy(const char *const *dirs);
void sym_dirs_free(char **dirs);

#endif
