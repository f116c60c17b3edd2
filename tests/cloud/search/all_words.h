// The words of filters that the server's rooms have.
#pragma once

#include <cstdlib>

#include "cloud/clips/clip_words.h"
#include "cloud/dataset/split_words.h"
#include "cloud/frames/frame_words.h"
#include "cloud/label/label_words.h"
#include "cloud/search/vocabulary.h"

namespace gleaner::cloud {

inline const Vocabulary& AllWords() {
  static const Vocabulary& words = [&]() -> const Vocabulary& {
    auto* all = new Vocabulary;
    for (auto&& room : {ClipWords(), FrameWords(), LabelWords(), SplitWords()}) {
      if (!all->Add(room).ok()) std::abort();
    }
    return *all;
  }();
  return words;
}

}  // namespace gleaner::cloud
