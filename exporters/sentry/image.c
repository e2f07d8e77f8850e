/* The objects that code lay in. */
#include "exporters/sentry/image.h"

#include <inttypes.h>
#include <stdio.h>

#include "exporters/json.h"
#include "exporters/sentry/debug_id.h"

bool exp_image_find(
    const struct prof_profile *profile, uint32_t process, uint32_t module,
    struct exp_image *image)
{
    const struct prof_module *row = prof_profile_module(profile, module);
    if (row->kind != PROF_MODULE_FILE || row->build_id_bytes == 0)
        return false;
    uint64_t end = 0;
    *image = (struct exp_image){.module = module, .address = UINT64_MAX};
    for (uint32_t i = 0; i < prof_profile_mapping_count(profile); i++) {
        const struct prof_mapping *mapping = prof_profile_mapping(profile, i);
        if (mapping->module != module || mapping->process != process ||
            mapping->start < mapping->offset)
            continue;
        if (mapping->start - mapping->offset < image->address)
            image->address = mapping->start - mapping->offset;
        if (mapping->end > end)
            end = mapping->end;
    }
    image->bytes = end - image->address;
    return end > image->address;
}

void exp_image_write_address(
    struct exp_json *json, const char *key, uint64_t address)
{
    char text[24];
    (void)snprintf(text, sizeof text, "0x%" PRIx64, address);
    exp_json_key(json, key);
    exp_json_string(json, text);
}

static void write_code_id(
    const struct prof_module *module, struct exp_json *json)
{
    char text[2 * PROF_BUILD_ID_BYTES + 1] = "";
    for (size_t i = 0; i < module->build_id_bytes; i++)
        (void)snprintf(
            text + 2 * i, sizeof text - 2 * i, "%02x", module->build_id[i]);
    exp_json_key(json, "code_id");
    exp_json_string(json, text);
}

void exp_image_write(
    const struct prof_profile *profile, const struct exp_image *image,
    enum exp_image_style style, struct exp_json *json)
{
    const struct prof_module *module =
        prof_profile_module(profile, image->module);
    char debug_id[EXP_DEBUG_ID_BYTES];
    exp_json_begin_object(json);
    exp_json_key(json, "type");
    exp_json_string(json, style == EXP_IMAGE_EVENT ? "elf" : "symbolic");
    exp_json_key(json, "code_file");
    exp_json_string(json, prof_profile_text(profile, module->path));
    exp_json_key(json, "debug_id");
    exp_json_string(
        json, exp_debug_id_of_build_id(
                  module->build_id, module->build_id_bytes, debug_id));
    if (style == EXP_IMAGE_EVENT)
        write_code_id(module, json);
    exp_image_write_address(json, "image_addr", image->address);
    exp_json_key(json, "image_size");
    exp_json_u64(json, image->bytes);
    exp_json_end(json);
}
