#include "tests/bench/figure.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstdio>
#include <nlohmann/json.hpp>
#include <string_view>

namespace gleaner::bench {

double Median(std::vector<double> values) {
  if (values.empty()) return 0;
  std::sort(values.begin(), values.end());
  const size_t middle = values.size() / 2;
  return values.size() % 2 == 1 ? values[middle] : (values[middle - 1] + values[middle]) / 2;
}

Reporter::Reporter(int argc, char** argv) {
  for (int i = 1; i < argc; ++i) json_ = json_ || std::string_view(argv[i]) == "--json";
}

void Reporter::Add(const Figure& figure) {
  if (json_) {
    nlohmann::ordered_json line = {{"bench", figure.bench},
                                   {"figure", figure.figure},
                                   {"value", figure.value},
                                   {"unit", figure.unit}};
    if (!figure.of.empty()) line["of"] = figure.of;
    if (!figure.peer.empty()) {
      line["peer"] = figure.peer;
      line["peer_value"] = figure.peer_value;
      line["ratio"] = figure.ratio();
    }
    if (figure.interval) {
      line["ratio_low"] = figure.interval->first;
      line["ratio_high"] = figure.interval->second;
    }
    if (!figure.goal.empty()) line["goal"] = figure.goal;
    fmt::print("{}\n", line.dump());
  } else {
    if (!head_) {
      fmt::print("{:<8} {:<24} {:>12} {:<12} {:<26} {:>12} {:>8}  {}\n", "bench", "figure", "value",
                 "unit", "peer", "peer value", "ratio", "goal");
      head_ = true;
    }
    fmt::print("{:<8} {:<24} {:>12.4g} {:<12} {:<26} {:>12} {:>8}  {}\n", figure.bench,
               figure.of.empty() ? figure.figure : figure.figure + " of " + figure.of, figure.value,
               figure.unit, figure.peer,
               figure.peer.empty() ? "" : fmt::format("{:.4g}", figure.peer_value),
               figure.peer.empty() ? "" : fmt::format("{:.3f}", figure.ratio()), figure.goal);
    if (figure.interval) {
      fmt::print("{:98}[{:.3f}, {:.3f}]\n", "", figure.interval->first, figure.interval->second);
    }
  }
  std::fflush(stdout);
}

}  // namespace gleaner::bench
