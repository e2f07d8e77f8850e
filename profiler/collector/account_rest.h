/*
 * What no sample of a process covers, when its account is closed: frames that
 * have a name and no function.
 */
#ifndef PROFILER_COLLECTOR_ACCOUNT_REST_H
#define PROFILER_COLLECTOR_ACCOUNT_REST_H

#include <stdint.h>

#include "profiler/collector/account.h"

/* How the rest of a process's CPU time is called. */
struct prof_account_rest {
    uint64_t startup_ns, exec_ns, unsampled_ns, exit_ns;
};

/*
 * Close the account.
 *
 *   total_ns  the kernel's figure for the process; 0: unknown
 *   exit_ns   the same when it began to exit; 0: it did not say
 *   late_ns   weights of the samples taken after that
 */
struct prof_account_rest prof_account_close(
    const struct prof_account *account, uint64_t total_ns, uint64_t exit_ns,
    uint64_t late_ns);

/*
 * Add a sample of time that no function has, under a frame called `name`.
 * Time, thread and values are set, and the state unless it was on a CPU; the
 * rest is not.
 */
void prof_account_add_rest(
    struct prof_profile *profile, const char *name, struct prof_sample *sample);

#endif
