/*
 * The flame graph: one SVG file that works from a disk, without a network.
 *
 * A viewer without scripts (a thumbnail, a printer, a code review) sees the
 * whole picture and the largest frames' names. In a browser the script takes
 * over: see flamegraph/start.js for what it can do and page.h for what it is
 * given.
 */
#ifndef EXPORTERS_SVG_H
#define EXPORTERS_SVG_H

#include "exporters/format.h"

exp_format_write exp_svg_write;

#endif
