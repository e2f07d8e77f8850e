/*
 * Which protocol agent and collector speak. They may be of different builds,
 * and talk only when their versions are the same, or of their versions
 * (message.h): whoever changes a byte that this folder describes raises it.
 */
#ifndef PROFILER_WIRE_VERSION_H
#define PROFILER_WIRE_VERSION_H

#define WIRE_MAGIC   0x57465231u /* "WFR1" */
#define WIRE_VERSION 10u

#endif
