/*
 * What scans of code without rules (frame_scan.h) have told so far, as code
 * stays what it is.
 */
#ifndef PROFILER_COLLECTOR_BARE_ROWS_H
#define PROFILER_COLLECTOR_BARE_ROWS_H

#include <stdbool.h>
#include <stdint.h>

#include "profiler/base/table.h"
#include "profiler/collector/frame_scan.h"
#include "profiler/unwind/sig_reader.h"

struct prof_bare_rows {
    struct table rows;
    struct index by_pc;
    uint32_t version; /* of the modules */
};

void prof_bare_rows_init(struct prof_bare_rows *rows);
void prof_bare_rows_fini(struct prof_bare_rows *rows);

/*
 * The frame of a function at `pc`: as it was told, or from its `bytes`.
 *
 *   version  of the modules; rows of another one are forgotten
 *   returns  false when its code does not tell
 */
bool prof_bare_rows_frame(
    struct prof_bare_rows *rows, uint32_t version, struct prof_reader *bytes,
    uint64_t function, uint64_t pc, struct prof_scanned_frame *frame);

#endif
