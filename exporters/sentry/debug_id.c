/* Debug ids. */
#include "exporters/sentry/debug_id.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

enum { GUID_BYTES = 16, CODE_BYTES = 4096 };

static const char *write_guid(
    const uint8_t guid[static GUID_BYTES], char text[static EXP_DEBUG_ID_BYTES])
{
    /* Which byte of the GUID is shown at each place. */
    static const uint8_t order[GUID_BYTES] = {3, 2, 1,  0,  5,  4,  7,  6,
                                              8, 9, 10, 11, 12, 13, 14, 15};
    size_t used = 0;
    for (size_t i = 0; i < GUID_BYTES; i++) {
        bool is_after_dash = i == 4 || i == 6 || i == 8 || i == 10;
        used += (size_t)snprintf(
            text + used, EXP_DEBUG_ID_BYTES - used, "%s%02x",
            is_after_dash ? "-" : "", guid[order[i]]);
    }
    return text;
}

const char *exp_debug_id_of_build_id(
    const uint8_t *build_id, size_t bytes, char text[static EXP_DEBUG_ID_BYTES])
{
    uint8_t guid[GUID_BYTES] = {0};
    text[0] = '\0';
    if (bytes == 0)
        return text;
    memcpy(guid, build_id, bytes < GUID_BYTES ? bytes : GUID_BYTES);
    return write_guid(guid, text);
}

const char *exp_debug_id_of_code(
    const uint8_t *code, size_t bytes, char text[static EXP_DEBUG_ID_BYTES])
{
    uint8_t guid[GUID_BYTES] = {0};
    for (size_t i = 0; i < bytes && i < CODE_BYTES; i++)
        guid[i % GUID_BYTES] ^= code[i];
    return write_guid(guid, text);
}
