/* Where a map of code is read from: a file, or bytes in memory. */
#ifndef SYMBOLIZER_JIT_INPUT_H
#define SYMBOLIZER_JIT_INPUT_H

#include <stddef.h>
#include <stdint.h>

/* A large Java server writes 50 MB, with its code a jitdump of 500. */
#define SYM_JIT_FILE_BYTES (UINT64_C(1) << 30)

struct sym_jit_input {
    int fd;
    const uint8_t *bytes; /* NULL: it is a file */
    uint64_t count;
};

/* Copy what of these bytes there is; how many there were. */
size_t sym_jit_read(
    const struct sym_jit_input *input, uint64_t offset, void *to, size_t count);

#endif
