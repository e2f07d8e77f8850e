/* exit(2) in code, x86-64; see the header. */
#include "profiler/collector/exit_call.h"

#include <sys/syscall.h>

void prof_exit_call_note(
    struct prof_exit_call *call, const uint8_t *bytes, unsigned length)
{
    /* mov $number,%al or mov $number,%eax */
    bool is_move = (length == 2 && bytes[0] == 0xb0) ||
                   (length == 5 && bytes[0] == 0xb8 && bytes[2] == 0 &&
                    bytes[3] == 0 && bytes[4] == 0);
    if (is_move)
        call->is_asked = bytes[1] == SYS_exit || bytes[1] == SYS_exit_group;
}
