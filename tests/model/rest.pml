/*
 * REST of profiler/wire/header.h, for spin: whether a transaction can be open for good
 * while sampling rests, for whoever starts it and whenever.
 *
 * The agent is spans.c of profiler/agent/, with the transactions of one thread;
 * the collector tools/session.c and collector_rest.c: a step for each load,
 * store and swap of shared memory. Memory is sequentially consistent here, as
 * all of these accesses are but the first look at `rest`, which a fence
 * precedes. MESSAGES=0: where no message can be sent, so that the collector
 * comes by on its own account (`comes_by`), as it does every tenth of a second.
 *
 * Properties, all of them assertions:
 *
 *   awake   when the agent has started its last transaction and goes no
 *           further, and the collector has nothing more to do, samples are
 *           taken
 *   rests   when all transactions are over, and it has nothing more to do, it
 *           has put sampling to rest
 *
 * MUTANT selects one of the broken protocols below, each of which must fail.
 */
#ifndef MUTANT
#define MUTANT 0
#endif
#ifndef MESSAGES
#define MESSAGES 1
#endif
#ifndef STARTS
#define STARTS 3
#endif

#define REST_AFTER_DRAIN (MUTANT == 1) /* a start between the two is missed */
#define LOOK_BEFORE_START (MUTANT == 2) /* the agent looks, and then starts */
#define SAY_NOTHING      (MUTANT == 3) /* ROUSED, and nobody is told */
#define FORGET_SECOND_LOOK (MUTANT == 4) /* what the drain brought stays there */

mtype = { AWAKE, AT_REST, ROUSED };

mtype rest = AWAKE;
byte started, ended;   /* that are in the ring */
bool is_sampling = true;
bool is_told;          /* WIRE_ROUSED_BY_SPAN waits in the socket */
bool stays_open;       /* the last transaction has no end */
bool is_agent_over;

/* ---- the agent ---- */

inline look_at_rest()
{
    if
    :: rest == AT_REST -> /* and from here on another may swap it */
        bool has_swapped = false;
        atomic {
            if
            :: rest == AT_REST -> rest = ROUSED; has_swapped = true
            :: else
            fi
        }
        if
        :: has_swapped && MESSAGES && !SAY_NOTHING -> is_told = true
        :: else
        fi
    :: else
    fi
}

active proctype agent()
{
    byte left = STARTS;
    do
    :: left > 0 ->
        left--;
        if
        :: LOOK_BEFORE_START -> look_at_rest(); started++
        :: else -> started++; look_at_rest()
        fi;
        if
        :: left == 0 -> stays_open = true; break
        :: ended++
        :: left > 0 -> break /* no more, but that one is open */
        fi
    :: left == 0 -> break
    od;
    is_agent_over = true
}

/* ---- the collector ---- */

byte seen_started, seen_ended; /* as the ring was drained */
byte known_begun;              /* when it was looked at last */
bool is_at_rest;

inline drain()
{
    seen_ended = ended; /* behind its start, in the ring */
    seen_started = started
}

inline rouse()
{
    if
    :: is_at_rest -> is_at_rest = false; rest = AWAKE; is_sampling = true
    :: else
    fi
}

#define MAY_REST (seen_started == seen_ended && seen_started == known_begun)

inline come_by()
{
    if
    :: is_told -> is_told = false; rouse()
    :: else
    fi;
    if
    :: rest == ROUSED -> rouse()
    :: else
    fi;
    drain();
    known_begun = seen_started;
    if
    :: MAY_REST && !is_at_rest ->
        is_at_rest = true;
        is_sampling = false;
        if
        :: REST_AFTER_DRAIN -> drain(); rest = AT_REST
        :: else -> rest = AT_REST; drain()
        fi;
        if
        :: !MAY_REST && !FORGET_SECOND_LOOK -> rouse()
        :: else
        fi
    :: else
    fi
}

#define WAS_THERE_LATELY (seen_started == started && seen_ended == ended)

active proctype collector()
{
    do
    /* A message wakes it, a sampled thread fills its ring, and it comes by as
       long as samples are taken. */
    :: is_told || !is_at_rest || (!MESSAGES && rest == ROUSED) ->
        bool was_over = is_agent_over;
        come_by();
        if
        :: was_over && WAS_THERE_LATELY && !is_told && rest != ROUSED -> break
        :: else
        fi
    :: is_at_rest && is_agent_over && !is_told && (MESSAGES || rest != ROUSED)
        -> break
    od;
    assert(started == ended || is_sampling);
    assert(started != ended || !is_sampling)
}
