/*
 * A program to be followed instruction by instruction (check_steps.c): what
 * makes stacks difficult, one function each. Between two breakpoints it runs
 * the parts its arguments name.
 */
#include "tests/profiler/unwind/corpus.h"

#include <alloca.h>
#include <dlfcn.h>
#include <setjmp.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <ucontext.h>

#define OPAQUE(value) __asm__ volatile("" : "+r"(value))
#define NOINLINE      __attribute__((noinline, noclone))

volatile uint64_t corpus_sink;

void corpus_leaf(uint64_t value)
{
    corpus_sink += value * value;
}

NOINLINE static uint64_t recurse(int depth)
{
    if (depth == 0)
        return corpus_sink;
    uint64_t result = recurse(depth - 1) * 3 + recurse(depth / 2);
    return result ^ (uint64_t)depth;
}

NOINLINE static void grow_stack(size_t count)
{
    char *bytes = alloca(count * 16 + 1);
    OPAQUE(bytes);
    memset(bytes, 1, count);
    corpus_leaf((uint64_t)bytes[count / 2]);
    if (count > 1)
        grow_stack(count / 2);
    corpus_leaf(1);
}

/* A stack that must be aligned more than the ABI does: its CFA is kept in a
 * register first and in memory afterwards. */
NOINLINE static void align_stack(size_t count)
{
    _Alignas(64) char lines[128];
    char *more = alloca(count + 1);
    OPAQUE(more);
    memset(lines, (int)count, sizeof lines);
    more[0] = lines[5];
    corpus_leaf((uint64_t)more[0]);
    if (count > 0)
        align_stack(count - 1);
    corpus_leaf((uint64_t)lines[3]);
}

NOINLINE static void use_big_frame(int depth)
{
    volatile char room[700000]; /* more than a compact row can say */
    room[depth] = 1;
    if (depth > 0)
        use_big_frame(depth - 1);
    corpus_leaf((uint64_t)room[depth]);
}

NOINLINE static uint64_t last_call(uint64_t value);

NOINLINE static uint64_t tail_call(uint64_t value)
{
    corpus_leaf(value);
    return last_call(value - 1); /* a jump */
}

static uint64_t last_call(uint64_t value)
{
    corpus_leaf(value);
    return value == 0 ? 0 : tail_call(value);
}

static int by_value(const void *a, const void *b)
{
    corpus_leaf(1);
    return *(const int *)a - *(const int *)b;
}

NOINLINE static void call_back(void)
{
    int values[] = {5, 3, 9, 1, 4, 8, 2};
    qsort(values, 7, sizeof values[0], by_value);
    corpus_leaf((uint64_t)values[0]);
}

/* Through the lazy binder, into what it resolves to. */
NOINLINE static void bind(void)
{
    char text[128];
    (void)snprintf(text, sizeof text, "%d %s %.3f", 42, "words", 2.5);
    corpus_leaf(strlen(text) + (uint64_t)strtol("17", NULL, 10));
    corpus_leaf((uint64_t)(strstr(text, "wo") - text));
}

NOINLINE static void ask_kernel(void)
{
    struct timespec now;
    for (int clock = 0; clock < 2; clock++)
        (void)clock_gettime(clock, &now); /* in the vDSO */
    corpus_leaf((uint64_t)now.tv_nsec);
}

static void on_signal(int number)
{
    corpus_leaf((uint64_t)number);
    if (number == SIGUSR1)
        (void)raise(SIGUSR2); /* its handler is on the alternate stack */
}

static char signal_stack[65536];

NOINLINE static void take_signals(void)
{
    stack_t stack = {.ss_sp = signal_stack, .ss_size = sizeof signal_stack};
    (void)sigaltstack(&stack, NULL);
    struct sigaction action = {.sa_handler = on_signal};
    (void)sigaction(SIGUSR1, &action, NULL);
    action.sa_flags = SA_ONSTACK;
    (void)sigaction(SIGUSR2, &action, NULL);
    (void)raise(SIGUSR2);
    (void)raise(SIGUSR1);
}

static sigjmp_buf landing;

static void jump_out(int number)
{
    corpus_leaf((uint64_t)number);
    siglongjmp(landing, 1);
}

NOINLINE static void jump(void)
{
    struct sigaction action = {.sa_handler = jump_out};
    (void)sigaction(SIGUSR1, &action, NULL);
    if (sigsetjmp(landing, 1) == 0)
        (void)raise(SIGUSR1);
    corpus_leaf(2);
}

static ucontext_t main_context, fiber_context;
static char fiber_stack[65536];

static void in_fiber(void)
{
    for (int i = 0; i < 3; i++) {
        corpus_leaf(recurse(2));
        (void)swapcontext(&fiber_context, &main_context);
    }
}

NOINLINE static void switch_stacks(void)
{
    (void)getcontext(&fiber_context);
    fiber_context.uc_stack.ss_sp = fiber_stack;
    fiber_context.uc_stack.ss_size = sizeof fiber_stack;
    fiber_context.uc_link = &main_context;
    makecontext(&fiber_context, in_fiber, 0);
    for (int i = 0; i < 4; i++)
        (void)swapcontext(&main_context, &fiber_context);
}

/* Hand-written code with odd CFI. The low-level functions need no set-up. */
static void *crypto; /* loaded beforehand: that takes millions of steps */

NOINLINE static void use_crypto(void)
{
    void *library = crypto;
    if (library == NULL)
        return;
    static const char *const DIGESTS[] = {"SHA1", "SHA256", "SHA512"};
    union {
        void *symbol;
        int (*init)(void *);
        int (*update)(void *, const void *, size_t);
        int (*set_key)(const void *, int, void *);
        void (*encrypt)(
            const void *, void *, size_t, const void *, void *, int);
    } init, update, set_key, encrypt;
    static char state[1024], data[512], iv[16];
    for (unsigned i = 0; i < 3; i++) {
        char name[32];
        (void)snprintf(name, sizeof name, "%s_Init", DIGESTS[i]);
        init.symbol = dlsym(library, name);
        (void)snprintf(name, sizeof name, "%s_Update", DIGESTS[i]);
        update.symbol = dlsym(library, name);
        (void)init.init(state);
        (void)update.update(state, data, sizeof data);
    }
    set_key.symbol = dlsym(library, "AES_set_encrypt_key");
    encrypt.symbol = dlsym(library, "AES_cbc_encrypt");
    (void)set_key.set_key(data, 256, state);
    encrypt.encrypt(data, data, 64, state, iv, 1);
}

NOINLINE static uint64_t called_back(uint64_t value)
{
    corpus_leaf(value);
    return value ^ corpus_sink;
}

/* Its first call is bound by the loader, as it goes. */
NOINLINE static void use_library(void)
{
    corpus_leaf(corpus_library(2, called_back));
}

static const struct {
    const char *name;
    void (*run)(void);
} PARTS[] = {
    {"backs", call_back},    {"bind", bind},
    {"kernel", ask_kernel},  {"signals", take_signals},
    {"jump", jump},          {"fibers", switch_stacks},
    {"crypto", use_crypto},  {"assembly", corpus_assembly},
    {"throw", corpus_throw}, {"library", use_library},
};

static void run_shapes(void)
{
    corpus_leaf(recurse(5));
    grow_stack(40);
    align_stack(3);
    use_big_frame(2);
    corpus_leaf(tail_call(6));
}

int main(int argc, char **argv)
{
    crypto = dlopen("libcrypto.so.3", RTLD_LAZY);
    __asm__ volatile("int3");
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "shapes") == 0)
            run_shapes();
        for (size_t k = 0; k < sizeof PARTS / sizeof PARTS[0]; k++)
            if (strcmp(argv[i], PARTS[k].name) == 0)
                PARTS[k].run();
    }
    __asm__ volatile("int3");
    return 0;
}
