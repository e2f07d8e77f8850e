/*
 * The terminal of `watchfire top`: it shows a report and takes keys, and knows
 * nothing of how samples come about. One at a time (ncurses).
 */
#ifndef TOOLS_TOP_SCREEN_H
#define TOOLS_TOP_SCREEN_H

#include <stdbool.h>
#include <stdint.h>

#include "exporters/report.h"
#include "profiler/model/profile.h"

#define TOP_FILTER_BYTES 128

/* What the person has chosen to see. */
struct top_screen {
    bool is_by_total, is_paused, is_help, is_over;
    bool shows_threads;            /* the threads, to choose one of */
    uint32_t tid;                  /* this thread only; 0: all */
    uint32_t chosen;               /* row of the list of threads */
    uint32_t chosen_tid;           /* of that row as last drawn; 0: none */
    int page_rows;                 /* of the list, as last drawn */
    uint32_t first;                /* row at the top of the list */
    bool is_filtering;             /* the filter is being typed */
    char filter[TOP_FILTER_BYTES]; /* only functions with this in their name */
};

/* What there is to be seen. */
struct top_facts {
    const struct prof_profile *profile;
    const struct exp_report *report; /* of the window; NULL: none yet */
    const char *whom;                /* "redis-server, process 42" */
    const char *way;                 /* the clock, and what it does not see */
    double seconds;                  /* of the window */
    bool has_ended;                  /* all that were watched */
};

/* Take the terminal; false when it is none that can be used. */
bool top_screen_begin(struct top_screen *screen);

/* Give it back as it was. */
void top_screen_end(void);

void top_screen_draw(struct top_screen *screen, const struct top_facts *facts);

/* top_keys.c: take the keys that were pressed; false when there were none. */
bool top_screen_keys(struct top_screen *screen);

#endif
