// What a benchmark prints: one figure a line, as JSON (`--json`) or as a table row.
#pragma once

#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace gleaner::bench {

struct Figure {
  std::string bench;   // "spool"
  std::string figure;  // "mb_s"
  double value = 0;
  std::string unit;
  // The peer measured in the same run, alternating with ours, medians of both. Empty: no peer.
  std::string peer;
  double peer_value = 0;
  // For people and gates: ">= 0.8". On the ratio where there is a peer, else on the value. Empty:
  // no goal.
  std::string goal;
  // Of which of several: "postgres". May be empty.
  std::string of;
  // Of the ratio, 95 %.
  std::optional<std::pair<double, double>> interval = {};

  double ratio() const { return peer_value == 0 ? 0 : value / peer_value; }
};

double Median(std::vector<double> values);

// Reads --json from argv; prints as figures come.
class Reporter {
 public:
  Reporter(int argc, char** argv);
  void Add(const Figure& figure);

 private:
  bool json_ = false;
  bool head_ = false;
};

}  // namespace gleaner::bench
