/*
 * How a process has ended, as far as somebody can know who is not its parent.
 *
 * While its parent has not asked, a zombie is there to be read (proc(5),
 * /proc/PID/stat); after that, Linux 6.15 and later keep the status for who
 * holds a descriptor of the process (PIDFD_GET_INFO).
 */
#ifndef PROFILER_COLLECTOR_DEATH_H
#define PROFILER_COLLECTOR_DEATH_H

#include <stdbool.h>
#include <stdint.h>

/* Whether it is dead: by its pidfd, or, where that is negative, by its pid. */
bool prof_death_is_there(uint32_t pid, int pidfd);

/*
 * The status as wait(2) tells it; false: not known.
 *
 *   pidfd  negative: there is none
 */
bool prof_death_status(uint32_t pid, int pidfd, int *wait_status);

#endif
