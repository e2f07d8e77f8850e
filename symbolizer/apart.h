/*
 * Work on files of strangers in a process apart.
 *
 * Reading debug information takes memory in proportion to it, and is the one
 * thing here that goes through libraries of others byte by byte. In a child it
 * may run out of memory, take forever or crash, and nobody notices but the one
 * who waits for its result. The child is a fork: what was opened is open in it.
 *
 * It has one descriptor; limits of memory and of CPU time by the bytes it is to
 * read; no core dump; it is the first to go when memory is short, and it goes
 * with the thread that started it.
 */
#ifndef SYMBOLIZER_APART_H
#define SYMBOLIZER_APART_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

/*
 * Run `work` in a child, which ends with it.
 *
 *   fd       the descriptor to be left open
 *   bytes    that there are to read, for the limits
 *   returns  the child, or -1
 *   cleanup  sym_apart_end()
 */
pid_t sym_apart_start(
    void (*work)(void *context), void *context, int fd, uint64_t bytes);

/* Until it ended; it stays what it is, to be reaped. */
void sym_apart_wait(pid_t child);

/* Kill it, if it still runs, and reap it. Returns soon even where the child
   gets no processor; then whoever is the parent of orphans reaps it. */
void sym_apart_end(pid_t child);

#endif
