#include "cloud/search/vocabulary.h"

#include <fmt/format.h>

#include <algorithm>
#include <numeric>

#include "common/status.h"

namespace gleaner::cloud {
namespace {

constexpr size_t kMaxKeyBytes = 24;

// How many letters have to be changed, left out, put in or swapped with their neighbour.
size_t Distance(std::string_view a, std::string_view b) {
  std::vector<size_t> before(b.size() + 1), last(b.size() + 1), row(b.size() + 1);
  std::iota(last.begin(), last.end(), size_t{0});
  for (size_t i = 1; i <= a.size(); ++i) {
    row[0] = i;
    for (size_t j = 1; j <= b.size(); ++j) {
      row[j] =
          std::min({last[j] + 1, row[j - 1] + 1, last[j - 1] + (a[i - 1] == b[j - 1] ? 0 : 1)});
      if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1]) {
        row[j] = std::min(row[j], before[j - 2] + 1);
      }
    }
    before.swap(last);
    last.swap(row);
  }
  return last[b.size()];
}

}  // namespace

absl::Status Vocabulary::AddOne(FilterWord word) {
  const bool letters =
      std::all_of(word.key.begin(), word.key.end(), [](char c) { return c >= 'a' && c <= 'z'; });
  // These mean something to whoever reads a filter.
  const bool taken = word.key == "or" || word.key == "and" || word.key == "not";
  const bool checks = word.value == FilterWord::Value::kOneOf  ? !word.one_of.empty()
                      : word.value == FilterWord::Value::kText ? bool(word.wrong)
                                                               : true;
  if (word.key.empty() || word.key.size() > kMaxKeyBytes || !letters || taken || !checks ||
      !word.condition || word.help.empty() || word.example.empty() || word.most_values == 0) {
    return absl::InvalidArgumentError(fmt::format("\"{}\" can't be a word of filters", word.key));
  }
  for (const FilterWord& other : words_) {
    if (other.key == word.key && other.about == word.about) {
      return absl::InvalidArgumentError(
          fmt::format("two rooms have the word \"{}\" for filters", word.key));
    }
  }
  words_.push_back(std::move(word));
  return absl::OkStatus();
}

absl::Status Vocabulary::Add(std::vector<FilterWord> words) {
  for (FilterWord& word : words) RETURN_IF_ERROR(AddOne(std::move(word)));
  return absl::OkStatus();
}

const FilterWord* Vocabulary::Find(std::string_view key, FilterOf of) const {
  const FilterWord* found = nullptr;
  for (const FilterWord& word : words_) {
    if (word.key != key) continue;
    if (word.about == of) return &word;
    if (of == FilterOf::kFrames) found = &word;
  }
  return found;
}

std::vector<const FilterWord*> Vocabulary::Words(FilterOf of) const {
  std::vector<const FilterWord*> words;
  for (const FilterWord& one : words_) {
    const FilterWord* word = Find(one.key, of);
    if (word != nullptr && std::find(words.begin(), words.end(), word) == words.end()) {
      words.push_back(word);
    }
  }
  return words;
}

std::string Vocabulary::Keys(FilterOf of) const {
  std::string keys;
  for (const FilterWord* word : Words(of)) keys += (keys.empty() ? "" : ", ") + word->key;
  return keys;
}

std::string Vocabulary::Nearest(std::string_view key, FilterOf of) const {
  std::string nearest;
  // Up to a third of its letters, or what is meant is anybody's guess.
  size_t least = std::min<size_t>(2, key.size() / 3) + 1;
  if (key.size() > kMaxKeyBytes) return nearest;
  for (const FilterWord* word : Words(of)) {
    const size_t distance = Distance(key, word->key);
    if (distance >= least) continue;
    least = distance;
    nearest = word->key;
  }
  return nearest;
}

}  // namespace gleaner::cloud
