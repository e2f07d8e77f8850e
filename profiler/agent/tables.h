/*
 * The modules of this process as the collector is told of them, and the
 * tables of rows it makes for them. The protocol stands in
 * profiler/wire/slots.h.
 *
 * Normal context, one caller at a time.
 */
#ifndef PROFILER_AGENT_TABLES_H
#define PROFILER_AGENT_TABLES_H

#include <stdint.h>

/*
 * Post a module, or find it posted already.
 *
 *   start     pc of its first executable byte
 *   identity  the first 8 bytes of its build-id
 *   returns   its slot, counted from 1; 0 when all are used
 */
uint32_t prof_tables_post(uint64_t start, uint64_t identity);

/* A new ring is mapped: post again what was posted. */
void prof_tables_announce(void);

/*
 * Map the tables, which the collector sent with its reply: prof_core.tables.
 * Without them walks take longer, no more.
 *
 *   fd  given away; negative when none came
 */
void prof_tables_map(int fd);

#endif
