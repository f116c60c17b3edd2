// The peer: the same questions in SQL written by hand for one database, over its own C library,
// every statement prepared once and every column read.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

namespace gleaner::bench {

// Values are bound in their order.
struct HandQuery {
  std::string text;  // with $1, $2, …, each once and in order
  std::vector<std::string> values;
  std::vector<bool> is_number;  // as long as `values`
};

class HandSql {
 public:
  virtual ~HandSql() = default;
  // In one snapshot; the number of rows of all together. Throws std::runtime_error.
  virtual uint64_t Run(const std::vector<HandQuery>& queries) = 0;
};

std::unique_ptr<HandSql> OpenSqliteByHand(const std::string& path);
std::unique_ptr<HandSql> OpenPostgresByHand(const std::string& uri);

}  // namespace gleaner::bench
