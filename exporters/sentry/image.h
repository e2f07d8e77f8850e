/*
 * Images: the objects that code lay in, as `debug_meta` lists them.
 *
 * Profiles and events are read by different parsers. In a profile an ELF object
 * must be of type `symbolic`: `elf` is unknown there and costs the whole chunk.
 * In an event it is `elf`, with the whole build-id as `code_id`.
 */
#ifndef EXPORTERS_SENTRY_IMAGE_H
#define EXPORTERS_SENTRY_IMAGE_H

#include <stdbool.h>
#include <stdint.h>

#include "profiler/model/profile.h"

struct exp_json;

struct exp_image {
    uint32_t module;
    uint64_t address; /* runtime address of the file's first byte */
    uint64_t bytes;   /* from there to the end of the last executable part */
};

enum exp_image_style { EXP_IMAGE_PROFILE, EXP_IMAGE_EVENT };

/*
 * Where a module stood in a process; false when it is no file with a build-id,
 * or nobody knows where it was.
 */
bool exp_image_find(
    const struct prof_profile *profile, uint32_t process, uint32_t module,
    struct exp_image *image);

/* One element of `debug_meta.images`. */
void exp_image_write(
    const struct prof_profile *profile, const struct exp_image *image,
    enum exp_image_style style, struct exp_json *json);

/* A key and an address, as text: "0x7f00". */
void exp_image_write_address(
    struct exp_json *json, const char *key, uint64_t address);

#endif
