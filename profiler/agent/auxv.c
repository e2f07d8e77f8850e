/* The auxiliary vector, read without libc; see the header. */
#include "profiler/agent/auxv.h"

#include "profiler/agent/sys.h"

#include <elf.h>
#include <fcntl.h>

uint64_t prof_auxv(uint64_t type)
{
    int fd = (int)sys_call4(
        __NR_openat, (long)AT_FDCWD, "/proc/self/auxv",
        (long)(O_RDONLY | O_CLOEXEC), 0L);
    if (fd < 0)
        return 0;
    Elf64_auxv_t entry;
    uint64_t found = 0;
    while (sys_call3(__NR_read, (long)fd, &entry, sizeof entry) ==
               (long)sizeof entry &&
           entry.a_type != AT_NULL) {
        if (entry.a_type == type)
            found = entry.a_un.a_val;
    }
    (void)sys_close(fd);
    return found;
}
