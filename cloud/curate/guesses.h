// What a prediction amounts to for those who choose: the two likeliest answers.
#pragma once

#include <string>

#include "cloud/curate/strategy/pool.h"
#include "gleaner/v1/annotation.pb.h"

namespace gleaner::cloud {

// Of a frame with boxes the doubt of its most doubtful box: boxes of the same thing (that overlap
// by half or more) are answers to the same question, and "nothing" is another one, as likely as the
// best of them isn't. Boxes below kLeastConfidence are no answers.
inline constexpr double kLeastConfidence = 0.05;
Guess GuessOf(const v1::LabelSchema& schema, const v1::Annotation& annotation, Words& words);

// The class that a label is mostly of: "nothing" where it says that nothing is there; empty for
// schemas without classes.
std::string ClassOf(const v1::LabelSchema& schema, const v1::Annotation& annotation);

}  // namespace gleaner::cloud
