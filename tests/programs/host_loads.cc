// Libraries that come and go, and exceptions, in several threads at once:
// host_loads CASE.
#include <dlfcn.h>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include "tests/programs/host_case.h"

namespace
{

constexpr int THREADS = 3;
const char *const paths[THREADS] = {
    HOST_LOADS_FIRST, HOST_LOADS_SECOND, HOST_LOADS_THIRD};

template <typename Work> void in_threads(Work work)
{
    long results[THREADS] = {};
    std::vector<std::thread> threads;
    for (int i = 0; i < THREADS; i++)
        threads.emplace_back([&results, work, i] { results[i] = work(i); });
    for (int i = 0; i < THREADS; i++) {
        threads[static_cast<size_t>(i)].join();
        printf("%ld\n", results[i]);
    }
}

void leave()
{
    throw std::runtime_error("out");
}

void stay()
{
}

using through = int(int, void (*)(), int *);

// The counts of what was destroyed and caught; -1: it could not be loaded.
long load_and_throw(const char *path)
{
    int destroyed = 0, caught = 0;
    for (int round = 0; round < 60; round++) {
        void *library = dlopen(path, RTLD_NOW | RTLD_LOCAL);
        if (library == nullptr)
            return -1;
        auto *call =
            reinterpret_cast<through *>(dlsym(library, "host_loads_through"));
        try {
            call(6, round % 3 != 0 ? leave : stay, &destroyed);
        } catch (const std::runtime_error &) {
            caught++;
        }
        if (dlclose(library) != 0)
            return -1;
    }
    return 1000L * caught + destroyed;
}

// All load the same one, whose count of users goes up and down.
void one_library()
{
    in_threads([](int) { return load_and_throw(paths[0]); });
}

// Each has its own, which goes away every time.
void own_libraries()
{
    in_threads([](int i) { return load_and_throw(paths[i]); });
}

__attribute__((noipa)) int throw_from(int depth, int round)
{
    std::string witness(32, 'x');
    if (depth == 0)
        throw round;
    return throw_from(depth - 1, round) + static_cast<int>(witness.size());
}

// Some 100 000 a second in each thread.
void exceptions()
{
    in_threads([](int) {
        long sum = 0;
        for (int round = 0; round < 20000; round++) {
            try {
                sum += throw_from(round % 4, round);
            } catch (int number) {
                sum += number;
            }
        }
        return sum;
    });
}

} // namespace

int main(int argc, char **argv)
{
    static const struct host_case cases[] = {
        {"exceptions", exceptions},
        {"one_library", one_library},
        {"own_libraries", own_libraries},
    };
    return HOST_CASES(cases, argc, argv);
}
