#include "edge/camera/camera_notes.h"

#include <utility>

namespace gleaner::edge {

bool CameraNotes::Say(Kind kind, std::string text, int64_t now_ns) {
  Note& note = notes_[static_cast<size_t>(kind)];
  const bool is_new = note.until_ns < now_ns;
  note = {std::move(text), now_ns + kProblemShownNs};
  return is_new;
}

std::string CameraNotes::Sentence(int64_t now_ns) const {
  std::string sentence;
  for (const Note& note : notes_) {
    if (note.until_ns < now_ns || note.text.empty()) continue;
    if (!sentence.empty()) sentence += "; ";
    sentence += note.text;
  }
  return sentence;
}

}  // namespace gleaner::edge
