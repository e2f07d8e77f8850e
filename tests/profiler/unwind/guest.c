/* A library that comes and goes: its one function calls back. */
#include "tests/profiler/unwind/guest.h"

__attribute__((visibility("default"))) void guest_call(
    guest_callback *callback, void *owner)
{
    volatile char room[64];
    room[0] = 1;
    callback(owner);
    room[1] = room[0];
}
