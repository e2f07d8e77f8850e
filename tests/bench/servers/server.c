/*
 * A web server with two threads that wait in epoll, some work for each request:
 * PORT. It is built with musl as a static program, too.
 */
#include <arpa/inet.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

enum { ROWS = 400, EVENTS = 16, REQUEST_BYTES = 4096, ROW_BYTES = 32 };

struct row {
    char text[ROW_BYTES];
};

static int by_text(const void *a, const void *b)
{
    return strcmp(a, b);
}

static __attribute__((noinline)) void fill_rows(struct row *rows)
{
    for (unsigned i = 0; i < ROWS; i++)
        (void)snprintf(
            rows[i].text, sizeof rows[i].text, "row %u of %u\n", i * i % 97, i);
}

static __attribute__((noinline)) size_t make_page(char *body)
{
    static __thread struct row rows[ROWS];
    size_t length = 0;
    fill_rows(rows);
    qsort(rows, ROWS, sizeof *rows, by_text);
    for (unsigned i = 0; i < ROWS; i++) {
        size_t more = strlen(rows[i].text);
        memcpy(body + length, rows[i].text, more);
        length += more;
    }
    return length;
}

static __attribute__((noinline)) int answer(int fd)
{
    char request[REQUEST_BYTES];
    char reply[128 + ROWS * ROW_BYTES], body[ROWS * ROW_BYTES];
    if (read(fd, request, sizeof request) <= 0)
        return 0;
    size_t length = make_page(body);
    int head = snprintf(
        reply, sizeof reply, "HTTP/1.1 200 OK\r\nContent-Length: %zu\r\n\r\n",
        length);
    memcpy(reply + head, body, length);
    length += (size_t)head;
    return write(fd, reply, length) == (ssize_t)length;
}

static void serve(int epoll, int listener, int fd)
{
    struct epoll_event event = {.events = EPOLLIN};
    if (fd == listener) {
        event.data.fd = accept(listener, NULL, NULL);
        if (event.data.fd >= 0)
            (void)epoll_ctl(epoll, EPOLL_CTL_ADD, event.data.fd, &event);
    } else if (!answer(fd)) {
        (void)close(fd);
    }
}

static void *run(void *argument)
{
    int listener = (int)(intptr_t)argument, epoll = epoll_create1(0);
    struct epoll_event event = {
        .events = EPOLLIN | EPOLLEXCLUSIVE, .data.fd = listener};
    (void)epoll_ctl(epoll, EPOLL_CTL_ADD, listener, &event);
    for (;;) {
        struct epoll_event events[EVENTS];
        int count = epoll_wait(epoll, events, EVENTS, -1);
        for (int i = 0; i < count; i++)
            serve(epoll, listener, events[i].data.fd);
    }
    return NULL;
}

int main(int argc, char **argv)
{
    struct sockaddr_in address = {
        .sin_family = AF_INET,
        .sin_port = htons((uint16_t)atoi(argc > 1 ? argv[1] : "0")),
        .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0), on = 1;
    (void)setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    if (bind(listener, (struct sockaddr *)&address, sizeof address) != 0 ||
        listen(listener, 64) != 0) {
        perror("bind");
        return 1;
    }
    pthread_t other;
    if (pthread_create(&other, NULL, run, (void *)(intptr_t)listener) != 0)
        return 1;
    (void)run((void *)(intptr_t)listener);
    return 0;
}
