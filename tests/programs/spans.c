/*
 * Does work in transactions of its own (watchfire.h), and prints the headers
 * that would go to another service.
 *
 *     spans work            a transaction with two spans, one in another thread
 *     spans go-on TRACE BAGGAGE     one that goes on from elsewhere
 *     spans many COUNT      as many, as fast as possible, of four threads
 *     spans open            one that is never finished
 *     spans pauses          three, with other work after each
 *     spans bursts COUNT WORK_MS OTHER_MS    so many, with other work before
 *                           each
 *     spans hold COUNT      as many, one after the other; it goes on until
 *                           standard input ends
 *     spans none            other work alone
 */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "profiler/agent/watchfire.h"

enum { THREADS = 4 };

static void spin(long ms)
{
    struct timespec start, now;
    (void)clock_gettime(CLOCK_THREAD_CPUTIME_ID, &start);
    do
        (void)clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
    while ((now.tv_sec - start.tv_sec) * 1000 +
               (now.tv_nsec - start.tv_nsec) / 1000000 <
           ms);
}

static void *query(void *context)
{
    const struct wf_transaction *request = context;
    struct wf_span span, below;
    wf_span_start(&span, request, NULL, "db.query", "SELECT \"1\"");
    wf_span_start(&below, request, &span, "db.wait", "lock");
    spin(20);
    wf_span_set_status(&below, WF_NOT_FOUND);
    wf_span_finish(&below);
    wf_span_finish(&span);
    return NULL;
}

static void print_headers(const struct wf_transaction *request)
{
    char text[WF_TRACE_BYTES];
    (void)printf(
        "%s\n%s\n", wf_trace_header(&request->span, text, sizeof text),
        wf_baggage_header(request));
}

static void work(const char *trace, const char *baggage)
{
    struct wf_transaction request;
    pthread_t thread;
    wf_transaction_continue(
        &request, "GET /things/\xff", "http.server", trace, baggage);
    wf_transaction_set_tag(&request, "zone", "a");
    wf_transaction_set_tag(&request, "zone", "b");
    if (pthread_create(&thread, NULL, query, &request) != 0)
        exit(1);
    spin(50);
    (void)pthread_join(thread, NULL);
    print_headers(&request);
    wf_transaction_set_status(&request, WF_UNAVAILABLE);
    wf_transaction_finish(&request);
    wf_transaction_finish(&request); /* which is once too often */
}

static void *do_many(void *context)
{
    for (long i = *(const long *)context; i > 0; i--) {
        struct wf_transaction request;
        struct wf_span span;
        wf_transaction_start(&request, "many", "test");
        wf_span_start(&span, &request, NULL, "part", "one");
        wf_span_finish(&span);
        wf_transaction_finish(&request);
        const struct timespec pause = {.tv_nsec = 200 * 1000};
        (void)nanosleep(&pause, NULL);
    }
    return NULL;
}

static void hold(long count)
{
    (void)do_many(&count);
    (void)getchar();
}

static void many(long count)
{
    pthread_t threads[THREADS];
    count /= THREADS;
    for (int i = 0; i < THREADS; i++) {
        if (pthread_create(&threads[i], NULL, do_many, &count) != 0)
            exit(1);
    }
    for (int i = 0; i < THREADS; i++)
        (void)pthread_join(threads[i], NULL);
}

/* Of one size, but not the same, or a linker may make them one. */
__attribute__((noinline)) static void work_inside(long ms)
{
    spin(ms);
    __asm__ volatile("nop");
}

__attribute__((noinline)) static void work_outside(long ms)
{
    spin(ms);
    __asm__ volatile("nop; nop");
}

static void bursts(long count, long work_ms, long other_ms)
{
    for (; count > 0; count--) {
        struct wf_transaction request;
        work_outside(other_ms);
        wf_transaction_start(&request, "burst", "test");
        work_inside(work_ms);
        wf_transaction_finish(&request);
    }
}

int main(int argc, char **argv)
{
    const char *mode = argc > 1 ? argv[1] : "";
    if (strcmp(mode, "go-on") == 0 && argc > 3) {
        work(argv[2], argv[3]);
    } else if (strcmp(mode, "many") == 0 && argc > 2) {
        many(strtol(argv[2], NULL, 10));
    } else if (strcmp(mode, "hold") == 0 && argc > 2) {
        hold(strtol(argv[2], NULL, 10));
    } else if (strcmp(mode, "bursts") == 0 && argc > 4) {
        bursts(
            strtol(argv[2], NULL, 10), strtol(argv[3], NULL, 10),
            strtol(argv[4], NULL, 10));
    } else if (strcmp(mode, "pauses") == 0) {
        for (int i = 0; i < 3; i++) {
            work(NULL, NULL);
            spin(400);
        }
    } else if (strcmp(mode, "none") == 0) {
        spin(200);
    } else if (strcmp(mode, "open") == 0) {
        static struct wf_transaction request;
        struct wf_span span;
        wf_transaction_start(&request, "endless", "task");
        wf_span_start(&span, &request, NULL, "part", "one");
        return 3;
    } else {
        work(NULL, NULL);
    }
    return 0;
}
