// What watching costs and what it finds.
//
//   bench_watch [--json] [--recall | --cost]
//
// Cost: the daemon on a quiet 720p stream of 30 frames a second with a ten-second pre-roll, taking
// turns with `motion`, at the stream's own pace. Recall: the rule "motion > 0.02" on real footage
// against decoding every frame. The streams are made on the first run (a minute) and kept.
#include <cstdio>
#include <exception>
#include <string_view>
#include <vector>

#include "tests/bench/figure.h"
#include "tests/bench/watch/cost.h"
#include "tests/bench/watch/recall.h"
#include "tests/edge/trigger/streams.h"

namespace gleaner::bench {
namespace {

constexpr int kRounds = 2;

void ReportCost(Reporter& report) {
  const std::string stream = edge::Stream("quiet-720p");
  std::vector<double> ours, motion, ours_rss, motion_rss, start, decode;
  for (int round = 0; round < kRounds; ++round) {
    const Cost daemon = MeasureDaemon(stream);
    ours.push_back(daemon.cpu_ms_per_frame);
    ours_rss.push_back(daemon.rss_mb);
    start.push_back(daemon.start_s);
    const Cost peer = MeasureMotion(stream);
    motion.push_back(peer.cpu_ms_per_frame);
    motion_rss.push_back(peer.rss_mb);
    decode.push_back(DecodeCpuMsPerFrame(stream));
  }
  report.Add({"watch", "cpu_ms_per_frame", Median(ours), "ms", "motion", Median(motion), "<= 0.1"});
  report.Add({"watch", "cpu_ms_per_frame", Median(ours), "ms", "decode_only", Median(decode), ""});
  // The goal is on our own megabytes, so the peer's stand in a line of their own.
  report.Add({"watch", "rss_mb", Median(ours_rss), "MB", "", 0, "<= 60"});
  report.Add(
      {"watch", "rss_mb_vs_motion", Median(ours_rss), "MB", "motion", Median(motion_rss), ""});
  report.Add({"watch", "start_s", Median(start), "s", "", 0, "<= 0.5"});
}

void ReportRecall(Reporter& report) {
  const Recall recall = MeasureRecall();
  report.Add({"watch", "recall", static_cast<double>(recall.found), "events",
              "full_decode_difference", static_cast<double>(recall.events), ">= 0.98"});
  report.Add({"watch", "false_events", static_cast<double>(recall.false_events), "events",
              "full_decode_difference", static_cast<double>(recall.false_of_peer), "<= 1"});
  report.Add({"watch", "wake_delay_s", recall.median_delay_s, "s", "", 0, ""});
  report.Add({"watch", "wake_delay_worst_s", recall.worst_delay_s, "s", "", 0, ""});
}

}  // namespace
}  // namespace gleaner::bench

int main(int argc, char** argv) {
  bool cost = true;
  bool recall = true;
  for (int i = 1; i < argc; ++i) {
    if (std::string_view(argv[i]) == "--recall") cost = false;
    if (std::string_view(argv[i]) == "--cost") recall = false;
  }
  try {
    gleaner::bench::Reporter report(argc, argv);
    if (recall) gleaner::bench::ReportRecall(report);
    if (cost) gleaner::bench::ReportCost(report);
  } catch (const std::exception& error) {
    std::fprintf(stderr, "bench_watch: %s\n", error.what());
    return 1;
  }
  return 0;
}
