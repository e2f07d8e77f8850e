/*
 * The thread that makes indexes for the next time, with whatever processor
 * time nobody else wants: SCHED_IDLE, and nice 19 besides.
 *
 * It shares nothing with the lookups that go on meanwhile: it opens the files
 * again, in a symbolizer of its own, and what it makes appears in the cache,
 * whole or not at all. Each index is made in a process of its own, so that its
 * memory is not the command's and no file can do more than go without one.
 *
 * A command that ends before an index is done waits for it, if it will come
 * soon: by what has been done so far, within as long as the command has lived
 * since the first module was asked for. Whoever spent that much on doing
 * without can spend it once more on never doing without again. What would take
 * longer is thrown away, and a thread that gets no processor is not waited for.
 * Files that a server must be asked for come last, and are never waited for;
 * the first that does not come is the last that is asked for.
 */
#ifndef SYMBOLIZER_BUILDER_H
#define SYMBOLIZER_BUILDER_H

#include <stdbool.h>

#include "symbolizer/cache.h"
#include "symbolizer/source.h"

struct sym_builder;

/*
 * Both are copied. The thread begins with the first module. NULL when out of
 * memory or descriptors.
 */
struct sym_builder *sym_builder_create(
    const struct sym_cache *cache, const char *const *debug_dirs,
    bool uses_debuginfod);

/*
 * Have an index made of this file, if it has debug information and there is
 * none yet. The source is copied; one with an image has no index. Nothing is
 * said of failures: there will be no index.
 *
 *   returns  false when it could not be taken at this moment; never waits
 */
bool sym_builder_want(
    struct sym_builder *builder, const struct sym_source *source);

/* Wait if it is worth it. No file is made after this; the thread ends when it
   next gets a processor. */
void sym_builder_destroy(struct sym_builder *builder);

/*
 * What the thread does with one source, in the calling thread.
 *
 *   errors   UNSUPPORTED when there is nothing worth keeping; whatever opening,
 *            reading and writing may bring
 */
MUST_CHECK enum status sym_builder_make(
    const struct sym_cache *cache, const char *const *debug_dirs,
    const struct sym_source *source, struct diag *diag);

#endif
