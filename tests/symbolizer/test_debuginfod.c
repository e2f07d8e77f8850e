/* Debug files from a server of this test's own, on the loopback. */
#include "tests/harness.h"

#include <dlfcn.h>
#include <ftw.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "profiler/base/clock.h"
#include "symbolizer/module.h"
#include "symbolizer/symbolizer.h"
#include "tests/symbolizer/cache_folder.h"
#include "tests/symbolizer/fixture.h"
#include "tests/symbolizer/idle_threads.h"

struct server {
    pid_t pid;
    int told; /* a byte for every request */
};

/* Until the end of the request's head. */
static void read_request(int connection)
{
    char head[4096];
    size_t used = 0;
    ssize_t count;
    while ((count = read(connection, head + used, sizeof head - 1 - used)) >
           0) {
        used += (size_t)count;
        head[used] = '\0';
        if (strstr(head, "\r\n\r\n") != NULL)
            return;
    }
}

/* `file`: what every request gets; NULL: no answer, for ever. */
static _Noreturn void serve(
    int listener, int told, const uint8_t *file, size_t count)
{
    for (;;) {
        int connection = accept(listener, NULL, NULL);
        read_request(connection);
        (void)!write(told, "x", 1);
        if (file == NULL)
            continue; /* and it stays open */
        char head[200];
        int bytes = snprintf(
            head, sizeof head, "HTTP/1.0 200 OK\r\nContent-Length: %zu\r\n\r\n",
            count);
        (void)!write(connection, head, (size_t)bytes);
        for (size_t done = 0; done < count;) {
            ssize_t sent = write(connection, file + done, count - done);
            if (sent <= 0)
                break;
            done += (size_t)sent;
        }
        (void)close(connection);
    }
}

static struct server start_server(const uint8_t *file, size_t count)
{
    struct server server;
    int ends[2], listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    struct sockaddr_in address = {
        .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t bytes = sizeof address;
    CHECK(listener >= 0);
    CHECK_OK(bind(listener, (struct sockaddr *)&address, bytes));
    CHECK_OK(listen(listener, 16));
    CHECK_OK(getsockname(listener, (struct sockaddr *)&address, &bytes));
    CHECK_OK(pipe(ends));
    server.pid = fork();
    CHECK(server.pid >= 0);
    if (server.pid == 0) {
        (void)signal(SIGPIPE, SIG_IGN);
        serve(listener, ends[1], file, count);
    }
    (void)close(listener);
    (void)close(ends[1]);
    server.told = ends[0];
    char url[64];
    (void)snprintf(
        url, sizeof url, "http://127.0.0.1:%d", ntohs(address.sin_port));
    CHECK_OK(setenv("DEBUGINFOD_URLS", url, 1));
    CHECK_OK(unsetenv("http_proxy"));
    return server;
}

static void stop_server(const struct server *server)
{
    CHECK_OK(kill(server->pid, SIGKILL));
    CHECK_EQ(waitpid(server->pid, NULL, 0), server->pid);
    (void)close(server->told);
    CHECK_OK(unsetenv("DEBUGINFOD_URLS"));
}

/* The program of the fixture whose debug file is another one, which nobody
   finds here. */
static const char program[] = "linked/inline";

static struct sym_symbolizer *symbolizer_with(const char *folder, bool asks)
{
    static const char *const nowhere[] = {NULL};
    struct sym_options options = {
        .debug_dirs = nowhere, .cache_folder = folder, .uses_debuginfod = asks};
    struct sym_symbolizer *symbolizer = sym_symbolizer_create(&options);
    assert_non_null(symbolizer);
    return symbolizer;
}

static void foresee(struct sym_symbolizer *symbolizer, const char *path)
{
    struct sym_source source = {.path = path};
    while (!sym_symbolizer_foresee(symbolizer, &source))
        (void)usleep(100);
}

static void wait_for_index(const char *cache)
{
    for (int i = 0; i < 50000 && cache_folder_count(cache, ".index") == 0;
         i++) {
        idle_threads_hurry();
        (void)usleep(2000);
    }
}

/* A stripped copy in a folder of its own, with no debug file beside it. */
static char *make_program(const char *folder)
{
    static char path[600];
    size_t bytes;
    uint8_t *content = fixture_read(program, &bytes);
    (void)snprintf(path, sizeof path, "%s/program", folder);
    FILE *file = fopen(path, "we");
    assert_non_null(file);
    CHECK_EQ(fwrite(content, 1, bytes, file), bytes);
    CHECK_OK(fclose(file));
    free(content);
    return path;
}

static int remove_one(
    const char *path, const struct stat *identity, int kind, struct FTW *where)
{
    (void)identity;
    (void)kind;
    (void)where;
    return remove(path);
}

static void remove_all(char *folder)
{
    CHECK_OK(nftw(folder, remove_one, 8, FTW_DEPTH | FTW_PHYS));
    free(folder);
}

static bool has_client(void)
{
    void *library = dlopen("libdebuginfod.so.1", RTLD_NOW | RTLD_LOCAL);
    if (library == NULL)
        return false;
    return dlclose(library) == 0;
}

/* If anybody waited for it, this would never end. */
TEST(a_server_that_hangs_holds_nobody_up)
{
    if (!has_client())
        skip();
    struct server server = start_server(NULL, 0);
    char *cache = cache_folder_make(), *files = cache_folder_make(), byte;
    const char *path = make_program(files);
    CHECK_OK(setenv("DEBUGINFOD_CACHE_PATH", files, 1));
    CHECK_OK(setenv("DEBUGINFOD_TIMEOUT", "100000", 1));
    struct sym_symbolizer *symbolizer = symbolizer_with(cache, true);
    foresee(symbolizer, path);
    struct pollfd told = {.fd = server.told, .events = POLLIN};
    while (poll(&told, 1, 10) == 0)
        idle_threads_hurry();
    CHECK_EQ(read(server.told, &byte, 1), 1); /* it was asked */
    struct sym_source source = {.path = path};
    struct sym_module *module;
    CHECK_OK(sym_module_open(symbolizer, &source, &module, NULL));
    (void)fixture_lookup(module, fixture_symbol("inline_gcc_dwarf5", "outer"));
    uint64_t since_ns = clock_now_ns(CLOCK_MONOTONIC);
    sym_symbolizer_destroy(symbolizer);
    CHECK_EQ(cache_folder_count(cache, ".index"), 0);
    stop_server(&server);
    CHECK(idle_threads_are_reaped(since_ns)); /* no client is left */
    CHECK_OK(unsetenv("DEBUGINFOD_TIMEOUT"));
    cache_folder_remove(cache);
    remove_all(files);
}

TEST(a_file_that_a_server_has_is_known_from_then_on)
{
    if (!has_client())
        skip();
    size_t bytes;
    uint8_t *content = fixture_read("linked/inline.debug", &bytes);
    struct server server = start_server(content, bytes);
    char *cache = cache_folder_make(), *files = cache_folder_make();
    const char *path = make_program(files);
    CHECK_OK(setenv("DEBUGINFOD_CACHE_PATH", files, 1));
    struct sym_symbolizer *symbolizer = symbolizer_with(cache, true);
    foresee(symbolizer, path);
    wait_for_index(cache);
    sym_symbolizer_destroy(symbolizer);
    CHECK_EQ(cache_folder_count(cache, ".index"), 1);
    stop_server(&server);
    free(content);

    symbolizer = symbolizer_with(cache, false);
    struct sym_source source = {.path = path};
    struct sym_module *module;
    CHECK_OK(sym_module_open(symbolizer, &source, &module, NULL));
    struct sym_frames frames =
        fixture_lookup(module, fixture_symbol("inline_gcc_dwarf5", "outer"));
    CHECK(frames.count > 0);
    CHECK_STR(frames.rows[frames.count - 1].function, "outer");
    CHECK(frames.rows[frames.count - 1].line > 0);
    sym_symbolizer_destroy(symbolizer);
    cache_folder_remove(cache);
    remove_all(files);
}

TEST(nobody_is_asked_who_is_not_to_be)
{
    struct server server = start_server(NULL, 0);
    char *cache = cache_folder_make(), *files = cache_folder_make();
    const char *path = make_program(files);
    struct sym_symbolizer *symbolizer = symbolizer_with(cache, false);
    foresee(symbolizer, path);
    foresee(symbolizer, fixture_path("inline_gcc_dwarf5"));
    wait_for_index(cache);
    sym_symbolizer_destroy(symbolizer);
    struct pollfd told = {.fd = server.told, .events = POLLIN};
    CHECK_EQ(poll(&told, 1, 0), 0);
    stop_server(&server);
    cache_folder_remove(cache);
    remove_all(files);
}
