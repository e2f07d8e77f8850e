/* Writing out an index that was collected (index_format.h). */
#ifndef SYMBOLIZER_INDEX_SAVE_H
#define SYMBOLIZER_INDEX_SAVE_H

#include <stdint.h>

#include "profiler/base/status.h"
#include "symbolizer/index_writer.h"

/*
 * Write the index to an empty file.
 *
 *   key      what sym_index_open() will be asked for
 *   errors   the writer's sticky one; SYSTEM
 */
MUST_CHECK enum status sym_index_save(
    const struct sym_index_writer *writer, int fd, uint64_t key,
    struct diag *diag);

#endif
