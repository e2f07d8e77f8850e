/* Answers in llvm-symbolizer's JSON. */
#include "tools/symbolize_output.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

static void member_address(
    struct exp_json *json, const char *key, uint64_t value)
{
    char text[24];
    (void)snprintf(text, sizeof text, "0x%" PRIx64, value);
    exp_json_member_string(json, key, text);
}

/* Members in the order of the alphabet, as LLVM has them. */
static void write_frame(
    struct exp_json *json, const struct symbolize_style *style,
    const struct sym_frame *frame, uint64_t start)
{
    char buffer[SYMBOLIZE_NAME_BYTES];
    const char *name = symbolize_name(style, frame, buffer);
    if (strcmp(frame->raw_name, SYM_UNKNOWN_FUNCTION) == 0)
        name = "";
    exp_json_begin_object(json);
    exp_json_member_u64(json, "Column", frame->column);
    exp_json_member_u64(json, "Discriminator", frame->discriminator);
    exp_json_member_string(json, "FileName", frame->file);
    exp_json_member_string(json, "FunctionName", name);
    exp_json_member_u64(json, "Line", frame->line);
    if (name[0] != '\0')
        member_address(json, "StartAddress", start);
    else
        exp_json_member_string(json, "StartAddress", "");
    exp_json_member_string(json, "StartFileName", "");
    exp_json_member_u64(json, "StartLine", 0);
    exp_json_end(json);
}

void symbolize_write_json(
    struct exp_json *json, const struct symbolize_style *style,
    uint64_t address, const struct sym_frames *frames)
{
    static const struct sym_frame unknown = {
        .function = SYM_UNKNOWN_FUNCTION,
        .raw_name = SYM_UNKNOWN_FUNCTION,
        .file = ""};
    exp_json_begin_object(json);
    member_address(json, "Address", address);
    exp_json_member_string(json, "ModuleName", style->module);
    exp_json_key(json, "Symbol");
    exp_json_begin_array(json);
    if (frames->count == 0)
        write_frame(json, style, &unknown, 0);
    for (size_t i = 0; i < frames->count; i++) {
        write_frame(json, style, &frames->rows[i], frames->start_vaddr);
        if (!style->with_inlines)
            break;
    }
    exp_json_end(json);
    exp_json_end(json);
}

void symbolize_write_json_error(
    struct exp_json *json, const struct symbolize_style *style,
    const char *text)
{
    exp_json_begin_object(json);
    exp_json_key(json, "Error");
    exp_json_begin_object(json);
    exp_json_key(json, "Message");
    char message[600];
    (void)snprintf(message, sizeof message, "not an address: %.512s", text);
    exp_json_string(json, message);
    exp_json_end(json);
    exp_json_member_string(json, "ModuleName", style->module);
    exp_json_end(json);
}
