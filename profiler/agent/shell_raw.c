/*
 * Interposed: syscall() and prctl(), the doors to what other functions of libc
 * also do. A raw system call goes past them.
 */
#include "profiler/agent/shell.h"

#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <stdarg.h>
#include <sys/prctl.h>
#include <sys/syscall.h>

#include "profiler/agent/shell_filter.h"
#include "profiler/agent/shell_room.h"
#include "profiler/agent/withdraw.h"

static void prepare_filter(unsigned long mode, const struct sock_fprog *program)
{
    if (mode == SECCOMP_MODE_STRICT)
        shell_filter_prepare(NULL);
    else if (mode == SECCOMP_MODE_FILTER && program != NULL)
        shell_filter_prepare(program);
}

INTERPOSE int prctl(int option, ...)
{
    unsigned long arguments[4];
    va_list list;
    va_start(list, option);
    for (int i = 0; i < 4; i++)
        arguments[i] = va_arg(list, unsigned long);
    va_end(list);
    if (option == PR_SET_SECCOMP)
        prepare_filter(arguments[0], (const struct sock_fprog *)arguments[1]);
    if (option == PR_SET_TSC && arguments[0] == PR_TSC_SIGSEGV)
        prof_core_withdraw("it forbids itself to read the clock (PR_SET_TSC)");
    int result = shell_real()->prctl(
        option, arguments[0], arguments[1], arguments[2], arguments[3]);
    if (option == PR_SET_SECCOMP && result == 0)
        shell_filter_installed();
    return result;
}

/* Made in the child: a process with memory of its own. */
static bool is_fork(long number, const long *arguments)
{
    return number == SYS_fork ||
           (number == SYS_clone && (arguments[0] & CLONE_VM) == 0);
}

static long call(long number, const long *arguments)
{
    return shell_real()->syscall(
        number, arguments[0], arguments[1], arguments[2], arguments[3],
        arguments[4], arguments[5]);
}

static long call_exec(long number, long *arguments)
{
    bool is_execve = number == SYS_execve;
    const char *path = is_execve ? (const char *)arguments[0] : NULL;
    long *environment = &arguments[is_execve ? 2 : 3];
    char *const *envp = (char *const *)*environment;
    bool is_bare, is_told = shell_begin_exec(path, false, envp, &is_bare);
    if (is_bare)
        *environment = (long)shell_room_make(
            __builtin_alloca(shell_room_bytes(envp)), envp);
    long result = call(number, arguments);
    EXEC_WITH_ROOM(
        result, is_told, path, envp,
        (*environment = (long)roomy, call(number, arguments)));
    shell_undo_exec(is_told);
    return result;
}

INTERPOSE long syscall(long number, ...)
{
    long arguments[6];
    va_list list;
    va_start(list, number);
    for (int i = 0; i < 6; i++)
        arguments[i] = va_arg(list, long);
    va_end(list);
    if (number == SYS_execve || number == SYS_execveat)
        return call_exec(number, arguments);
    bool is_filter =
        number == SYS_seccomp && (arguments[0] == SECCOMP_SET_MODE_FILTER ||
                                  arguments[0] == SECCOMP_SET_MODE_STRICT);
    if (is_filter)
        prepare_filter(
            arguments[0] == SECCOMP_SET_MODE_STRICT ? SECCOMP_MODE_STRICT
                                                    : SECCOMP_MODE_FILTER,
            (const struct sock_fprog *)arguments[2]);
    long result = call(number, arguments);
    /* With SECCOMP_FILTER_FLAG_NEW_LISTENER it is a descriptor. */
    if (is_filter && result >= 0)
        shell_filter_installed();
    if (result == 0 && is_fork(number, arguments))
        shell_restart_in_child();
    return result;
}
