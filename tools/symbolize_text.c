/* Answers as GNU addr2line prints them (binutils 2.40). */
#include "tools/symbolize_output.h"

#include <inttypes.h>
#include <string.h>

#include "exporters/writer.h"
#include "symbolizer/demangle.h"

const char *symbolize_name(
    const struct symbolize_style *style, const struct sym_frame *frame,
    char buffer[SYMBOLIZE_NAME_BYTES])
{
    if (!style->is_demangled)
        return frame->raw_name;
    if (!style->is_short || strlen(frame->function) >= SYMBOLIZE_NAME_BYTES)
        return frame->function;
    (void)strcpy(buffer, frame->function);
    sym_demangled_shorten(buffer);
    return buffer;
}

static void write_function(
    struct exp_writer *writer, const struct symbolize_style *style,
    const char *name)
{
    if (!style->with_function)
        return;
    exp_write_text(writer, name);
    exp_write_text(writer, style->is_pretty ? " at " : "\n");
}

static void write_frame(
    struct exp_writer *writer, const struct symbolize_style *style,
    const struct sym_frame *frame)
{
    const char *file = frame->file[0] != '\0' ? frame->file : "??";
    const char *slash = strrchr(file, '/');
    char buffer[SYMBOLIZE_NAME_BYTES];
    if (style->is_base_name && slash != NULL)
        file = slash + 1;
    write_function(writer, style, symbolize_name(style, frame, buffer));
    exp_write_text(writer, file);
    if (frame->line == 0)
        exp_write_text(writer, ":?\n");
    else if (frame->discriminator == 0)
        exp_write_format(writer, ":%" PRIu32 "\n", frame->line);
    else
        exp_write_format(
            writer, ":%" PRIu32 " (discriminator %" PRIu32 ")\n", frame->line,
            frame->discriminator);
}

/* The one answer with a line of 0: neither function nor file are known. */
static void write_unknown(
    struct exp_writer *writer, const struct symbolize_style *style)
{
    if (style->with_function)
        exp_write_text(writer, style->is_pretty ? "?? " : "??\n");
    exp_write_text(writer, "??:0\n");
}

void symbolize_write_text(
    struct exp_writer *writer, const struct symbolize_style *style,
    uint64_t address, const struct sym_frames *frames)
{
    if (style->with_address)
        exp_write_format(
            writer, "0x%0*" PRIx64 "%s", (int)(2 * style->address_bytes),
            address, style->is_pretty ? ": " : "\n");
    if (frames->count == 0)
        write_unknown(writer, style);
    for (size_t i = 0; i < frames->count; i++) {
        if (i > 0 && style->is_pretty)
            exp_write_text(writer, " (inlined by) ");
        write_frame(writer, style, &frames->rows[i]);
        if (!style->with_inlines)
            return;
    }
}
