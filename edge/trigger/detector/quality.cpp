#include "edge/trigger/detector/quality.h"

#include <algorithm>
#include <array>
#include <cmath>

#include "edge/trigger/detector/registry.h"

namespace gleaner::edge {
namespace {

constexpr PictureSize kSize{640, 360};
constexpr IntRange kEveryRange = {kNanosPerSecond / 2, 600 * kNanosPerSecond};

// Luma of video range is 16 to 235.
constexpr uint8_t kBlack = 24;
constexpr uint8_t kBurnt = 232;

// The picture in tiles of this many cells a side; one has structure when its brightness spreads
// further than the noise of a dark picture does.
constexpr int kTile = 40;
constexpr double kStructure = 5;
// A blocked lens still has a bright corner.
constexpr double kBlankShare = 0.9;
constexpr int kBlankLooks = 3;

// A value is stale when so many looks were missed.
constexpr int64_t kMissedLooks = 4;

struct Spread {
  int64_t count = 0;
  int64_t sum = 0;
  int64_t squares = 0;

  void Add(int value) {
    ++count;
    sum += value;
    squares += static_cast<int64_t>(value) * value;
  }
  double Deviation() const {
    if (count == 0) return 0;
    const double n = static_cast<double>(count);
    const double mean = static_cast<double>(sum) / n;
    return std::sqrt(std::max(0.0, static_cast<double>(squares) / n - mean * mean));
  }
};

double Sharpness(const LumaPicture& luma) {
  Spread laplacian;
  for (int y = 1; y + 1 < luma.height; ++y) {
    const uint8_t* above = luma.row(y - 1);
    const uint8_t* row = luma.row(y);
    const uint8_t* below = luma.row(y + 1);
    for (int x = 1; x + 1 < luma.width; ++x) {
      laplacian.Add(4 * row[x] - row[x - 1] - row[x + 1] - above[x] - below[x]);
    }
  }
  return laplacian.Deviation();
}

double Exposure(const LumaPicture& luma) {
  int64_t black = 0;
  int64_t burnt = 0;
  for (int y = 0; y < luma.height; ++y) {
    const uint8_t* row = luma.row(y);
    for (int x = 0; x < luma.width; ++x) {
      black += row[x] < kBlack;
      burnt += row[x] > kBurnt;
    }
  }
  return static_cast<double>(burnt - black) / (static_cast<double>(luma.width) * luma.height);
}

// A picture smaller than a tile is one.
bool IsBlank(const LumaPicture& luma) {
  int tiles = 0;
  int blank = 0;
  for (int top = 0; top == 0 || top + kTile <= luma.height; top += kTile) {
    for (int left = 0; left == 0 || left + kTile <= luma.width; left += kTile) {
      Spread spread;
      for (int y = top; y < std::min(top + kTile, luma.height); ++y) {
        for (int x = left; x < std::min(left + kTile, luma.width); ++x) spread.Add(luma.row(y)[x]);
      }
      ++tiles;
      blank += spread.Deviation() < kStructure;
    }
  }
  return blank >= kBlankShare * tiles;
}

}  // namespace

PictureQuality MeasureQuality(const LumaPicture& luma) {
  return {Sharpness(luma), Exposure(luma), IsBlank(luma)};
}

QualityDetector::Options QualityDetector::Options::Read(ConfigReader& reader) {
  Options options;
  options.every_ns = reader.DurationNs("every", options.every_ns, kEveryRange);
  return options;
}

QualityDetector::QualityDetector(std::string_view camera, const Options& options, SampleSink& sink)
    : options_(options), sink_(sink) {
  for (size_t i = 0; i < kSignals.size(); ++i) {
    samples_[i].name = SignalName(camera, kSignals[i].name);
  }
}

void QualityDetector::OnFormat(const VideoFormat& /*format*/, PacketWatch& /*sizes*/) {
  blank_ = 0;
}

Need QualityDetector::need() const {
  return {.pictures = Need::Pictures::kKeyframes, .interval_ns = options_.every_ns, .size = kSize};
}

void QualityDetector::OnPicture(const Picture& picture) {
  const PictureQuality quality = MeasureQuality(picture.luma);
  blank_ = quality.blank ? std::min(blank_ + 1, kBlankLooks) : 0;
  const std::array<SampleValue, 3> values = {quality.sharpness, quality.exposure,
                                             blank_ == kBlankLooks};
  for (size_t i = 0; i < samples_.size(); ++i) {
    SignalSample& sample = samples_[i];
    // Keyframes may be far apart: as far as they were last.
    const int64_t since_ns = picture.frame.monotonic_ns - sample.monotonic_ns;
    sample.valid_ns =
        kMissedLooks * std::clamp(since_ns, options_.every_ns, int64_t{60} * kNanosPerSecond);
    sample.monotonic_ns = std::max(sample.monotonic_ns, picture.frame.monotonic_ns);
    sample.value = values[i];
    sink_.OnSample(sample);
  }
}

}  // namespace gleaner::edge
