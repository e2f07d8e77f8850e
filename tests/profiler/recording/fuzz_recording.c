/*
 * Fuzz target: any bytes as perf.data. Built where the compiler is clang:
 *
 *     CC=clang cmake --preset asan && cmake --build --preset asan
 *     build/asan/bin/fuzz_recording -max_len=65536 CORPUS
 *
 * `perf record -g` of a short program, and the files that the tests of
 * recordings make, are good seeds.
 */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "profiler/recording/perf_reader.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
    struct prof_profile *profile = prof_profile_create();
    int fd = memfd_create("fuzz", MFD_CLOEXEC);
    if (profile == NULL || fd < 0 || write(fd, data, bytes) != (ssize_t)bytes)
        abort();
    struct diag diag;
    if (prof_perf_read(fd, "fuzz", profile, &diag) == STATUS_NO_MEMORY)
        abort();
    close(fd);
    prof_profile_destroy(profile);
    return 0;
}
