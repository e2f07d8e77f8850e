/* What a module is read from: the file that ran, wherever it is now. */
#ifndef SYMBOLIZER_SOURCE_H
#define SYMBOLIZER_SOURCE_H

#include <stddef.h>
#include <stdint.h>

#include "profiler/base/status.h"

/* The running kernel's own symbols. */
#define SYM_KALLSYMS_PATH "/proc/kallsyms"

struct sym_image;

enum sym_kind {
    SYM_FILE,   /* an ELF file */
    SYM_VDSO,   /* the kernel's vDSO; offsets into its image */
    SYM_KERNEL, /* offset and vaddr are both the kernel's own addresses */
};

/* A module to open. Everything is borrowed, for the call only but `image`. */
struct sym_source {
    enum sym_kind kind;

    /* As the target saw it; names the module in every message. KERNEL: a
       file in the form of /proc/kallsyms, NULL for that file itself. */
    const char *path;

    /* Another way to the same file, or NULL: below /proc/PID/root, in
       /proc/PID/map_files, or /proc/self/fd/N for an open descriptor. It is
       the second choice when the build-id tells which is right, else the
       first, since `path` may name another file in our mount namespace. */
    const char *alternative;

    /* The ELF file in memory instead, valid as long as the symbolizer. VDSO
       without an image uses the one this process runs with. */
    const void *image;
    size_t image_bytes;

    /* What was seen at run time; 0 bytes: unknown. */
    const uint8_t *build_id;
    size_t build_id_bytes;
};

/*
 * Open the image of a source that has a path. KERNEL has none: `image` stays as
 * it is, and only a list of another kernel than the one that ran is refused.
 *
 *   errors   as sym_module_open()
 */
MUST_CHECK enum status sym_source_open(
    struct sym_image *image, const struct sym_source *source,
    struct diag *diag);

#endif
