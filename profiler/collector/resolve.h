/*
 * From records to samples: what each address was at the time of the sample,
 * and the stack it makes in the profile.
 */
#ifndef PROFILER_COLLECTOR_RESOLVE_H
#define PROFILER_COLLECTOR_RESOLVE_H

struct prof_target;

/*
 * Turn target->records into target->batch. What the agent says of modules is
 * applied first, so that samples taken before it find them. Ends of threads and
 * spans are passed on to who wants them.
 */
void prof_target_resolve(struct prof_target *target);

#endif
