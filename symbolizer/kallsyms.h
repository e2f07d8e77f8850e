/* The kernel's symbols, from a file in the form of /proc/kallsyms. */
#ifndef SYMBOLIZER_KALLSYMS_H
#define SYMBOLIZER_KALLSYMS_H

#include "profiler/base/status.h"
#include "symbolizer/names.h"

/*
 * Add the functions of the file at `path`.
 *
 *   text     receives what the names point into, for the caller to free
 *   problem  receives why there are no names, which is not an error
 *   errors   NO_MEMORY
 */
MUST_CHECK enum status sym_kallsyms_read(
    struct sym_names *names, const char *path, char **text,
    struct diag *problem);

#endif
