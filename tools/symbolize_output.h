/*
 * Answers of `watchfire symbolize`: as GNU addr2line prints them, or as JSON
 * in the shape that llvm-symbolizer gives them.
 */
#ifndef TOOLS_SYMBOLIZE_OUTPUT_H
#define TOOLS_SYMBOLIZE_OUTPUT_H

#include <stdbool.h>
#include <stdint.h>

#include "exporters/json.h"
#include "symbolizer/symbolizer.h"

struct exp_writer;

struct symbolize_style {
    bool with_address, with_function, with_inlines;
    bool is_demangled, is_short; /* without arguments of templates */
    bool is_pretty, is_base_name;
    unsigned address_bytes; /* how wide an address is printed */
    const char *module;     /* as the command line names it */
};

/* Bytes of a name that is shortened; a longer one stays as it is. */
#define SYMBOLIZE_NAME_BYTES 16384

/* The frame's name as the style has it; `buffer` may hold it. */
const char *symbolize_name(
    const struct symbolize_style *style, const struct sym_frame *frame,
    char buffer[SYMBOLIZE_NAME_BYTES]);

/* addr2line's text for one address; `frames` may be empty. */
void symbolize_write_text(
    struct exp_writer *writer, const struct symbolize_style *style,
    uint64_t address, const struct sym_frames *frames);

/*
 * One object for one address. Where a function is declared is not known:
 * StartLine is 0 and StartFileName empty, as llvm-symbolizer has them where
 * it does not know either.
 */
void symbolize_write_json(
    struct exp_json *json, const struct symbolize_style *style,
    uint64_t address, const struct sym_frames *frames);

/* The object for a text that is no address. */
void symbolize_write_json_error(
    struct exp_json *json, const struct symbolize_style *style,
    const char *text);

#endif
