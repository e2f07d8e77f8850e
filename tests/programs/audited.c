/* Calls another library's function a few times, each by way of the loader. */
#include <unistd.h>

enum { CALLS = 30 };

__attribute__((noipa)) static int call(void)
{
    int sum = 0;
    for (int i = 0; i < CALLS; i++)
        sum += getppid() > 0;
    return sum;
}

int main(void)
{
    return call() == CALLS ? 0 : 1;
}
