// Every word that filters may use, from all rooms.
#pragma once

#include <deque>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "cloud/search/filter_word.h"

namespace gleaner::cloud {

// Words stay where they are. Reading is thread-safe once all were added.
class Vocabulary {
 public:
  Vocabulary() = default;
  Vocabulary(const Vocabulary&) = delete;
  Vocabulary& operator=(const Vocabulary&) = delete;

  // INVALID_ARGUMENT for a word that can't be one, or that is there already.
  absl::Status Add(std::vector<FilterWord> words);

  // Null where there is no such word in filters of that.
  const FilterWord* Find(std::string_view key, FilterOf of) const;
  // All that there are in filters of that, in the order in which they were added.
  std::vector<const FilterWord*> Words(FilterOf of) const;
  // "device, site, rule"
  std::string Keys(FilterOf of) const;
  // The key that was probably meant; empty where none comes near.
  std::string Nearest(std::string_view key, FilterOf of) const;

 private:
  absl::Status AddOne(FilterWord word);

  std::deque<FilterWord> words_;
};

}  // namespace gleaner::cloud
