/*
 * Prints what a program can see of itself, one fact a line: errno on entry,
 * descriptors, signals, children, threads, timers, limits. Two runs under the
 * same conditions print the same.
 */
#include <dirent.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/programs/burn.h"

static void print_descriptors(void)
{
    for (int fd = 0; fd < 4096; fd++) {
        struct stat status;
        if (fstat(fd, &status) == 0)
            printf("descriptor %d mode %o\n", fd, status.st_mode);
    }
    /* The same by the road that lists them; opendir adds one of its own. */
    int count = 0;
    DIR *folder = opendir("/proc/self/fd");
    while (folder != NULL && readdir(folder) != NULL)
        count++;
    printf("descriptors listed %d\n", count);
    if (folder != NULL)
        closedir(folder);
}

static void print_signals(void)
{
    sigset_t mask;
    sigprocmask(SIG_BLOCK, NULL, &mask);
    for (int number = 1; number < NSIG; number++) {
        struct sigaction action;
        if (sigaction(number, NULL, &action) != 0)
            continue;
        const char *how = action.sa_handler == SIG_DFL   ? "default"
                          : action.sa_handler == SIG_IGN ? "ignored"
                                                         : "handled";
        printf(
            "signal %d %s%s\n", number, how,
            sigismember(&mask, number) ? " blocked" : "");
    }
}

/* Lines of /proc/self/FILE that begin with one of the words. */
static void print_lines(const char *path, const char *const *words)
{
    char line[512];
    FILE *file = fopen(path, "r");
    while (file != NULL && fgets(line, sizeof line, file) != NULL) {
        for (const char *const *word = words; *word != NULL; word++) {
            if (strncmp(line, *word, strlen(*word)) == 0)
                printf("%s %s", path, line);
        }
    }
    if (file != NULL)
        (void)fclose(file);
}

static void print_children(void)
{
    /* A child that is there and lives answers 0, where none gives ECHILD. */
    static const int options[] = {
        WNOHANG, WNOHANG | __WALL, WNOHANG | __WCLONE};
    for (size_t i = 0; i < sizeof options / sizeof *options; i++) {
        errno = 0;
        pid_t pid = waitpid(-1, NULL, options[i]);
        printf("waitpid %#x: %d %s\n", options[i], pid, strerror(errno));
    }
}

static void print_limits(void)
{
    for (int which = 0; which < RLIM_NLIMITS; which++) {
        struct rlimit limit;
        if (getrlimit(which, &limit) == 0) {
            printf(
                "limit %d: %llu %llu\n", which,
                (unsigned long long)limit.rlim_cur,
                (unsigned long long)limit.rlim_max);
        }
    }
    printf("dumpable %d\n", prctl(PR_GET_DUMPABLE));
    int is_subreaper = 0;
    prctl(PR_GET_CHILD_SUBREAPER, &is_subreaper);
    printf("subreaper %d\n", is_subreaper);
    printf("nice %d\n", getpriority(PRIO_PROCESS, 0));
    printf("umask %o\n", umask(022));
    printf("leads session %d\n", getsid(0) == getpid());
}

int main(void)
{
    int entry_errno = errno;
    burn_ns(30 * NS_PER_MS); /* long enough to be watched */
    printf("errno %d\n", entry_errno);
    print_descriptors();
    print_signals();
    print_lines(
        "/proc/self/status",
        (const char *const[]){
            "Threads:", "SigPnd:", "ShdPnd:", "SigBlk:", "SigIgn:", "Seccomp:",
            "TracerPid:", "NoNewPrivs:", NULL});
    print_lines("/proc/self/oom_score_adj", (const char *const[]){"", NULL});
    print_lines("/proc/self/timers", (const char *const[]){"", NULL});
    print_children();
    print_limits();
    return 0;
}
