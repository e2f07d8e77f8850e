// Throws C++ exceptions through many frames while it is being watched.
#include <cstdio>
#include <exception>
#include <stdexcept>
#include <string>
#include <thread>

namespace
{

long destroyed;

struct Witness {
    ~Witness()
    {
        destroyed++;
    }
};

__attribute__((noipa)) int descend(int depth, int round)
{
    Witness witness;
    if (depth == 0) {
        if (round % 2)
            throw std::runtime_error(std::to_string(round));
        throw round;
    }
    return descend(depth - 1, round) + 1;
}

long catch_many(int rounds)
{
    long sum = 0;
    for (int round = 0; round < rounds; round++) {
        try {
            try {
                descend(12, round);
            } catch (const std::runtime_error &error) {
                sum += std::stol(error.what());
                throw; // once more, through the outer block
            } catch (int number) {
                sum += number;
            }
        } catch (const std::exception &) {
            sum++;
        }
    }
    return sum;
}

} // namespace

int main()
{
    long here = catch_many(60000);
    long there = 0;
    std::exception_ptr carried;
    std::thread thread([&] {
        there = catch_many(20000);
        try {
            descend(3, 1);
        } catch (...) {
            carried = std::current_exception();
        }
    });
    thread.join();
    try {
        std::rethrow_exception(carried);
    } catch (const std::exception &error) {
        std::printf("%ld %ld %ld %s\n", here, there, destroyed, error.what());
    }
    return 0;
}
