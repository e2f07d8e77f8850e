/* Folded text as a recording of ours: write_seed FOLDED DATA */
#include <stdio.h>

#include "profiler/recording/perf_writer.h"
#include "profiler/recording/reader.h"

int main(int argc, char **argv)
{
    struct prof_profile *profile = prof_profile_create();
    struct prof_recording *recording;
    struct diag diag = {.text = "usage: write_seed FOLDED DATA"};
    if (argc != 3 || profile == NULL ||
        prof_recording_read(argv[1], profile, &diag) != STATUS_OK ||
        prof_recording_create(argv[2], &recording, &diag) != STATUS_OK ||
        prof_recording_finish(recording, profile, &diag) != STATUS_OK) {
        (void)fprintf(stderr, "%s\n", diag.text);
        return 1;
    }
    prof_recording_destroy(recording);
    prof_profile_destroy(profile);
    return 0;
}
