// What leans on the allocator, and on whoever replaces it: host_heap CASE.
#include <atomic>
#include <csignal>
#include <cstdlib>
#include <dlfcn.h>
#include <map>
#include <memory>
#include <mutex>
#include <stdexcept>
#include <string>
#include <sys/time.h>
#include <sys/wait.h>
#include <thread>
#include <unistd.h>
#include <vector>

#include "tests/programs/host_case.h"

namespace
{

constexpr int THREADS = 3;

template <typename Work> void in_threads(Work work)
{
    unsigned long results[THREADS] = {};
    std::vector<std::thread> threads;
    for (int i = 0; i < THREADS; i++)
        threads.emplace_back([&results, work, i] { results[i] = work(i); });
    for (int i = 0; i < THREADS; i++) {
        threads[static_cast<size_t>(i)].join();
        printf("%lu\n", results[i]);
    }
}

// A walk that is the same in every run.
class Dice
{
  public:
    explicit Dice(unsigned long seed) : state(seed)
    {
    }
    unsigned long roll(unsigned long sides)
    {
        state = state * 6364136223846793005u + 1442695040888963407u;
        return (state >> 33) % sides;
    }

  private:
    unsigned long state;
};

unsigned long allocate_and_free(int self, int rounds)
{
    Dice dice(static_cast<unsigned long>(self) + 1);
    std::vector<std::unique_ptr<std::string>> kept(256);
    std::map<unsigned long, std::vector<char>> sorted;
    unsigned long sum = 0;
    for (int round = 0; round < rounds; round++) {
        auto &place = kept[dice.roll(kept.size())];
        if (place)
            sum += place->size();
        place = std::make_unique<std::string>(dice.roll(5000), 'x');
        auto &row = sorted[dice.roll(100)];
        row.resize(dice.roll(3000) + 1, 'y');
        sum += static_cast<unsigned long>(row.back());
        void *aligned = nullptr;
        if (posix_memalign(&aligned, 64, dice.roll(300) + 1) == 0)
            sum += reinterpret_cast<uintptr_t>(aligned) % 64;
        aligned = std::realloc(aligned, dice.roll(100000) + 1);
        sum += aligned == nullptr;
        std::free(aligned);
    }
    return sum;
}

void heap()
{
    in_threads([](int self) { return allocate_and_free(self, 2500); });
}

// What one thread allocates another one frees.
void hand_over()
{
    std::mutex lock;
    std::vector<std::unique_ptr<std::string>> shelf;
    in_threads([&lock, &shelf](int self) {
        unsigned long frees = 0;
        for (int round = 0; round < 5000; round++) {
            auto fresh = std::make_unique<std::string>(
                static_cast<size_t>(round % 3000), 'z');
            std::unique_ptr<std::string> old;
            {
                std::lock_guard<std::mutex> guard(lock);
                if (shelf.size() > 100) {
                    old = std::move(shelf.back());
                    shelf.pop_back();
                }
                shelf.push_back(std::move(fresh));
            }
            frees += old != nullptr;
        }
        return frees > 0 ? static_cast<unsigned long>(self) : 999;
    });
    printf("%zu left\n", shelf.size());
}

__attribute__((noinline)) int throw_from(int depth, int round)
{
    std::string witness(64, 'w');
    if (depth == 0)
        throw std::runtime_error(witness + std::to_string(round));
    return throw_from(depth - 1, round) + static_cast<int>(witness.size());
}

void exceptions()
{
    in_threads([](int self) {
        unsigned long sum = 0;
        for (int round = 0; round < 500; round++) {
            try {
                sum += static_cast<unsigned long>(throw_from(8, round));
            } catch (const std::runtime_error &error) {
                sum += std::string(error.what()).size();
            }
        }
        return sum + static_cast<unsigned long>(self);
    });
}

void children()
{
    for (int i = 0; i < 5; i++) {
        pid_t child = fork();
        if (child == 0)
            _exit(static_cast<int>(allocate_and_free(i, 500) % 100));
        int status = -1;
        waitpid(child, &status, 0);
        printf("%x\n", static_cast<unsigned>(status));
    }
}

void brief_threads()
{
    unsigned long sum = 0;
    for (int i = 0; i < 100; i++) {
        unsigned long result = 0;
        std::thread thread([&result, i] { result = allocate_and_free(i, 20); });
        thread.join();
        sum += result;
    }
    printf("%lu\n", sum);
}

std::atomic<int> ticks;

void tick(int)
{
    ticks++;
}

// A profiler of the program's own, amid the allocator's work.
void own_timer()
{
    struct sigaction action = {};
    action.sa_handler = tick;
    action.sa_flags = SA_RESTART;
    sigaction(SIGPROF, &action, nullptr);
    itimerval every = {{0, 1000}, {0, 1000}}, never = {};
    setitimer(ITIMER_PROF, &every, nullptr);
    in_threads([](int self) {
        unsigned long sum = allocate_and_free(self, 500);
        while (ticks < 10)
            allocate_and_free(self, 500);
        return sum;
    });
    setitimer(ITIMER_PROF, &never, nullptr);
}

// A handler that asks for the alternate stack. A sanitizer's runtime may start
// it later, and elsewhere.
void on_stack()
{
    std::vector<char> stack(65536);
    stack_t alternate = {}, none = {};
    alternate.ss_sp = stack.data();
    alternate.ss_size = stack.size();
    sigaltstack(&alternate, nullptr);
    struct sigaction action = {}, present = {};
    action.sa_handler = tick;
    action.sa_flags = SA_RESTART | SA_ONSTACK;
    sigaction(SIGALRM, &action, nullptr);
    sigaction(SIGALRM, nullptr, &present);
    printf("%d\n", present.sa_handler == tick);
    itimerval every = {{0, 1000}, {0, 1000}}, never = {};
    setitimer(ITIMER_REAL, &every, nullptr);
    unsigned long sum = 0;
    while (ticks < 10)
        sum = allocate_and_free(0, 500);
    setitimer(ITIMER_REAL, &never, nullptr);
    none.ss_flags = SS_DISABLE;
    sigaltstack(&none, nullptr);
    printf("%lu\n", sum);
}

// Which allocator it is, by what it alone has.
void allocator()
{
    burn_ns(5 * BRIEFLY);
    for (const char *name : {"mallctl", "tc_version", "__asan_init"})
        printf("%s %d\n", name, dlsym(RTLD_DEFAULT, name) != nullptr);
    using mallctl = int(const char *, void *, size_t *, void *, size_t);
    auto *ask = reinterpret_cast<mallctl *>(dlsym(RTLD_DEFAULT, "mallctl"));
    in_threads([ask](int) {
        uint64_t bytes = 0;
        size_t size = sizeof bytes;
        std::string some(10000, 'a');
        // All that this thread has allocated: nothing of ours is among it.
        if (ask != nullptr &&
            ask("thread.allocated", &bytes, &size, nullptr, 0))
            return 1ul;
        return bytes + some.size();
    });
}

} // namespace

int main(int argc, char **argv)
{
    static const struct host_case cases[] = {
        {"allocator", allocator}, {"brief_threads", brief_threads},
        {"children", children},   {"exceptions", exceptions},
        {"hand_over", hand_over}, {"heap", heap},
        {"on_stack", on_stack},   {"own_timer", own_timer},
    };
    return HOST_CASES(cases, argc, argv);
}
