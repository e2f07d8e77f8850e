/*
 * The ring of profiler/wire/ring.h, for spin: every interleaving of WRITERS writers
 * and a reader, access by access, with up to DEATHS writers dying anywhere.
 *
 * The writer is prof_ring_claim() and prof_ring_commit() of
 * profiler/agent/sig_ring.c, the reader prof_ring_read() of
 * profiler/collector/ring_reader.c: a step for each load, store and swap of
 * shared memory. Blocks hold the number of the record they are of instead of
 * bytes, so that a torn record shows. Memory is sequentially consistent here;
 * that acquire and release suffice for it is ThreadSanitizer's part
 * (tests/profiler/agent/test_ring_threads.c).
 *
 * Properties, all of them assertions:
 *
 *   whole      a record that is read has one writer's bytes in all its blocks
 *   once       it is read once, and only after it was committed
 *   counted    when all have ended, each record that was begun was read, or is
 *              in exactly one count of losses; what was committed was read
 *   free       wherever everybody stands, stopped or dead for good, one more
 *              writer gets through in SOLO_TRIES tries: nobody holds up anybody
 *   progress   when the writers have ended, the reader gets to the end
 *   monotone   head and tail only grow, and stay at boundaries of records
 *
 * A model that finds nothing may be blind. MUTANT selects one of the broken
 * protocols below, each of which must fail; tests/model/run sees to it.
 */
#ifndef MUTANT
#define MUTANT 0
#endif
#ifndef WRITERS
#define WRITERS 2
#endif
#ifndef RECORDS
#define RECORDS 2 /* of each writer */
#endif
#ifndef DEATHS
#define DEATHS 1
#endif

#define FORGET_LAP      (MUTANT == 1)  /* a stale swap succeeds */
#define NO_HELP         (MUTANT == 2)  /* who finds a claim does not pass it */
#define WRITER_CATCHES  (MUTANT == 3)  /* head up with tail, not the reader */
#define NO_FULL_CHECK   (MUTANT == 4)  /* only the first block is looked at */
#define TAIL_FIRST      (MUTANT == 5)  /* tail is released before the blocks */
#define COMMIT_FIRST    (MUTANT == 6)  /* committed, then written */
#define NO_SECOND_LOOK  (MUTANT == 7)  /* dead: whatever it left is dropped */
#define IMPATIENT       (MUTANT == 8)  /* gives up who is only slow */
#define STORE_HEAD      (MUTANT == 9)  /* head is stored, not swapped */
#define FREE_ONE        (MUTANT == 10) /* the other blocks keep their lap */
#define FREE_FIRST      (MUTANT == 11) /* freed, then copied */
#define LOSS_UNCOUNTED  (MUTANT == 12) /* full, and nobody is told */

#define BLOCKS          4
#define BLOCKS_MAX      2 /* of one record */
#define TRIES           4
#define SOLO_TRIES      1 /* after the one that meets a claim */
#define IDS             (WRITERS * RECORDS)
#define NOBODY          255

#define LAP(position)   ((position) / BLOCKS)
#define INDEX(position) ((position) % BLOCKS)

/* The word of a descriptor: its parts are only accessed together. */
mtype = { FREE, CLAIMED, COMMITTED };
typedef word { mtype state = FREE; byte lap; byte blocks; byte owner };

word descriptor[BLOCKS];
byte content[BLOCKS] = NOBODY;
byte head, tail;
byte losses, died; /* what the two sides have counted */

/* What only the model knows. */
mtype = { UNBORN, LOST, HELD, DONE, READ, GIVEN_UP };
mtype record[IDS] = UNBORN;
byte claimant[BLOCKS]; /* the record whose claim the descriptor holds */
bool is_dead[WRITERS];
byte deaths, ended;
byte solo_head, solo_tries;

/* One more writer, that comes now and that nobody disturbs. */
#define SOLO_IS_FULL    (solo_head + 1 > BLOCKS + tail)
inline judge_solo()
{
    d_step {
        solo_head = head;
        solo_tries = 0;
        do
        :: SOLO_IS_FULL -> break /* a loss, at once */
        :: !SOLO_IS_FULL ->
            assert(solo_tries < SOLO_TRIES);
            solo_tries++;
            if
            :: WRITER_CATCHES && tail > solo_head -> solo_head = tail
            :: tail > solo_head && !WRITER_CATCHES
            :: tail <= solo_head && (NO_HELP ||
               descriptor[INDEX(solo_head)].lap != LAP(solo_head))
            :: else ->
                solo_head = solo_head + descriptor[INDEX(solo_head)].blocks
            fi;
            if
            :: tail <= solo_head && !SOLO_IS_FULL &&
               descriptor[INDEX(solo_head)].lap == LAP(solo_head) &&
               descriptor[INDEX(solo_head)].state == FREE -> break
            :: else
            fi
        od;
        solo_head = 0;
        solo_tries = 0
    }
}

inline swap_head(seen, next)
{
    if
    :: STORE_HEAD || head == (seen) ->
        assert((next) > head);
        head = next;
        judge_solo()
    :: else
    fi
}

/* The other thing that may happen at any access of a writer. */
#define OR_DEATH :: atomic { deaths < DEATHS -> deaths++ } -> goto dead

/* What a step leaves behind and nobody reads would multiply the states. */
inline forget()
{
    seen.state = FREE;
    seen.lap = 0;
    seen.blocks = 0
}

proctype writer(byte me)
{
    byte at, seen_tail, blocks, tries, id, i;
    bool is_behind, is_full;
    word seen;

    id = me * RECORDS;
next_record:
    if
    :: atomic {
        tries = 0;
        at = 0;
        i = 0;
        if
        :: id == (me + 1) * RECORDS -> goto finished
        :: else
        fi;
        if
        :: blocks = 1
        :: blocks = BLOCKS_MAX
        fi
    }
    OR_DEATH
    fi;
try:
    if
    :: atomic {
        if
        :: tries == TRIES ->
            losses++;
            record[id] = LOST;
            id++;
            goto next_record
        :: else
        fi;
        tries++;
        at = head
    }
    OR_DEATH
    fi;
    if
    :: atomic {
        seen_tail = tail;
        is_behind = seen_tail > at;
        is_full = at + blocks > BLOCKS + seen_tail && !NO_FULL_CHECK;
        seen_tail = 0;
        if
        :: is_behind ->
            if
            :: WRITER_CATCHES -> swap_head(at, tail)
            :: else /* it was moved meanwhile */
            fi;
            goto try
        :: is_full && !is_behind ->
            if
            :: LOSS_UNCOUNTED
            :: else -> losses++
            fi;
            record[id] = LOST;
            id++;
            goto next_record
        :: else
        fi
    }
    OR_DEATH
    fi;
    if
    :: atomic {
        seen.state = descriptor[INDEX(at)].state;
        seen.lap = descriptor[INDEX(at)].lap;
        seen.blocks = descriptor[INDEX(at)].blocks;
        if
        :: seen.state == FREE && (FORGET_LAP || seen.lap == LAP(at)) ->
            descriptor[INDEX(at)].state = CLAIMED;
            descriptor[INDEX(at)].lap = LAP(at);
            descriptor[INDEX(at)].blocks = blocks;
            descriptor[INDEX(at)].owner = me;
            claimant[INDEX(at)] = id;
            record[id] = HELD;
            judge_solo();
            goto claimed
        :: else
        fi;
        if
        :: seen.state == FREE || seen.lap != LAP(at) || NO_HELP -> goto try
        :: else
        fi
    }
    OR_DEATH
    fi;
    if
    :: atomic { swap_head(at, at + seen.blocks) }
    OR_DEATH
    fi;
    goto try;
claimed:
    if
    :: atomic {
        swap_head(at, at + blocks);
        i = 0;
        if
        :: COMMIT_FIRST -> goto commit
        :: else
        fi
    }
    OR_DEATH
    fi;
write:
    if
    :: atomic {
        content[INDEX(at + i)] = id;
        i++;
        if
        :: i < blocks -> goto write
        :: i == blocks && COMMIT_FIRST -> id++; goto next_record
        :: else
        fi
    }
    OR_DEATH
    fi;
commit:
    if
    :: atomic {
        if
        :: descriptor[INDEX(at)].state == CLAIMED &&
           descriptor[INDEX(at)].lap == LAP(at) &&
           descriptor[INDEX(at)].blocks == blocks &&
           descriptor[INDEX(at)].owner == me ->
            descriptor[INDEX(at)].state = COMMITTED;
            record[id] = DONE
        :: else ->
            losses++;
            record[id] = LOST
        fi;
        if
        :: COMMIT_FIRST -> goto write
        :: else -> id++; goto next_record
        fi
    }
    OR_DEATH
    fi;
dead:
    atomic {
        is_dead[me] = true;
        at = 0;
        blocks = 0;
        tries = 0;
        i = 0;
        forget();
        ended++
    };
    goto out;
finished:
    ended++;
out:
    skip
}

/* Everything is accounted for. */
inline judge()
{
    lost = 0;
    i = 0;
    do
    :: i < IDS ->
        assert(record[i] != HELD && record[i] != DONE);
        if
        :: record[i] == LOST || record[i] == GIVEN_UP -> lost++
        :: else
        fi;
        i++
    :: else -> break
    od;
    assert(lost == losses + died)
}

active proctype reader()
{
    byte at, i, first, lost;
    word seen;
    bool is_over;

look:
    atomic {
        is_over = (ended == WRITERS);
        seen.state = descriptor[INDEX(at)].state;
        seen.lap = descriptor[INDEX(at)].lap;
        seen.blocks = descriptor[INDEX(at)].blocks;
        seen.owner = descriptor[INDEX(at)].owner;
        i = 0;
        assert(seen.lap == LAP(at)); /* else it would count as malformed */
        if
        :: seen.state == FREE && is_over -> judge(); goto out
        :: seen.state == FREE && !is_over -> goto look
        :: seen.state == COMMITTED && FREE_FIRST -> goto free
        :: seen.state == COMMITTED && !FREE_FIRST -> goto copy
        :: else
        fi
    };
    atomic {
        if
        :: !is_dead[seen.owner] && !IMPATIENT -> assert(!is_over); goto look
        :: else
        fi
    };
    atomic {
        if
        :: NO_SECOND_LOOK
        :: else ->
            if
            :: descriptor[INDEX(at)].state != CLAIMED -> goto look
            :: else
            fi
        fi;
        died++;
        assert(record[claimant[INDEX(at)]] == HELD);
        record[claimant[INDEX(at)]] = GIVEN_UP
    };
    if
    :: WRITER_CATCHES
    :: else -> atomic { swap_head(at, at + seen.blocks) }
    fi;
    goto free;
copy:
    atomic {
        if
        :: i == 0 -> first = content[INDEX(at)]
        :: else -> assert(content[INDEX(at + i)] == first)
        fi;
        i++;
        if
        :: i < seen.blocks -> goto copy
        :: else
        fi;
        assert(first == claimant[INDEX(at)] || FREE_FIRST);
        assert(record[first] == DONE);
        record[first] = READ;
        i = 0;
        if
        :: FREE_FIRST -> at = at + seen.blocks; goto look
        :: else
        fi
    };
free:
    if
    :: TAIL_FIRST -> atomic { tail = at + seen.blocks }
    :: else
    fi;
    do
    :: atomic {
        i < seen.blocks ->
        descriptor[INDEX(at + i)].state = FREE;
        descriptor[INDEX(at + i)].lap = LAP(at + i) + 1;
        descriptor[INDEX(at + i)].blocks = 0;
        descriptor[INDEX(at + i)].owner = 0;
        judge_solo();
        i++;
        if
        :: FREE_ONE -> i = seen.blocks
        :: else
        fi
    }
    :: i == seen.blocks -> break
    od;
    atomic {
        assert(at + seen.blocks > tail || TAIL_FIRST);
        tail = at + seen.blocks;
        judge_solo();
        i = 0;
        if
        :: FREE_FIRST -> goto copy
        :: else -> at = tail; goto look
        fi
    };
out:
    skip
}

init
{
    byte w;
    atomic {
        do
        :: w < WRITERS -> run writer(w); w++
        :: else -> break
        od
    }
}
