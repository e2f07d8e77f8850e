// Exceptions through several frames, with something to clean up in each.
#include "tests/profiler/unwind/corpus.h"

#include <stdexcept>
#include <string>
#include <vector>

namespace
{

struct Guard {
    uint64_t value;
    ~Guard()
    {
        corpus_leaf(value);
    }
};

__attribute__((noinline)) void fall(int depth)
{
    Guard guard{static_cast<uint64_t>(depth)};
    std::vector<std::string> words(3, "a word that is not short any more");
    if (depth == 0)
        throw std::runtime_error(words[1]);
    fall(depth - 1);
    corpus_leaf(words.size());
}

__attribute__((noinline)) void catch_and_throw()
{
    try {
        fall(2);
    } catch (const std::exception &error) {
        corpus_leaf(error.what()[0]);
        throw;
    }
}

} // namespace

void corpus_throw()
{
    try {
        catch_and_throw();
    } catch (...) {
        corpus_leaf(7);
    }
}
