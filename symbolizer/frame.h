/* What an address is answered with. */
#ifndef SYMBOLIZER_FRAME_H
#define SYMBOLIZER_FRAME_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A function's name where only its file and line are known. */
#define SYM_UNKNOWN_FUNCTION "??"

/* One source-level frame. Strings live as long as the symbolizer. */
struct sym_frame {
    const char *function; /* demangled; never empty */
    const char *raw_name; /* as in the file: the linkage name where known */
    const char *file;     /* "" unknown */
    uint32_t line;        /* 0 unknown */
    uint32_t column;      /* 0 unknown */

    /* Which of the blocks on one line this is, 0 unknown. */
    uint32_t discriminator;
    bool is_inlined; /* into the next frame */
};

/* Innermost first. Valid until the next lookup in the same symbolizer. */
struct sym_frames {
    const struct sym_frame *rows;
    size_t count; /* 0: no name and no line is known for this address */

    /* Of the function whose code this is, or of its piece that has an FDE of
       its own. Known even for stripped code, which has no name; the address
       itself where nothing tells. */
    uint64_t start_vaddr;
};

#endif
