/* What the keys of `watchfire top` do to what is seen. */
#include "tools/top_screen.h"

#include <string.h>

#include <curses.h>

enum { KEY_ESCAPE = 27, KEY_DELETE = 127 };

static void type_filter(struct top_screen *screen, int key)
{
    size_t length = strlen(screen->filter);
    if (key == '\n' || key == KEY_ENTER)
        screen->is_filtering = false;
    else if (key == KEY_ESCAPE) {
        screen->is_filtering = false;
        screen->filter[0] = '\0';
    } else if (key == KEY_BACKSPACE || key == KEY_DELETE || key == '\b') {
        if (length > 0)
            screen->filter[length - 1] = '\0';
    } else if (
        key >= ' ' && key < KEY_DELETE && length + 1 < TOP_FILTER_BYTES) {
        screen->filter[length] = (char)key;
        screen->filter[length + 1] = '\0';
    }
    screen->first = 0;
}

static void scroll_by(struct top_screen *screen, int rows)
{
    uint32_t *at = screen->shows_threads ? &screen->chosen : &screen->first;
    if (rows < 0 && *at < (uint32_t)-rows)
        *at = 0;
    else
        *at += (uint32_t)rows;
}

static void choose_thread(struct top_screen *screen, uint32_t tid)
{
    screen->shows_threads = false;
    screen->first = 0;
    screen->tid = tid;
}

/* The keys that move within a list; false when it is none of them. */
static bool take_moving_key(struct top_screen *screen, int key)
{
    int page = screen->page_rows;
    switch (key) {
    case KEY_UP:
        scroll_by(screen, -1);
        return true;
    case KEY_DOWN:
        scroll_by(screen, 1);
        return true;
    case KEY_PPAGE:
        scroll_by(screen, -page);
        return true;
    case KEY_NPAGE:
        scroll_by(screen, page);
        return true;
    case KEY_HOME:
        screen->first = screen->chosen = 0;
        return true;
    default:
        return false;
    }
}

static void take_key(struct top_screen *screen, int key)
{
    if (screen->is_filtering) {
        type_filter(screen, key);
        return;
    }
    if (take_moving_key(screen, key))
        return;
    switch (key) {
    case 'q':
        screen->is_over = true;
        break;
    case 's':
        screen->is_by_total = !screen->is_by_total;
        break;
    case 't':
        screen->shows_threads = !screen->shows_threads;
        break;
    case 'a':
        choose_thread(screen, 0);
        break;
    case '\n':
    case KEY_ENTER:
        if (screen->shows_threads && screen->chosen_tid != 0)
            choose_thread(screen, screen->chosen_tid);
        break;
    case '/':
        screen->is_filtering = true;
        break;
    case 'p':
    case ' ':
        screen->is_paused = !screen->is_paused;
        break;
    case 'h':
    case '?':
        screen->is_help = !screen->is_help;
        break;
    default:
        break;
    }
}

bool top_screen_keys(struct top_screen *screen)
{
    bool is_any = false;
    for (int key; (key = getch()) != ERR; is_any = true)
        take_key(screen, key);
    return is_any;
}
