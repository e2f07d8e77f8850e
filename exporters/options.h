/* What a person may choose about an export. All zero is the default. */
#ifndef EXPORTERS_OPTIONS_H
#define EXPORTERS_OPTIONS_H

#include <stdbool.h>
#include <stdint.h>

struct exp_scope;

enum exp_unit {
    EXP_UNIT_VALUE,   /* the value's own unit: nanoseconds, bytes */
    EXP_UNIT_SAMPLES, /* every sample counts 1 */
};

struct exp_options {
    uint32_t value;     /* which value type; 0 is the profile's first */
    enum exp_unit unit; /* what counts and widths mean */
    uint32_t only_tid;  /* samples of this thread; 0: of all */
    bool with_threads;  /* a frame for the thread below its process */
    bool mark_inlined;  /* folded: "_[i]" after the name of an inlined frame */
    bool is_icicle;     /* svg: the root at the top */
    bool has_short_names; /* whoever fills the profile shortens its names */
    const char *title;    /* NULL: made from the command */
    const struct exp_scope *scope; /* envelope: release and so on; or NULL */
};

#endif
