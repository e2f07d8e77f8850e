/* The collector's end of the socket, and the agent's. */
#include "tests/harness.h"

#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stddef.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "profiler/agent/link.h"
#include "profiler/collector/listener.h"
#include "profiler/wire/version.h"

/* Long for a machine that does ten other things. */
enum { NOBODY = 65534, PATIENCE_MS = 60000 };

struct ask {
    const char *session;
    bool is_answered;
    _Atomic bool is_over;
    int fd;
    struct wire_reply reply;
};

static void *ask_once(void *context)
{
    struct ask *ask = context;
    ask->is_answered = prof_link_ask(
        ask->session, WIRE_HELLO, ask->fd, "some text", PATIENCE_MS,
        &ask->reply);
    ask->is_over = true;
    return NULL;
}

static bool wait_for(struct prof_listener *listener, struct prof_request *got)
{
    for (int i = 0; i < PATIENCE_MS; i++) {
        if (prof_listener_next(listener, got))
            return true;
        usleep(1000);
    }
    return false;
}

TEST(listener_and_link_exchange_a_request_with_a_descriptor)
{
    struct prof_listener listener;
    struct prof_request request;
    pthread_t thread;
    CHECK_OK(prof_listener_open(&listener, NULL));
    struct ask ask = {
        .session = listener.session, .fd = open("/dev/null", O_RDONLY)};
    CHECK_OK(pthread_create(&thread, NULL, ask_once, &ask));

    CHECK(wait_for(&listener, &request));
    CHECK_EQ(request.pid, getpid());
    CHECK_EQ(request.message.type, WIRE_HELLO);
    CHECK_STR(request.message.text, "some text");
    CHECK(request.fd >= 0 && request.fd != ask.fd);
    struct wire_reply reply = {
        .magic = WIRE_MAGIC, .version = WIRE_VERSION, .period_ns = 1234};
    prof_listener_answer(request.connection, &reply);
    CHECK_OK(pthread_join(thread, NULL));
    CHECK(ask.is_answered);
    CHECK_EQ(ask.reply.period_ns, 1234);
    close(request.fd);
    close(ask.fd);
    prof_listener_close(&listener);
}

TEST(link_is_told_of_a_collector_of_another_version)
{
    struct prof_listener listener;
    struct prof_request request;
    pthread_t thread;
    CHECK_OK(prof_listener_open(&listener, NULL));
    struct ask ask = {.session = listener.session, .fd = -1};
    CHECK_OK(pthread_create(&thread, NULL, ask_once, &ask));
    CHECK(wait_for(&listener, &request));
    struct wire_reply reply = {
        .magic = WIRE_MAGIC, .version = WIRE_VERSION + 1, .period_ns = 1234};
    prof_listener_answer(request.connection, &reply);
    CHECK_OK(pthread_join(thread, NULL));
    CHECK(!ask.is_answered);
    CHECK(strstr(ask.reply.text, "different versions") != NULL);
    prof_listener_close(&listener);
}

TEST(listener_takes_what_is_the_same_in_another_version)
{
    struct prof_listener listener;
    struct prof_request request;
    struct sockaddr_storage address;
    socklen_t bytes = sizeof address;
    CHECK_OK(prof_listener_open(&listener, NULL));
    CHECK_OK(getsockname(listener.socket, (void *)&address, &bytes));
    struct wire_message message = {
        .magic = WIRE_MAGIC, .version = WIRE_VERSION + 1, .type = WIRE_HELLO};
    memcpy(
        message.secret, strchr(listener.session, '.') + 1, WIRE_SECRET_BYTES);
    /* In this version a message of that size is none. */
    size_t same = offsetof(struct wire_message, text);
    for (int i = 0; i < 2; i++) {
        int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
        CHECK_OK(connect(fd, (void *)&address, bytes));
        CHECK_EQ(send(fd, &message, same, 0), same);
        bool is_other = message.version != WIRE_VERSION;
        CHECK_EQ(prof_listener_next(&listener, &request), is_other);
        if (is_other) {
            CHECK_EQ(request.message.version, WIRE_VERSION + 1);
            close(request.connection);
        }
        close(fd);
        message.version = WIRE_VERSION;
    }
    prof_listener_close(&listener);
}

TEST(listener_drops_who_does_not_know_the_secret)
{
    struct prof_listener listener;
    struct prof_request request;
    pthread_t thread;
    CHECK_OK(prof_listener_open(&listener, NULL));
    char forged[PROF_SESSION_BYTES];
    memcpy(forged, listener.session, sizeof forged);
    char *digit = forged + strlen(forged) - 1;
    *digit = *digit == '0' ? '1' : '0';

    struct ask ask = {.session = forged, .fd = -1};
    CHECK_OK(pthread_create(&thread, NULL, ask_once, &ask));
    while (!ask.is_over) {
        CHECK(!prof_listener_next(&listener, &request));
        usleep(1000);
    }
    CHECK_OK(pthread_join(thread, NULL));
    CHECK(!ask.is_answered);
    prof_listener_close(&listener);
}

TEST(link_gives_up_at_once_when_there_is_no_collector)
{
    struct prof_listener listener;
    struct wire_reply reply;
    CHECK_OK(prof_listener_open(&listener, NULL));
    char session[PROF_SESSION_BYTES];
    memcpy(session, listener.session, sizeof session);
    prof_listener_close(&listener);
    CHECK(!prof_link_ask(session, WIRE_HELLO, -1, NULL, 2000, &reply));
    CHECK(!prof_link_ask("", WIRE_HELLO, -1, NULL, 2000, &reply));
    CHECK(!prof_link_ask("no dot", WIRE_HELLO, -1, NULL, 2000, &reply));
    CHECK(!prof_link_ask("a.short", WIRE_HELLO, -1, NULL, 2000, &reply));
}

TEST(listener_survives_connections_that_never_speak)
{
    struct prof_listener listener;
    struct prof_request request;
    CHECK_OK(prof_listener_open(&listener, NULL));
    struct sockaddr_storage address;
    socklen_t bytes = sizeof address;
    CHECK_OK(getsockname(listener.socket, (void *)&address, &bytes));
    int silent[3 * PROF_CONNECTIONS];
    for (int i = 0; i < 3 * PROF_CONNECTIONS; i++) {
        silent[i] = socket(AF_UNIX, SOCK_SEQPACKET, 0);
        CHECK_OK(connect(silent[i], (void *)&address, bytes));
        CHECK(!prof_listener_next(&listener, &request));
    }
    pthread_t thread;
    struct ask ask = {.session = listener.session, .fd = -1};
    CHECK_OK(pthread_create(&thread, NULL, ask_once, &ask));
    CHECK(wait_for(&listener, &request));
    close(request.connection);
    CHECK_OK(pthread_join(thread, NULL));
    for (int i = 0; i < 3 * PROF_CONNECTIONS; i++)
        close(silent[i]);
    prof_listener_close(&listener);
}

/* A child of another user, who connects and says nothing until it is ended. */
static pid_t start_strangers(const void *address, socklen_t bytes, int count)
{
    int told[2];
    char done;
    CHECK_OK(pipe(told));
    pid_t child = fork();
    if (child == 0) {
        if (setresuid(NOBODY, NOBODY, NOBODY) != 0 ||
            prctl(PR_SET_PDEATHSIG, SIGKILL) != 0)
            _exit(1);
        for (int i = 0; i < count; i++)
            (void)connect(socket(AF_UNIX, SOCK_SEQPACKET, 0), address, bytes);
        (void)!write(told[1], "", 1);
        (void)pause();
    }
    CHECK_EQ(read(told[0], &done, 1), 1);
    close(told[0]);
    close(told[1]);
    return child;
}

TEST(listener_lets_no_stranger_evict_who_belongs_to_us)
{
    if (geteuid() != 0)
        return; /* nobody can be made a stranger */
    struct prof_listener listener;
    struct prof_request request;
    struct sockaddr_storage address;
    socklen_t bytes = sizeof address;
    CHECK_OK(prof_listener_open(&listener, NULL));
    CHECK_OK(getsockname(listener.socket, (void *)&address, &bytes));
    int late = socket(AF_UNIX, SOCK_SEQPACKET, 0);
    CHECK_OK(connect(late, (void *)&address, bytes));
    CHECK(!prof_listener_next(&listener, &request));

    pid_t strangers = start_strangers(&address, bytes, 2 * PROF_CONNECTIONS);
    for (int i = 0; i < 10; i++)
        CHECK(!prof_listener_next(&listener, &request));
    struct wire_message message = {
        .magic = WIRE_MAGIC, .version = WIRE_VERSION, .type = WIRE_BYE};
    memcpy(
        message.secret, strchr(listener.session, '.') + 1, WIRE_SECRET_BYTES);
    CHECK_EQ(send(late, &message, sizeof message, 0), sizeof message);
    CHECK(prof_listener_next(&listener, &request));

    close(request.connection);
    close(late);
    (void)kill(strangers, SIGKILL);
    (void)waitpid(strangers, NULL, 0);
    prof_listener_close(&listener);
}

TEST(link_does_not_wait_for_ever_to_be_let_in)
{
    struct prof_listener listener;
    struct sockaddr_storage address;
    socklen_t bytes = sizeof address;
    struct wire_reply reply;
    CHECK_OK(prof_listener_open(&listener, NULL));
    CHECK_OK(listen(listener.socket, 0)); /* and nobody accepts */
    CHECK_OK(getsockname(listener.socket, (void *)&address, &bytes));
    int first = socket(AF_UNIX, SOCK_SEQPACKET, 0);
    CHECK_OK(connect(first, (void *)&address, bytes));
    CHECK(!prof_link_ask(listener.session, WIRE_HELLO, -1, NULL, 50, &reply));
    close(first);
    prof_listener_close(&listener);
}

static bool is_readable(int fd)
{
    struct pollfd wait = {.fd = fd, .events = POLLIN};
    return poll(&wait, 1, 0) == 1;
}

TEST(listener_wakes_for_who_speaks_late)
{
    struct prof_listener listener;
    struct prof_request request;
    struct sockaddr_storage address;
    socklen_t bytes = sizeof address;
    int epoll = epoll_create1(0);
    CHECK_OK(prof_listener_open(&listener, NULL));
    CHECK_OK(prof_listener_watch(&listener, epoll, NULL));
    CHECK_OK(getsockname(listener.socket, (void *)&address, &bytes));
    CHECK(!is_readable(epoll));

    int late = socket(AF_UNIX, SOCK_SEQPACKET, 0);
    CHECK_OK(connect(late, (void *)&address, bytes));
    CHECK(is_readable(epoll));
    CHECK(!prof_listener_next(&listener, &request));
    CHECK(!is_readable(epoll));

    struct wire_message message = {
        .magic = WIRE_MAGIC, .version = WIRE_VERSION, .type = WIRE_BYE};
    memcpy(
        message.secret, strchr(listener.session, '.') + 1, WIRE_SECRET_BYTES);
    CHECK_EQ(send(late, &message, sizeof message, 0), sizeof message);
    CHECK(is_readable(epoll));
    CHECK(prof_listener_next(&listener, &request));

    /* Waiting for its answer, it may hang up unnoticed. */
    close(late);
    CHECK(!is_readable(epoll));
    close(request.connection);
    prof_listener_close(&listener);
    close(epoll);
}

TEST(listener_adopts_only_a_well_formed_session)
{
    struct prof_listener listener;
    CHECK_EQ(prof_listener_adopt(&listener, 0, "nonsense", NULL), STATUS_USAGE);
    CHECK_EQ(prof_listener_adopt(&listener, 0, NULL, NULL), STATUS_USAGE);
    prof_listener_close(&listener);
}
