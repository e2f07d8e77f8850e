// watchfire.h is for C++ as well.
#include "profiler/agent/watchfire.h"

int main()
{
    wf_transaction request;
    wf_transaction_start(&request, "from C++", "task");
    wf_span part;
    wf_span_start(&part, &request, nullptr, "part", "one");
    wf_span_finish(&part);
    wf_transaction_finish(&request);
    return 0;
}
