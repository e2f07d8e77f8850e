/*
 * Which file an index was made of.
 *
 * A build-id stands for the bytes of the code and the debug information they
 * were built with. It is not believed alone: some builds set it to a constant,
 * and a hostile file may carry another's, to have its lies told about that
 * one. So the segments and samples of the code must be the same too. A file
 * without a build-id is the one with this device, inode, size and time.
 */
#ifndef SYMBOLIZER_FINGERPRINT_H
#define SYMBOLIZER_FINGERPRINT_H

#include <stdbool.h>
#include <stdint.h>

#include "symbolizer/image.h"

#define SYM_FINGERPRINT_BYTES (2 * SYM_BUILD_ID_BYTES + 24)

struct sym_fingerprint {
    uint64_t key;
    char name[SYM_FINGERPRINT_BYTES]; /* of a file in the cache */
};

/*
 * False for what has no code in the file: nothing is to be kept of it.
 *
 *   cost     a visit of some pages of the code
 */
bool sym_fingerprint_of(
    const struct sym_image *image, struct sym_fingerprint *fingerprint);

#endif
