/* The limits of resources under which a command works. */
#include "tools/limits.h"

#include <stddef.h>

/* Measured: 16 for a process of one thread and three outputs. */
enum { DESCRIPTORS_LEAST = 32 };

static const int lifted[LIMITS_LIFTED] = {
    RLIMIT_NOFILE, RLIMIT_FSIZE, RLIMIT_AS, RLIMIT_CPU};

void limits_lift(struct limits *before)
{
    struct sigaction ignore = {.sa_handler = SIG_IGN};
    (void)sigaction(SIGXFSZ, &ignore, &before->file_size);
    for (int i = 0; i < LIMITS_LIFTED; i++) {
        (void)getrlimit(lifted[i], &before->rows[i]);
        struct rlimit most = before->rows[i];
        most.rlim_cur = most.rlim_max;
        (void)setrlimit(lifted[i], &most);
    }
}

enum status limits_check(struct diag *diag)
{
    struct rlimit files;
    if (getrlimit(RLIMIT_NOFILE, &files) != 0 ||
        files.rlim_cur >= DESCRIPTORS_LEAST)
        return STATUS_OK;
    return fail(
        diag, STATUS_LIMIT,
        "cannot watch with RLIMIT_NOFILE at %llu: 'ulimit -n %d' or more",
        (unsigned long long)files.rlim_cur, DESCRIPTORS_LEAST);
}

void limits_restore(const struct limits *before)
{
    for (int i = 0; i < LIMITS_LIFTED; i++)
        (void)setrlimit(lifted[i], &before->rows[i]);
    (void)sigaction(SIGXFSZ, &before->file_size, NULL);
}
