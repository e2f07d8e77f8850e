/*
 * Debug ids: how Sentry calls a build of an object, by its build-id.
 *
 * The first 16 bytes of the build-id are taken as a GUID of a little-endian
 * machine, whose first three fields (4, 2 and 2 bytes) are swapped for the
 * text: 15dfff32 39aa 7c3b 16a7... is 32ffdf15-aa39-3b7c-16a7-...
 */
#ifndef EXPORTERS_SENTRY_DEBUG_ID_H
#define EXPORTERS_SENTRY_DEBUG_ID_H

#include <stddef.h>
#include <stdint.h>

/* With the NUL. */
#define EXP_DEBUG_ID_BYTES 37

/*
 * The debug id of a build-id; a short one is filled up with zeros. Returns
 * `text`, which is "" where there is no build-id.
 */
const char *exp_debug_id_of_build_id(
    const uint8_t *build_id, size_t bytes,
    char text[static EXP_DEBUG_ID_BYTES]);

/*
 * The debug id of an object without a build-id, from the content of its `.text`
 * section: its first 4096 bytes, in lanes of 16 bytes, xored. Returns `text`.
 */
const char *exp_debug_id_of_code(
    const uint8_t *code, size_t bytes, char text[static EXP_DEBUG_ID_BYTES]);

#endif
