// A library that is loaded, sampled, thrown through and closed.
#include "tests/programs/burn.h"

namespace
{

struct Witness {
    int *destroyed;
    ~Witness()
    {
        ++*destroyed;
    }
};

} // namespace

extern "C" __attribute__((noipa)) int host_loads_through(
    int depth, void (*end)(), int *destroyed)
{
    Witness witness{destroyed};
    for (int i = 0; i < 4; i++)
        (void)stir(static_cast<uint64_t>(i));
    if (depth == 0)
        end();
    else
        host_loads_through(depth - 1, end, destroyed);
    return *destroyed; // no tail call
}
