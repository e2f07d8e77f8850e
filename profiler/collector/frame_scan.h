/*
 * Where a frame's caller is found, told from the function's code alone: its
 * instructions are gone through from the first one on, and what each does to
 * the stack pointer is added up.
 *
 * Where code is jumped over, its frame is as it was at the jump; behind a
 * return, as it was at its largest. So it is true of what compilers make, and
 * a guess all the same: the caller of these functions asks for evidence.
 */
#ifndef PROFILER_COLLECTOR_FRAME_SCAN_H
#define PROFILER_COLLECTOR_FRAME_SCAN_H

#include <stdbool.h>
#include <stdint.h>

#include "profiler/unwind/sig_reader.h"

/* A function that is longer is not gone through. */
#define PROF_SCAN_BYTES_MAX UINT64_C(65536)

struct prof_scanned_frame {
    bool is_from_fp;   /* the CFA is counted from the frame pointer, not sp */
    int64_t cfa_bytes; /* from there up to it */
    int64_t saved_fp;  /* the caller's frame pointer, so much below the CFA; 0:
                          it is in its register still */
};

/*
 * Of the function that begins at `function`, at its instruction at `pc`.
 *
 *   code     memory of the process
 *   returns  false when that is not to be told
 */
bool prof_frame_scan(
    struct prof_reader *code, uint64_t function, uint64_t pc,
    struct prof_scanned_frame *frame);

/*
 * Whether the function has gone over to another stack where it is at `pc`, and
 * never comes back: nobody has called it on the stack that it is on.
 */
bool prof_scan_left_stack(
    struct prof_reader *code, uint64_t function, uint64_t pc);

/*
 * Whether the call that returns to `ret_pc` is the last thing that a thread
 * does: what comes behind it is exit(2). Nobody has called such a function.
 */
bool prof_scan_ends_thread(struct prof_reader *code, uint64_t ret_pc);

#endif
