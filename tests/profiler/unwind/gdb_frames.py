"""For gdb -x: every thread's frames, as eu-stack prints them.

An inlined function is no frame of the stack, and gdb gives it the pc of the
one that holds it. Nor is one that ended in a jump to its callee: gdb infers it
from the DWARF of the call.
"""
import gdb

VIRTUAL = (gdb.INLINE_FRAME, gdb.TAILCALL_FRAME)
gdb.execute("set backtrace past-main on")
for thread in gdb.selected_inferior().threads():
    thread.switch()
    print("TID %d:" % thread.ptid[1])
    frame, count = gdb.newest_frame(), 0
    while frame is not None:
        if frame.type() not in VIRTUAL:
            print("#%d 0x%x" % (count, frame.pc()))
            count += 1
        frame = frame.older()
