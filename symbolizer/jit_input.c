/* Reading a map from a file or from memory. */
#include "symbolizer/jit_input.h"

#include <string.h>
#include <unistd.h>

size_t sym_jit_read(
    const struct sym_jit_input *input, uint64_t offset, void *to, size_t count)
{
    if (offset >= input->count)
        return 0;
    if (count > input->count - offset)
        count = (size_t)(input->count - offset);
    if (input->bytes != NULL) {
        memcpy(to, input->bytes + offset, count);
        return count;
    }
    size_t done = 0;
    while (done < count) {
        ssize_t got = pread(
            input->fd, (char *)to + done, count - done, (off_t)(offset + done));
        if (got <= 0)
            break; /* what was read is of use */
        done += (size_t)got;
    }
    return done;
}
