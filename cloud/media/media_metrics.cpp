#include "cloud/media/media_metrics.h"

#include <string>

#include "cloud/search/media_word.h"

namespace gleaner::cloud {
namespace {

using v1::MediaCheck;

const prometheus::Histogram::BucketBoundaries kBuckets = {0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60};

prometheus::Labels LabelsOf(MediaCheck::State state, MediaCheck::Reason reason) {
  const std::string word = ReasonWord(reason);
  return {{"result", state == MediaCheck::STATE_OK ? "ok" : "failed"},
          {"reason", word.empty() ? "none" : word}};
}

}  // namespace

MediaMetrics::MediaMetrics()
    : checks_(prometheus::BuildCounter()
                  .Name("gleaner_media_checks_total")
                  .Help("Clips decoded by the sandboxed worker since the server started, by "
                        "result and reason.")
                  .Register(registry_)),
      seconds_(prometheus::BuildHistogram()
                   .Name("gleaner_media_check_duration_seconds")
                   .Help("Time to decode and check a clip.")
                   .Register(registry_)
                   .Add({}, kBuckets)) {
  // All are there from the beginning, so that a first failure is a change.
  checks_.Add(LabelsOf(MediaCheck::STATE_OK, MediaCheck::REASON_UNSPECIFIED));
  checks_.Add(LabelsOf(MediaCheck::STATE_OK, MediaCheck::REASON_DAMAGED_FRAMES));
  for (int reason = 1; reason <= MediaCheck::Reason_MAX; ++reason) {
    if (reason == MediaCheck::REASON_CANCELLED) continue;  // nothing was decoded
    checks_.Add(LabelsOf(MediaCheck::STATE_FAILED, static_cast<MediaCheck::Reason>(reason)));
  }
}

void MediaMetrics::Count(const MediaCheck& verdict, double seconds) {
  checks_.Add(LabelsOf(verdict.state(), verdict.reason())).Increment();
  seconds_.Observe(seconds);
}

}  // namespace gleaner::cloud
