// The C++ library at work: strings, streams, maps, sorting, regular
// expressions. A program whose stacks are of small functions in many places.
#include <algorithm>
#include <cstdio>
#include <map>
#include <regex>
#include <sstream>
#include <string>
#include <vector>

static std::string make_text(unsigned &seed)
{
    std::ostringstream out;
    for (int i = 0; i < 2000; i++) {
        seed = seed * 1103515245 + 12345;
        out << "key" << (seed >> 16) % 5000 << ' ';
    }
    return out.str();
}

int main()
{
    const std::regex pattern("([a-z]+)([0-9]+)x?");
    std::map<std::string, int> counts;
    unsigned seed = 1;
    long matched = 0;
    for (int round = 0; round < 1500; round++) {
        std::istringstream in(make_text(seed));
        std::vector<std::string> words;
        for (std::string word; in >> word; words.push_back(word))
            counts[word]++;
        std::sort(words.begin(), words.end());
        for (size_t i = 0; i < words.size(); i += 7) {
            std::smatch parts;
            if (std::regex_match(words[i], parts, pattern))
                matched += parts[2].length();
        }
    }
    std::printf("%zu %ld\n", counts.size(), matched);
}
