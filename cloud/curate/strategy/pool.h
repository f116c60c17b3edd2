// What strategies choose from: frames, and what is known of each. Plain data without a database, so
// that a benchmark and a test can make one.
#pragma once

#include <cstddef>
#include <cstdint>
#include <limits>
#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace gleaner::cloud {

// A word of Pool::words.
using Word = uint32_t;
inline constexpr Word kNoWord = std::numeric_limits<Word>::max();

// Words that many frames share, each kept once.
class Words {
 public:
  // kNoWord for an empty one.
  Word Add(std::string_view word);
  // "" for kNoWord.
  const std::string& operator[](Word word) const { return word == kNoWord ? empty_ : all_[word]; }
  size_t size() const { return all_.size(); }

 private:
  std::map<std::string, Word, std::less<>> numbers_;
  std::vector<std::string> all_;
  std::string empty_;
};

// What the run's model says of a frame: the two answers it holds most likely, and how likely.
struct Guess {
  Word first = kNoWord, second = kNoWord;
  float first_confidence = 0, second_confidence = 0;
  // Over all answers, in nats. Negative: only these two are known.
  float entropy = -1;

  bool known() const { return first != kNoWord; }
  float margin() const { return first_confidence - second_confidence; }
};

struct PoolFrame {
  std::string id;  // unique; where all else is equal, the smaller is chosen
  Word site = kNoWord, device = kNoWord, camera = kNoWord;
  int64_t taken_ns = 0;  // since 1970, UTC
  // Near-duplicates have the same; 0: alike to none.
  uint64_t cluster = 0;
  Guess guess;
  // Who made the guess, or what the reviewer was shown: for those that correct most.
  Word model = kNoWord;
  // What people said; a frame with a label is not chosen.
  bool labelled = false;
  // With a label, and not among what there is to choose from: it only says what is known.
  bool beyond = false;
  Word label = kNoWord;
  // A reviewer was shown a prediction and said otherwise; or left it as it was.
  bool reviewed = false, corrected = false;
};

struct Pool {
  static constexpr size_t kMaxFrames = 200'000;
  static constexpr size_t kMaxDimensions = 4096;

  Words words;
  std::vector<PoolFrame> frames;
  // Of each frame, `dimensions` numbers of length 1 together; all zeros: it has none. Empty: none
  // has.
  size_t dimensions = 0;
  std::vector<float> embeddings;

  bool HasEmbedding(size_t frame) const;
  const float* Embedding(size_t frame) const { return &embeddings[frame * dimensions]; }
  size_t CountLabelled() const;
};

}  // namespace gleaner::cloud
