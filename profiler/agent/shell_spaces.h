/*
 * The loader's other name spaces, which dl_iterate_phdr() does not tell of:
 * those of LD_AUDIT, whose libraries stay, and of dlmopen() (rtld-audit(7)).
 */
#ifndef PROFILER_AGENT_SHELL_SPACES_H
#define PROFILER_AGENT_SHELL_SPACES_H

#include <link.h>
#include <stdint.h>

/*
 * The modules there, at most `most`. Not while others may close one of them.
 *
 *   returns  how many; 0 with a libc that does not list them (before glibc
 *            2.35)
 */
uint32_t shell_spaces_list(struct dl_phdr_info *modules, uint32_t most);

#endif
