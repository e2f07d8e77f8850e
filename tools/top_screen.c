/* The terminal of `watchfire top`. */
#include "tools/top_screen.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <curses.h>

#include "exporters/report_model.h"
#include "exporters/text.h"

/* Columns of a figure, and the least that is worth a column of its own. */
enum { FIGURE_COLUMNS = 8, MODULE_COLUMNS = 24, WIDE_COLUMNS = 72 };
enum { HEAD_LINES = 4 };

/* The threads of the last drawing. */
struct thread_row {
    uint32_t thread, tid; /* the first of the profile */
    uint64_t weight;
};
static struct thread_row *threads;
static uint32_t thread_count;

static const char *const help_lines[] = {
    "s        sort by self or by total",
    "t        choose a thread: up, down, Enter; t again leaves",
    "a        all threads",
    "/        show only functions with this in their name; Enter ends",
    "p Space  pause and go on",
    "up down  scroll; PageUp, PageDown, Home as well",
    "h ?      this help",
    "q        quit",
};

/* ---- text ---- */

/* Print at most `columns` columns of a line, and fill them. */
static void print_columns(const char *text, size_t columns)
{
    size_t bytes = exp_text_fit(text, columns);
    for (size_t i = 0; i < bytes;) {
        const char *at = text + i;
        char clean[EXP_TEXT_UTF8_BYTES];
        uint32_t point = exp_text_clean(exp_text_next(&at));
        size_t count = exp_text_encode(point, clean);
        (void)addnstr(clean, (int)count);
        i = (size_t)(at - text);
    }
}

static void begin_line(int line)
{
    (void)move(line, 0);
    (void)clrtoeol();
}

/* ---- the head ---- */

static void draw_head(
    const struct top_screen *screen, const struct top_facts *facts, int columns)
{
    char text[512], cores[32] = "no sample yet";
    size_t room = columns > 0 ? (size_t)columns : 0;
    if (facts->report != NULL && facts->seconds > 0)
        (void)snprintf(
            cores, sizeof cores, "%.1f %% of a CPU",
            (double)exp_report_total(facts->report) / facts->seconds / 1e7);
    begin_line(0);
    attron(A_BOLD);
    if (screen->tid != 0)
        (void)snprintf(
            text, sizeof text, "thread %" PRIu32 " of %s", screen->tid,
            facts->whom);
    print_columns(screen->tid != 0 ? text : facts->whom, room);
    attroff(A_BOLD);
    begin_line(1);
    (void)snprintf(
        text, sizeof text, "%s, last %.0f s%s%s", cores, facts->seconds,
        screen->is_paused  ? ", paused"
        : facts->has_ended ? ", ended"
                           : "",
        facts->way);
    print_columns(text, room);
    begin_line(2);
    if (screen->is_filtering)
        (void)snprintf(text, sizeof text, "filter: %s_", screen->filter);
    else if (screen->filter[0] != '\0')
        (void)snprintf(text, sizeof text, "filter: %s", screen->filter);
    else
        (void)snprintf(text, sizeof text, "q quit  h help");
    print_columns(text, room);
}

/* ---- functions ---- */

static bool is_shown(
    const struct top_screen *screen, const struct exp_report *report,
    const struct exp_report_row *row)
{
    return screen->filter[0] == '\0' ||
           strcasestr(exp_report_row_name(report, row), screen->filter) != NULL;
}

static void print_share(uint64_t value, uint64_t whole, bool is_strong)
{
    if (is_strong)
        attron(A_BOLD);
    (void)printw("%6.2f %% ", exp_text_percent(value, whole));
    if (is_strong)
        attroff(A_BOLD);
}

static void draw_function(
    const struct top_screen *screen, const struct top_facts *facts,
    const struct exp_report_row *row, size_t columns)
{
    const struct exp_report *report = facts->report;
    uint64_t whole = exp_report_total(report);
    size_t used = FIGURE_COLUMNS + 1;
    if (columns < 2 * FIGURE_COLUMNS + 12) {
        /* Room for one figure. */
        print_share(screen->is_by_total ? row->total : row->self, whole, false);
    } else {
        print_share(row->self, whole, !screen->is_by_total);
        print_share(row->total, whole, screen->is_by_total);
        used = 2 * (FIGURE_COLUMNS + 1);
    }
    size_t room = columns > used ? columns - used : 0;
    const char *name = exp_report_row_name(report, row);
    const char *module = exp_text_base_name(exp_report_row_module(report, row));
    if (columns >= WIDE_COLUMNS && module[0] != '\0') {
        size_t name_room = room - MODULE_COLUMNS;
        print_columns(name, name_room);
        (void)move(getcury(stdscr), (int)(used + name_room + 1));
        print_columns(module, MODULE_COLUMNS - 1);
    } else {
        print_columns(name, room);
    }
}

static void draw_functions(
    struct top_screen *screen, const struct top_facts *facts, int lines,
    size_t columns)
{
    begin_line(HEAD_LINES - 1);
    attron(A_REVERSE);
    print_columns(
        columns < 2 * FIGURE_COLUMNS + 12
            ? (screen->is_by_total ? "   total function" : "    self function")
            : "    self    total  function",
        columns);
    attroff(A_REVERSE);
    int line = HEAD_LINES;
    uint32_t passed = 0;
    const struct exp_report *report = facts->report;
    for (uint32_t i = 0;
         report != NULL && i < report->function_count && line < lines; i++) {
        const uint32_t *rows =
            screen->is_by_total ? report->by_total : report->by_self;
        const struct exp_report_row *row = exp_report_row(report, rows[i]);
        if (!is_shown(screen, report, row) || passed++ < screen->first)
            continue;
        begin_line(line++);
        draw_function(screen, facts, row, columns);
    }
    /* Scrolled beyond the end. */
    if (line == HEAD_LINES && screen->first > 0 && screen->first >= passed)
        screen->first = passed > 0 ? passed - 1 : 0;
    (void)move(line, 0);
    (void)clrtobot();
}

/* ---- threads ---- */

static int by_weight(const void *left, const void *right)
{
    const struct thread_row *a = left, *b = right;
    if (a->weight != b->weight)
        return a->weight < b->weight ? 1 : -1;
    return (a->thread > b->thread) - (a->thread < b->thread);
}

static void sum_threads(const struct top_facts *facts)
{
    const struct prof_profile *profile = facts->profile;
    thread_count = prof_profile_thread_count(profile);
    struct thread_row *rows =
        realloc(threads, ((size_t)thread_count + 1) * sizeof *rows);
    if (rows == NULL) {
        thread_count = 0;
        return;
    }
    threads = rows;
    for (uint32_t i = 0; i < thread_count; i++)
        rows[i] = (struct thread_row){
            .thread = i, .tid = prof_profile_thread(profile, i)->tid};
    for (uint32_t id = 0; id < prof_profile_sample_count(profile); id++) {
        const struct prof_sample *sample = prof_profile_sample(profile, id);
        rows[sample->thread].weight += sample->values[0];
    }
    qsort(rows, thread_count, sizeof *rows, by_weight);
    /* Those that have not run are many, and no choice. */
    while (thread_count > 0 && rows[thread_count - 1].weight == 0)
        thread_count--;
}

static void draw_threads(
    struct top_screen *screen, const struct top_facts *facts, int lines,
    size_t columns)
{
    sum_threads(facts);
    if (screen->chosen >= thread_count)
        screen->chosen = thread_count > 0 ? thread_count - 1 : 0;
    screen->chosen_tid = thread_count > 0 ? threads[screen->chosen].tid : 0;
    int room = lines - HEAD_LINES;
    uint32_t first = 0;
    if (room > 0 && screen->chosen >= (uint32_t)room)
        first = screen->chosen - (uint32_t)room + 1;
    begin_line(HEAD_LINES - 1);
    attron(A_REVERSE);
    print_columns("     CPU  thread", columns);
    attroff(A_REVERSE);
    int line = HEAD_LINES;
    for (uint32_t i = first; i < thread_count && line < lines; i++) {
        const struct prof_thread *thread =
            prof_profile_thread(facts->profile, threads[i].thread);
        char text[256];
        (void)snprintf(
            text, sizeof text, "%6.1f %%  %" PRIu32 " %.200s",
            facts->seconds > 0
                ? (double)threads[i].weight / facts->seconds / 1e7
                : 0.0,
            thread->tid, prof_profile_text(facts->profile, thread->name));
        begin_line(line++);
        if (i == screen->chosen)
            attron(A_REVERSE);
        print_columns(text, columns);
        attroff(A_REVERSE);
    }
    (void)move(line, 0);
    (void)clrtobot();
}

static void draw_help(int lines, size_t columns)
{
    int line = HEAD_LINES - 1;
    size_t count = sizeof help_lines / sizeof help_lines[0];
    for (size_t i = 0; i < count && line < lines; i++) {
        begin_line(line++);
        print_columns(help_lines[i], columns);
    }
    (void)move(line, 0);
    (void)clrtobot();
}

/* ---- the screen ---- */

bool top_screen_begin(struct top_screen *screen)
{
    static SCREEN *terminal;
    *screen = (struct top_screen){.is_over = false};
    terminal = newterm(NULL, stdout, stdin);
    if (terminal == NULL)
        return false;
    (void)set_term(terminal);
    (void)cbreak();
    (void)noecho();
    (void)nodelay(stdscr, TRUE);
    (void)keypad(stdscr, TRUE);
    (void)set_escdelay(50);
    (void)curs_set(0);
    return true;
}

void top_screen_end(void)
{
    (void)endwin();
    free(threads);
    threads = NULL;
}

void top_screen_draw(struct top_screen *screen, const struct top_facts *facts)
{
    int lines, width;
    getmaxyx(stdscr, lines, width);
    size_t columns = width > 0 ? (size_t)width : 0;
    screen->page_rows = lines - HEAD_LINES;
    draw_head(screen, facts, width);
    if (screen->is_help)
        draw_help(lines, columns);
    else if (screen->shows_threads)
        draw_threads(screen, facts, lines, columns);
    else
        draw_functions(screen, facts, lines, columns);
    (void)refresh();
}
