/*
 * For LD_AUDIT (rtld-audit(7)): computes before each call, and longest before
 * those of getppid(). A collector that has it as well comes to no end.
 */
#include <link.h>
#include <string.h>

#include "tests/programs/burn.h"

enum { LONG_MS = 10, BRIEF_MS = 1 };

unsigned la_version(unsigned version)
{
    return version;
}

unsigned la_objopen(struct link_map *map, Lmid_t space, uintptr_t *cookie)
{
    (void)map, (void)space, (void)cookie;
    return LA_FLG_BINDTO | LA_FLG_BINDFROM;
}

__attribute__((noipa)) static uint64_t audit_burn(uint64_t ms)
{
    return burn_ns(ms * NS_PER_MS);
}

Elf64_Addr la_x86_64_gnu_pltenter(
    Elf64_Sym *symbol, unsigned index, uintptr_t *from, uintptr_t *to,
    La_x86_64_regs *regs, unsigned *flags, const char *name, long *frame_bytes)
{
    (void)index, (void)from, (void)to, (void)regs, (void)flags;
    (void)audit_burn(strcmp(name, "getppid") == 0 ? LONG_MS : BRIEF_MS);
    *frame_bytes = -1;
    return symbol->st_value;
}
