/*
 * Whoever can reach the socket, with and without the secret: messages of any
 * size and kind, any descriptor in the place of a segment, connections that
 * are many, silent or gone. The collector goes on, and holds no descriptor
 * more when it is over than before.
 */
#include <dirent.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "profiler/collector/collector.h"
#include "profiler/wire/message.h"
#include "tests/fuzz/collector/bytes.h"
#include "tests/profiler/ring_fixture.h"

enum {
    STEPS_MAX = 64,
    CLIENTS = 96, /* more than the listener keeps */
    FDS_MAX = 6,
    MESSAGE_MAX = 4096,
    NAME_DIGITS = 16,
    PERIOD_NS = 1000000,
};

struct scene {
    struct prof_collector *collector;
    struct sockaddr_un address;
    socklen_t address_bytes;
    int clients[CLIENTS];
    unsigned next;
    struct fuzz_bytes input;
};

static unsigned count_fds(void)
{
    DIR *folder = opendir("/proc/self/fd");
    unsigned count = 0;
    if (folder == NULL)
        abort();
    while (readdir(folder) != NULL)
        count++;
    (void)closedir(folder);
    return count;
}

static void find_address(struct scene *scene)
{
    const char *session = prof_collector_session(scene->collector);
    scene->address.sun_family = AF_UNIX;
    int length = snprintf(
        scene->address.sun_path + 1, sizeof scene->address.sun_path - 1,
        "watchfire-%.*s", NAME_DIGITS, session);
    scene->address_bytes =
        (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1) +
        (socklen_t)length;
}

static void hang_up(struct scene *scene, unsigned client)
{
    if (scene->clients[client] >= 0)
        (void)close(scene->clients[client]);
    scene->clients[client] = -1;
}

static int *connect_client(struct scene *scene)
{
    unsigned client = scene->next++ % CLIENTS;
    hang_up(scene, client);
    int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd >= 0 &&
        connect(fd, (void *)&scene->address, scene->address_bytes) != 0) {
        (void)close(fd); /* the backlog is full */
        fd = -1;
    }
    scene->clients[client] = fd;
    return &scene->clients[client];
}

/* What may come in the place of a sealed segment. */
static int make_fd(uint8_t kind)
{
    int pair[2], fd;
    switch (kind % 10) {
    case 0:
        return pipe(pair) == 0 ? (close(pair[1]), pair[0]) : -1;
    case 1:
        return pipe(pair) == 0 ? (close(pair[0]), pair[1]) : -1;
    case 2:
        return open("/", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    case 3:
        return open("/dev/zero", O_RDWR | O_CLOEXEC);
    case 4:
        return eventfd(0, EFD_CLOEXEC);
    case 5:
        return make_segment_fd(0);
    case 6: /* short, and sealed so */
        fd = memfd_create("short", MFD_CLOEXEC | MFD_ALLOW_SEALING);
        (void)!ftruncate(fd, 4096);
        (void)fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK);
        return fd;
    case 7: /* one that cannot be mapped to be written */
        return make_segment_fd(F_SEAL_SHRINK | F_SEAL_WRITE);
    default:
        return make_segment_fd(F_SEAL_SHRINK | F_SEAL_GROW);
    }
}

static void send_bytes(
    int client, const void *bytes, size_t size, const int *fds, unsigned count)
{
    union {
        char bytes[CMSG_SPACE(FDS_MAX * sizeof(int))];
        struct cmsghdr header;
    } control;
    struct iovec part = {(void *)(uintptr_t)bytes, size};
    struct msghdr message = {.msg_iov = &part, .msg_iovlen = 1};
    memset(&control, 0, sizeof control);
    if (count > 0) {
        control.header = (struct cmsghdr){
            .cmsg_len = CMSG_LEN(count * sizeof(int)),
            .cmsg_level = SOL_SOCKET,
            .cmsg_type = SCM_RIGHTS};
        memcpy(CMSG_DATA(&control.header), fds, count * sizeof(int));
        message.msg_control = &control;
        message.msg_controllen = CMSG_SPACE(count * sizeof(int));
    }
    (void)sendmsg(client, &message, MSG_NOSIGNAL | MSG_DONTWAIT);
}

static void send_with_fds(
    struct scene *scene, int client, const void *bytes, size_t size)
{
    int fds[FDS_MAX];
    unsigned count = 0;
    for (unsigned i = fuzz_u8(&scene->input) % (FDS_MAX + 1); i-- > 0;) {
        int fd = make_fd(fuzz_u8(&scene->input));
        if (fd >= 0)
            fds[count++] = fd;
    }
    send_bytes(client, bytes, size, fds, count);
    while (count > 0)
        (void)close(fds[--count]);
}

/* Any bytes at all. */
static void send_noise(struct scene *scene)
{
    char bytes[MESSAGE_MAX];
    size_t size = fuzz_u16(&scene->input) % sizeof bytes;
    fuzz_take(&scene->input, bytes, size);
    send_with_fds(scene, *connect_client(scene), bytes, size);
}

/* One of the tree, which knows the secret. */
static void send_message(struct scene *scene)
{
    struct wire_message message = {
        .magic = WIRE_MAGIC, .version = WIRE_VERSION};
    message.type = fuzz_u8(&scene->input) % 8;
    message.pid = fuzz_u8(&scene->input) % 2 == 0 ? (uint32_t)getpid()
                                                  : fuzz_u32(&scene->input);
    memcpy(
        message.secret,
        prof_collector_session(scene->collector) + NAME_DIGITS + 1,
        sizeof message.secret);
    fuzz_take(&scene->input, message.text, sizeof message.text);
    send_with_fds(scene, *connect_client(scene), &message, sizeof message);
}

static void step(struct scene *scene)
{
    switch (fuzz_u8(&scene->input) % 6) {
    case 0:
        (void)connect_client(scene);
        break;
    case 1:
        hang_up(scene, fuzz_u8(&scene->input) % CLIENTS);
        break;
    case 2:
        send_noise(scene);
        break;
    case 3:
        for (unsigned i = 0; i < CLIENTS; i++)
            (void)connect_client(scene);
        break;
    case 4:
        send_message(scene);
        break;
    default:
        prof_collector_run(scene->collector);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct scene scene = {.input = {.at = data, .end = data + size}};
    unsigned before = count_fds();
    struct prof_profile *profile = prof_profile_create();
    struct prof_collector_options options = {
        .period_ns = PERIOD_NS,
        .best_mode = PROF_CLOCK_TIMER,
        .is_waited_for = fuzz_u8(&scene.input) % 2 == 0};
    if (prof_collector_create(&scene.collector, profile, &options, NULL) !=
        STATUS_OK)
        abort();
    for (unsigned i = 0; i < CLIENTS; i++)
        scene.clients[i] = -1;
    find_address(&scene);
    for (unsigned i = 0; i < STEPS_MAX && scene.input.at < scene.input.end; i++)
        step(&scene);
    prof_collector_run(scene.collector);
    prof_collector_finish(scene.collector);
    prof_collector_release(scene.collector, NULL);
    prof_collector_destroy(scene.collector);
    prof_profile_destroy(profile);
    for (unsigned i = 0; i < CLIENTS; i++)
        hang_up(&scene, i);
    if (count_fds() != before)
        abort();
    return 0;
}
