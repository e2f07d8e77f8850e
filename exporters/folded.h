/*
 * Folded stacks: one line per distinct stack, "root;...;leaf count".
 *
 * The count is an integer, nanoseconds by default. ';' in a name becomes ':',
 * a space in the name of a process '_', and kernel frames end in "_[k]".
 * Lines come in the order of their names, frame by frame. A stack that counts
 * 0 has no line. (github.com/brendangregg/FlameGraph, stackcollapse)
 */
#ifndef EXPORTERS_FOLDED_H
#define EXPORTERS_FOLDED_H

#include "exporters/format.h"

exp_format_write exp_folded_write;

#endif
