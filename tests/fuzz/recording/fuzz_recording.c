/* Any bytes as a recording: perf.data, a pipe's, or folded text. */
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "profiler/recording/reader.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void expect(int is_true)
{
    if (!is_true)
        abort();
}

/* Every id a row holds is one of a row there is. */
static void judge(const struct prof_profile *profile)
{
    uint32_t stacks = prof_profile_stack_count(profile);
    for (uint32_t id = 0; id < prof_profile_sample_count(profile); id++) {
        const struct prof_sample *sample = prof_profile_sample(profile, id);
        expect(sample->thread < prof_profile_thread_count(profile));
        expect(sample->stack == PROF_NONE || sample->stack < stacks);
    }
    for (uint32_t id = 0; id < stacks; id++) {
        const struct prof_stack *stack = prof_profile_stack(profile, id);
        expect(stack->frame < prof_profile_frame_count(profile));
        expect(stack->parent == PROF_NONE || stack->parent < id);
    }
    for (uint32_t id = 0; id < prof_profile_frame_count(profile); id++) {
        const struct prof_frame *frame = prof_profile_frame(profile, id);
        expect(
            frame->kind != PROF_FRAME_NATIVE ||
            frame->module < prof_profile_module_count(profile));
        expect(
            frame->first_line + frame->line_count <=
            prof_profile_line_count(profile));
    }
    for (uint32_t id = 0; id < prof_profile_thread_count(profile); id++)
        expect(
            prof_profile_thread(profile, id)->process <
            prof_profile_process_count(profile));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct prof_profile *profile = prof_profile_create();
    int fd = memfd_create("fuzz", MFD_CLOEXEC);
    char path[64];
    struct diag diag;
    expect(profile != NULL && fd >= 0);
    expect(write(fd, data, size) == (ssize_t)size);
    (void)snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    enum status status = prof_recording_read(path, profile, &diag);
    expect(status != STATUS_NO_MEMORY);
    if (status == STATUS_OK)
        judge(profile);
    (void)close(fd);
    prof_profile_destroy(profile);
    return 0;
}
