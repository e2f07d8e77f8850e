/*
 * Split DWARF: the program's own file has skeletons, with addresses and lines;
 * functions and inlined calls are in another file (DWARF 5, section 7.3.2, and
 * GNU's form of it for DWARF 4).
 *
 * That file is a package beside the program ("PROGRAM.dwp"), or a .dwo file at
 * the place the skeleton names, below its compilation folder, beside the
 * program by that name, or beside it by the last part of the name: builds move.
 * It is believed by the unit's id, which both halves carry.
 */
#ifndef SYMBOLIZER_SPLIT_H
#define SYMBOLIZER_SPLIT_H

#include <stdbool.h>
#include <stdint.h>

#include "profiler/base/status.h"
#include "symbolizer/image.h"
#include "symbolizer/package.h"
#include "symbolizer/unit_source.h"

/* Of one program; zeroed but for the images, which are borrowed. */
struct sym_split_files {
    const struct sym_image *image;   /* the file with the skeletons */
    const struct sym_image *runtime; /* the same, or what it was split from */
    struct sym_budget *budget;       /* of all of it */

    bool is_package_searched, has_package;
    struct sym_image package_file, inflated_package;
    struct sym_package package;
};

/* What a skeleton says of its other half. */
struct sym_skeleton {
    const char *name;     /* of the .dwo file */
    const char *comp_dir; /* "" unknown */
    uint64_t id;
    /* The sections of the skeleton's file, and its own parts of them. */
    struct sym_bases bases;
};

/* The other half, and the file it is in unless that is a package. */
struct sym_split_half {
    struct sym_unit_source source;
    struct sym_image file, inflated;
};

/*
 * Find the other half.
 *
 *   returns  false when it is nowhere, with the reason in `problem`
 *   cleanup  sym_split_half_close(); nothing in `half` may be used after
 */
bool sym_split_find(
    struct sym_split_files *files, const struct sym_skeleton *skeleton,
    struct sym_split_half *half, struct diag *problem);

void sym_split_half_close(struct sym_split_half *half);

void sym_split_files_close(struct sym_split_files *files);

#endif
