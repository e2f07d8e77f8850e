/*
 * The bytes that agent and collector share: a segment of shared memory with a
 * ring of records in it, and messages on a socket. Nothing else is common.
 *
 * SEGMENT
 *
 * The agent makes one memfd per process, seals its size and sends it with
 * HELLO. Both sides map it, and the first data blocks behind the last, so that
 * no record ever wraps.
 *
 *     struct wire_header       one page
 *     struct wire_crashes      five pages
 *     struct wire_slots        six pages
 *     descriptors              WIRE_BLOCK_COUNT words of 8 bytes
 *     blocks                   WIRE_BLOCK_COUNT blocks of WIRE_BLOCK_BYTES
 *
 * RING
 *
 * Positions count blocks from 0 and never wrap; position p lives in block and
 * descriptor p % WIRE_BLOCK_COUNT, in lap p / WIRE_BLOCK_COUNT. A record takes
 * 1 to WIRE_RECORD_BLOCKS blocks in a row. The descriptor of its first block
 * is the record's whole state; those of its other blocks are not looked at:
 *
 *     lap:24 | state:2 | blocks:16 | tid:22
 *
 *     FREE(lap)    -> CLAIMED(lap, blocks, tid)   writer, compare and swap
 *     CLAIMED      -> COMMITTED                   its writer, compare and swap
 *     COMMITTED    -> FREE(lap + 1)               reader, all its blocks
 *     CLAIMED      -> FREE(lap + 1)               reader, when `tid` is dead
 *
 * `head` is where the next writer tries, `tail` where the reader stands. Both
 * are always boundaries of records and only grow.
 *
 * Claim: read head, then tail; no room is a loss. Swap the descriptor at head
 * from FREE(this lap) to CLAIMED, then head past the record. Who finds the
 * descriptor claimed already moves head past it and tries again, so a writer
 * that dies, or is stopped, between its two swaps holds up nobody. Because
 * claim, size and owner become visible in one word, there is no moment in which
 * a record has no known owner or no known end.
 *
 * Commit: swap CLAIMED to COMMITTED, releasing the bytes of the record. If the
 * swap fails, the reader had given the record up: a loss.
 *
 * Read: at tail, FREE means empty. COMMITTED: copy the record out, set its
 * descriptors to FREE(lap + 1), then release tail. CLAIMED: wait, unless the
 * owner is dead; a dead thread writes no more, so its blocks can be reused. It
 * may have left head behind: the reader moves head first, then frees.
 *
 * The lap in every word makes a stale writer's swap fail: it returns to the
 * same value only after 2^24 laps.
 *
 * The reader trusts nothing: it copies a record before it looks at it, checks
 * every size against what it copied, and bounds each drain by one lap.
 *
 * tests/model/ring.pml is this protocol for spin, with its properties.
 *
 * CRASHES. The target dies: memory and descriptors stay as they are, the
 * reader takes what is committed and drops what is claimed. The collector
 * dies, or is stopped: the ring fills, samples are counted as lost, the target
 * goes on. Perf events end with the collector; a CPU-clock timer is disarmed
 * by its own thread in the first tick after `is_stopped`, or when the collector
 * has not been seen for some seconds.
 *
 * TABLES OF ROWS
 *
 * Interpreting CFI with cold caches is most of what a sample costs. For code
 * that is sampled often, the collector makes a table of rows (profiler/unwind/
 * sig_row_table.h), once per build-id and session, in a memfd that every
 * target gets with the reply to HELLO and maps read-only.
 *
 * The agent posts the modules it has: entry i of `modules`, then, releasing
 * it, a count of i + 1. An entry never changes again; a module that goes
 * leaves its entry behind, and when all are used, later modules go without.
 * The collector finds out which file stands at `start`, believes it when its
 * build-id begins with `identity`, and releases into `places` where in the
 * memfd the table is.
 *
 * CRASHES
 *
 * Only where the reply to HELLO says so (WIRE_CATCH_CRASHES) the agent handles
 * the signals that end a program. What it saw stands in struct wire_crashes:
 *
 *     fatal     of a signal that is about to end the process
 *     handled   of the latest that a handler of the program's was given, ten
 *               a second at most; it may well go on after that
 *
 *     FREE     -> WRITING   agent, compare and swap
 *     WRITING  -> WRITTEN   agent, releasing the rest of the slot
 *     WRITTEN  -> TAKEN     collector
 *     TAKEN    -> DONE      collector, when it has seen all it wants to see
 *     any      -> FREE      agent, of a `handled` slot only
 *
 * Where it may, the agent tells of a fatal one by WIRE_CRASHED and waits for
 * the answer; else for DONE; for WIRE_CRASH_WAIT_NS at most, and then the
 * signal takes its course. These pages are there in a child of a fork as well,
 * until it has a segment of its own, and in one of vfork: `pid` tells whose
 * crash it is.
 *
 * SPANS
 *
 * Where the reply to HELLO says so (WIRE_TAKE_SPANS), what a program says of
 * its own transactions (profiler/agent/watchfire.h) goes into the ring as well,
 * a record for each start, tag and end. The collector puts them together; one
 * that was lost is missing from its transaction, or the transaction is. Those
 * that are not sampled are only counted.
 *
 * REST
 *
 * Where samples are wanted only while a transaction is active, `rest` says
 * whether they are wanted just now:
 *
 *     AWAKE    -> AT_REST   collector: none is active. Its events are disabled,
 *                           and each CPU-clock timer rests from its next tick
 *     AT_REST  -> ROUSED    agent, compare and swap: one starts. It wakes the
 *                           timers of its process, and tells of it by
 *                           WIRE_ROUSED_BY_SPAN, which nobody answers
 *     any      -> AWAKE     collector, in every process, when one was roused
 *
 * The start is in the ring before `rest` is looked at, and the ring is drained
 * once more after AT_REST: one of the two sees the other. Where no message can
 * be sent, the collector finds ROUSED when it comes by.
 *
 * CHANGE
 *
 * Events on threads cost at each switch. Where that is too much, the collector
 * goes over to CPU-clock timers: it sets `is_on_timers`, after which a thread
 * that begins has a timer of its own, and opens on each thread there is an
 * event that expires once, when next it runs, with WIRE_CHANGE_COOKIE; the
 * thread makes its timer then, unless it has one. The events before are closed.
 *
 * GUESTS
 *
 * A core that was mapped into a running process (profiler/agent/guest.h) has no
 * socket: who could map it can also read and write its memory. struct
 * wire_guest lies there, and `state` says whose turn it is:
 *
 *     NEW       -> HELLO      guest: the segment is `fd` of its thread `tid`
 *     HELLO     -> ANSWERED   collector: `reply` is written
 *     ANSWERED  -> SAMPLING   guest
 *     any       -> FAILED     guest: `reply.text` says why; on to OUT
 *     any       -> OUT        guest: nothing refers to the image any more
 *     OUT       -> LEAVING    guest: nobody came to unmap it, it does so itself
 *     any       -> LEAVING    guest: `stuck` threads may be inside; it waits
 * for them, however long, and unmaps itself
 *
 * In between the guest's thread sleeps on `guest_orders` in the segment, a
 * futex whose bits the collector sets. A guest that finds `seen_ns` unchanged
 * for WIRE_PULSE_NS ends as if it had been told to.
 *
 * MESSAGES
 *
 * SOCK_SEQPACKET in the abstract name space, one request and one reply per
 * connection, closed afterwards: the target keeps no descriptor. The session
 * (WATCHFIRE_SESSION=NAME.SECRET, hexadecimal) gives the name, which everyone
 * can see, and the secret, which proves that the sender belongs to the tree.
 */
#ifndef PROFILER_WIRE_H
#define PROFILER_WIRE_H

#include <stdatomic.h>
#include <stdint.h>

#define WIRE_MAGIC         0x57465231u /* "WFR1" */
#define WIRE_VERSION       10u

#define WIRE_BLOCK_BYTES   128u
#define WIRE_BLOCK_COUNT   8192u
#define WIRE_HEADER_BYTES  4096u
#define WIRE_CRASHES_BYTES (5u * 4096u)
#define WIRE_SLOT_COUNT    1024u
#define WIRE_SLOTS_BYTES   (24u * WIRE_SLOT_COUNT)
#define WIRE_DATA_BYTES    (WIRE_BLOCK_BYTES * WIRE_BLOCK_COUNT)
#define WIRE_SLOTS_OFFSET  (WIRE_HEADER_BYTES + WIRE_CRASHES_BYTES)
#define WIRE_WORDS_OFFSET  (WIRE_SLOTS_OFFSET + WIRE_SLOTS_BYTES)
#define WIRE_BLOCKS_OFFSET (WIRE_WORDS_OFFSET + 8u * WIRE_BLOCK_COUNT)
#define WIRE_SEGMENT_BYTES (WIRE_BLOCKS_OFFSET + WIRE_DATA_BYTES)

#define WIRE_FRAMES_MAX    1024u /* of one sample; deeper stacks are cut */
#define WIRE_RECORD_BYTES  (8u * WIRE_FRAMES_MAX + 128u)
#define WIRE_RECORD_BLOCKS                                                     \
    ((WIRE_RECORD_BYTES + WIRE_BLOCK_BYTES - 1) / WIRE_BLOCK_BYTES)

/* Of the blocks, what a record that begins in the last one reaches into. */
#define WIRE_TWICE_BYTES (3u * 4096u)

enum wire_state { WIRE_FREE = 0, WIRE_CLAIMED = 1, WIRE_COMMITTED = 2 };

static inline uint64_t wire_word(
    uint64_t position, enum wire_state state, uint32_t blocks, uint32_t tid)
{
    uint64_t lap = position / WIRE_BLOCK_COUNT & 0xffffff;
    return lap << 40 | (uint64_t)state << 38 |
           (uint64_t)(blocks & 0xffff) << 22 | (tid & 0x3fffff);
}

static inline enum wire_state wire_word_state(uint64_t word)
{
    return (enum wire_state)(word >> 38 & 3);
}

static inline uint32_t wire_word_blocks(uint64_t word)
{
    return word >> 22 & 0xffff;
}

static inline uint32_t wire_word_tid(uint64_t word)
{
    return word & 0x3fffff;
}

static inline uint64_t wire_word_lap(uint64_t word)
{
    return word >> 40;
}

/*
 * Tells our signals from others': sig_data of a perf event, value of a timer.
 * Constant, because the first may arrive before the reply that would bring it,
 * but for its lowest byte. That is the generation of a perf event: the threads
 * made later inherit it with the event, so that every sample tells by which
 * period it was taken.
 */
#define WIRE_COOKIE          UINT64_C(0x5761746368666900)
#define WIRE_GENERATION_MASK UINT64_C(0xff)

/* Of a timer that came for a perf event, and of the event that brings it. */
#define WIRE_CHANGED_COOKIE  (WIRE_COOKIE | 1)
#define WIRE_CHANGE_COOKIE   UINT64_C(0x5761746368666a00)

/* Losses that only the agent can see. */
enum wire_loss {
    WIRE_LOSS_FULL,      /* no room in the ring */
    WIRE_LOSS_CONTENDED, /* gave up after WIRE_CLAIM_TRIES */
    WIRE_LOSS_BUSY,      /* no room to work: handlers at once, tiny stack */
    WIRE_LOSS_ABANDONED, /* the reader had taken the writer for dead */
    WIRE_LOSS_COUNT
};

#define WIRE_CLAIM_TRIES 256

/* Whether samples are wanted just now; see REST. */
enum wire_rest { WIRE_AWAKE, WIRE_ROUSED, WIRE_AT_REST };

/*
 * A handler that took more cycles than this was away from the processor, as a
 * rule: it was preempted, or its page was on a disk. That costs the program
 * nothing, and such handlers are counted apart.
 */
#define WIRE_HANDLED_CYCLES_MAX (UINT64_C(1) << 20)

struct wire_header {
    uint32_t magic, version; /* before HELLO, then constant */
    uint32_t pid;            /* as the target sees itself */
    uint32_t reserved;

    /* CPU time of the process when it began to exit, and when; 0: not yet. */
    _Atomic uint64_t exit_cpu_ns, exit_time_ns;

    /* Collector to agent: nonzero ends sampling. */
    _Atomic uint32_t is_stopped;

    _Atomic uint32_t rest; /* enum wire_rest; both */

    _Atomic uint32_t slot_count; /* entries of wire_slots.modules */
    /*
     * Collector to agent: of so many ticks of CPU-clock timers one is taken,
     * by chance; 0 and 1 take every one. It stands for the expiries of those
     * that were passed over since the one before, which are counted here.
     */
    _Atomic uint32_t tick_stride;
    _Atomic uint32_t passed_over;

    /*
     * Both: the process has put up a seccomp filter, and may be killed for a
     * system call that is not its own. The collector has seen it from outside.
     */
    _Atomic uint32_t is_filtered;

    /* Collector to agent: what threads that begin need is a timer; CHANGE. */
    _Atomic uint32_t is_on_timers;

    /*
     * Agent to collector, before an exec, when no message can be sent: 1 asks
     * to disarm the events, which `is_paused` confirms; 0 to arm them again.
     */
    _Atomic uint32_t pause_wanted;
    _Atomic uint32_t is_paused;

    /* Collector to a guest's thread: WIRE_ORDER_... */
    _Atomic uint32_t guest_orders;

    /* Guest: threads without a timer, as they block its signal just now. */
    _Atomic uint32_t guest_deferred;

    /*
     * Children that could not reach the collector, and threads that got no
     * timer; who makes them counts.
     */
    _Atomic uint32_t unsampled; /* transactions, see SPANS */
    _Atomic uint32_t lost_children;
    _Atomic uint32_t lost_timers;

    /*
     * Collector to agent: when it was here last, at least ten times a second;
     * CLOCK_MONOTONIC. One that is long gone is waited for by nobody, and the
     * program's timers rest: `is_given_up`, and for whoever reads it later
     * `was_given_up`. `is_unheard` is set by who waited in vain. That holds
     * until the collector is here again.
     */
    _Atomic uint64_t seen_ns;
    _Atomic uint32_t is_unheard;
    _Atomic uint32_t is_given_up, was_given_up;

    _Alignas(64) _Atomic uint64_t head;
    _Alignas(64) _Atomic uint64_t tail;
    _Alignas(64) _Atomic uint64_t loss[WIRE_LOSS_COUNT];

    /* What the handler has cost: signals, those of them that took long, and
       the processor's cycles in the others. */
    _Alignas(64) _Atomic uint64_t handled_count;
    _Atomic uint64_t handled_long_count;
    _Atomic uint64_t handled_cycles;
};

enum wire_crash_state {
    WIRE_CRASH_FREE,
    WIRE_CRASH_WRITING,
    WIRE_CRASH_WRITTEN,
    WIRE_CRASH_TAKEN,
    WIRE_CRASH_DONE,
};

/* uc_mcontext.gregs of the processor; see crash_registers_x86_64.c. */
#define WIRE_CRASH_REGISTERS 24u

#define WIRE_CRASH_WAIT_NS   UINT64_C(2000000000)

struct wire_crash {
    _Atomic uint32_t state;
    uint32_t pid, tid; /* as they see themselves */
    int32_t signal, code, error;
    uint32_t frame_count;
    uint32_t is_complete;    /* the thread's first frame is among them */
    uint64_t address;        /* si_addr of a fault */
    uint32_t sender, reason; /* si_pid of what was sent; si_syscall of SIGSYS */
    uint64_t time_ns;        /* CLOCK_MONOTONIC */
    uint64_t thread_pointer;
    uint64_t registers[WIRE_CRASH_REGISTERS];
    uint64_t frames[WIRE_FRAMES_MAX]; /* as in struct wire_sample */
};

struct wire_crashes {
    /*
     * Where the program keeps what a crash should be told with; 0: nowhere.
     * glibc's pointer to the message of abort(), and, from a thread's pointer
     * on, what libstdc++ knows of the exceptions in flight.
     */
    uint64_t abort_message_pc;
    int64_t exceptions_offset;
    uint32_t reserved;

    /* Handled signals in all, and whether the process exits in a handler. */
    _Atomic uint32_t handled_count;
    _Atomic uint32_t is_left_in_handler;

    _Alignas(64) struct wire_crash fatal;
    _Alignas(64) struct wire_crash handled;
};

struct wire_slots {
    _Atomic uint64_t places[WIRE_SLOT_COUNT]; /* of tables; 0: none yet */
    struct wire_slot_module {
        uint64_t start;    /* pc of the module's first executable byte */
        uint64_t identity; /* the first 8 bytes of its build-id */
    } modules[WIRE_SLOT_COUNT];
};

/* Of the memfd with the tables: 90 KiB to 1 MiB of text. */
#define WIRE_TABLES_BYTES (8u << 20)

/* One side's view of a segment. */
struct wire_ring {
    struct wire_header *header;
    struct wire_crashes *crashes;
    struct wire_slots *slots;
    _Atomic uint64_t *descriptors;
    unsigned char *blocks; /* and behind them the first WIRE_TWICE_BYTES */
};

enum wire_record_type {
    WIRE_SAMPLE = 1,
    WIRE_MODULE = 2,   /* struct wire_module: code that may soon be unmapped */
    WIRE_UNMAPPED = 3, /* struct wire_module without a path: it is gone */
    WIRE_ENDED = 4,    /* struct wire_ended: a thread ends */
    WIRE_SPAN = 5,     /* struct wire_span */
};

struct wire_record {
    uint16_t type;
    uint16_t flags;
    uint32_t tid;     /* as the target sees it */
    uint64_t time_ns; /* CLOCK_MONOTONIC */
};

/* What made the sample, and what is known of it. */
#define WIRE_SAMPLE_TICK             1u /* a CPU-clock timer, else a perf event */
#define WIRE_SAMPLE_SYSCALL          2u  /* at the return of a system call */
#define WIRE_SAMPLE_CUT              4u  /* deeper than WIRE_FRAMES_MAX */
#define WIRE_SAMPLE_INCOMPLETE       8u  /* the first frame was not reached */
#define WIRE_SAMPLE_CHANGED          16u /* a timer that came for an event */

/* Beside them in wire_record.flags: the perf event's generation. */
#define WIRE_SAMPLE_GENERATION_SHIFT 8

struct wire_sample {
    struct wire_record record;
    uint32_t expiries; /* of the timer that this sample stands for */
    uint32_t frame_count;
    uint64_t frames[]; /* innermost first, bits of sig_walk.h */
};

/* What a thread has used cannot be read any more once it is gone. */
struct wire_ended {
    struct wire_record record;
    uint64_t cpu_ns;    /* in all */
    uint64_t before_ns; /* of it, before the program's function began */
    uint64_t begin_ns;  /* when that was; CLOCK_MONOTONIC */
};

enum wire_span_kind {
    WIRE_SPAN_ROOT,    /* a transaction starts: its name, its op */
    WIRE_SPAN_START,   /* a span does: its description, its op */
    WIRE_SPAN_END,     /* either ends, with its status */
    WIRE_SPAN_TAG,     /* of a transaction: key, value */
    WIRE_SPAN_BAGGAGE, /* that a transaction goes on with, and nothing */
};

#define WIRE_SPAN_TEXT_BYTES    200u /* of a name and the like; cut beyond */
#define WIRE_SPAN_BAGGAGE_BYTES 510u

/* What the program says of its own work; the kind is in record.flags. */
struct wire_span {
    struct wire_record record;
    uint64_t trace[2], id, parent, root;
    uint32_t status; /* enum wf_status of watchfire.h */
    uint16_t first_bytes, second_bytes;
    char texts[]; /* both, without an end */
};

#define WIRE_BUILD_ID_BYTES 20u
#define WIRE_PATH_BYTES     1024u

struct wire_module {
    struct wire_record record;
    uint64_t start, end, offset; /* of one executable segment */
    uint32_t build_id_bytes;
    uint8_t build_id[WIRE_BUILD_ID_BYTES];
    char path[WIRE_PATH_BYTES]; /* ended by a NUL; only what is used is sent */
};

enum wire_message_type {
    WIRE_HELLO = 1,       /* with the segment's descriptor */
    WIRE_EXEC = 2,        /* about to exec: disarm, then answer */
    WIRE_EXEC_FAILED = 3, /* the process goes on: arm again */
    WIRE_BYE = 4,         /* exiting: answered when outputs are written */
    WIRE_FAILED = 5,      /* cannot be sampled; `text` says why */

    /*
     * A process becomes a program that cannot be given the agent. `text` is
     * "OBSTACLE PID PATH": the number of enum obstacle, a child of the sender
     * or 0 for the sender itself, and the program. An exec that fails after
     * all is told by WIRE_EXEC_FAILED.
     */
    WIRE_UNSEEN = 6,

    WIRE_CRASHED = 7, /* a fatal crash is written; answered when it is seen */
    WIRE_ROUSED_BY_SPAN = 8, /* `rest` is ROUSED; not answered */
};

#define WIRE_SECRET_BYTES 32u /* of text, hexadecimal */

struct wire_message {
    uint32_t magic, version;
    uint32_t type;
    uint32_t pid; /* as the target sees itself */
    char secret[WIRE_SECRET_BYTES];
    char text[128]; /* ended by a NUL */
};

/* What the agent is to do; the reply to HELLO. */
#define WIRE_ARM_TIMERS       1u  /* CPU-clock timers for every thread */
#define WIRE_DISARM_FOR_EXEC  2u  /* ask before every exec */
#define WIRE_ARM_BRIEF        8u  /* a timer for a new thread's first tick */
#define WIRE_WAIT_AT_EXIT     4u  /* say BYE and wait for outputs */
#define WIRE_REFERENCE_ENGINE 16u /* unwind with libunwind */
#define WIRE_CATCH_CRASHES    32u /* handle the signals that end a program */
#define WIRE_TAKE_SPANS       64u /* write down what watchfire.h is told */

struct wire_reply {
    uint32_t magic, version;
    uint32_t actions; /* WIRE_ARM_TIMERS ... */
    uint32_t status;  /* 0, or nonzero: `text` says what failed */
    uint64_t period_ns;
    char text[256];
};

enum wire_guest_state {
    WIRE_GUEST_NEW,
    WIRE_GUEST_HELLO,
    WIRE_GUEST_ANSWERED,
    WIRE_GUEST_SAMPLING,
    WIRE_GUEST_FAILED,
    WIRE_GUEST_OUT,
    WIRE_GUEST_LEAVING,
};

/* Bits of guest_orders. */
#define WIRE_ORDER_ANSWERED    1u /* state is */
#define WIRE_ORDER_THREADS     2u /* threads came or went */
#define WIRE_ORDER_SCAN        4u /* modules did */
#define WIRE_ORDER_END         8u

#define WIRE_PULSE_NS          UINT64_C(5000000000)

#define WIRE_GUEST_THREADS_MAX 256u

struct wire_guest {
    uint32_t magic, version;
    uint64_t begin, end;   /* of what was mapped for the guest */
    uint32_t host;         /* the thread that was borrowed, as it sees itself */
    uint32_t chosen_count; /* 0: all threads are sampled, else these */
    uint32_t chosen[WIRE_GUEST_THREADS_MAX]; /* as the target sees them */
    _Atomic uint32_t state;
    uint32_t pid, tid; /* of the guest's thread, as the target sees itself */
    int32_t fd;        /* of the segment, in that thread */
    int32_t signal;    /* of its ticks */
    uint32_t stuck;    /* threads that may still be inside, at the end */
    struct wire_reply reply;
};

_Static_assert(sizeof(struct wire_header) <= WIRE_HEADER_BYTES, "one page");
_Static_assert(sizeof(struct wire_crashes) <= WIRE_CRASHES_BYTES, "fits");
_Static_assert(WIRE_CRASHES_BYTES % 4096 == 0, "whole pages");
_Static_assert(sizeof(struct wire_slots) == WIRE_SLOTS_BYTES, "no padding");
_Static_assert(WIRE_SLOTS_BYTES % 4096 == 0, "whole pages");
_Static_assert(sizeof(struct wire_record) == 16, "no padding");
_Static_assert(sizeof(struct wire_sample) == 24, "no padding");
_Static_assert(sizeof(struct wire_span) == 64, "no padding");
_Static_assert(WIRE_RECORD_BYTES >= sizeof(struct wire_module), "fits");
_Static_assert(WIRE_RECORD_BLOCKS < WIRE_BLOCK_COUNT / 8, "ring of records");
_Static_assert((WIRE_BLOCK_COUNT & (WIRE_BLOCK_COUNT - 1)) == 0, "power of 2");
_Static_assert(WIRE_BLOCKS_OFFSET % 4096 == 0, "blocks can be mapped twice");
_Static_assert(
    WIRE_RECORD_BLOCKS *WIRE_BLOCK_BYTES <= WIRE_TWICE_BYTES, "any record");
_Static_assert(ATOMIC_LLONG_LOCK_FREE == 2, "works between processes");

#endif
