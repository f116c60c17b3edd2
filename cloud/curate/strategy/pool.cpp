#include "cloud/curate/strategy/pool.h"

#include <algorithm>

namespace gleaner::cloud {

Word Words::Add(std::string_view word) {
  if (word.empty()) return kNoWord;
  const auto found = numbers_.find(word);
  if (found != numbers_.end()) return found->second;
  const Word number = static_cast<Word>(all_.size());
  numbers_.emplace(word, number);
  all_.emplace_back(word);
  return number;
}

bool Pool::HasEmbedding(size_t frame) const {
  if (dimensions == 0 || embeddings.empty()) return false;
  const float* row = Embedding(frame);
  return std::any_of(row, row + dimensions, [](float value) { return value != 0; });
}

size_t Pool::CountLabelled() const {
  return static_cast<size_t>(
      std::count_if(frames.begin(), frames.end(), [](const PoolFrame& f) { return f.labelled; }));
}

}  // namespace gleaner::cloud
