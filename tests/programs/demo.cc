// Something worth a compiler's while: what tools/demo watches g++ compile.
#include <algorithm>
#include <cctype>
#include <iostream>
#include <iterator>
#include <map>
#include <numeric>
#include <ranges>
#include <regex>
#include <string>
#include <vector>

namespace
{

using Counts = std::map<std::string, int>;

Counts count_words(const std::string &text)
{
    static const std::regex word("([[:alpha:]]+)('[[:alpha:]]+)?");
    Counts counts;
    for (std::sregex_iterator at(text.begin(), text.end(), word), end;
         at != end; ++at)
        ++counts[(*at)[1].str()];
    return counts;
}

auto frequent(const Counts &counts, int at_least)
{
    auto kept = counts | std::views::filter([=](auto &pair) {
                    return pair.second >= at_least;
                });
    std::vector<std::pair<std::string, int>> sorted(kept.begin(), kept.end());
    std::ranges::sort(sorted, std::greater{}, [](auto &pair) {
        return std::pair(pair.second, pair.first);
    });
    return sorted;
}

std::string shout(const std::string &text)
{
    std::string loud;
    std::ranges::transform(text, std::back_inserter(loud), [](unsigned char c) {
        return static_cast<char>(std::toupper(c));
    });
    return std::regex_replace(loud, std::regex("\\s+"), " ");
}

} // namespace

int main()
{
    std::string text(std::istreambuf_iterator<char>(std::cin), {});
    auto counts = count_words(shout(text));
    auto values = counts | std::views::values;
    for (auto &[word, count] : frequent(counts, 2) | std::views::take(20))
        std::cout << count << ' ' << word << '\n';
    std::cout << std::accumulate(values.begin(), values.end(), 0) << '\n';
}
