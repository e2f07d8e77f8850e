/* The library that tests load and unload. */
#ifndef TESTS_PROFILER_UNWIND_GUEST_H
#define TESTS_PROFILER_UNWIND_GUEST_H

typedef void guest_callback(void *owner);

/* Call `callback` through a frame of the library's. */
void guest_call(guest_callback *callback, void *owner);

#endif
