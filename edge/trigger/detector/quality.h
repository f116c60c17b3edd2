// "quality": can anybody see anything in what this camera sends? Three signals, from the brightness
// of a picture every few seconds:
//
//   quality.sharpness  how far the Laplacian of the picture, reduced to 640×360, spreads (its
//   standard
//                      deviation in steps of 255; Pech-Pacheco and others, "Diatom autofocusing in
//                      brightfield microscopy", ICPR 2000): 5 to 40 for a sharp picture of a scene
//                      with things in it, below 2 for one out of focus, 0 for a blank one
//   quality.exposure   the share of the picture that is burnt out less the share that is black:
//                      −1 in the dark, 0 as it should be, 1 in full glare
//   quality.blocked    true while the lens is covered or shows nothing: hardly any part of the
//                      picture has structure, three times in a row
//
// A keyframe every few seconds is enough for what changes by the hour; what is decoded for others
// is looked at instead where there is something. 0.5 ms a look at 720p.
#pragma once

#include <array>
#include <cstdint>
#include <string_view>

#include "common/clock.h"
#include "common/config.h"
#include "edge/trigger/detector/detector.h"

namespace gleaner::edge {

// What a look at one picture says; see above.
struct PictureQuality {
  double sharpness = 0;
  double exposure = 0;
  bool blank = false;  // hardly any part of it has structure
};
PictureQuality MeasureQuality(const LumaPicture& luma);

class QualityDetector : public Detector {
 public:
  static constexpr std::string_view kName = "quality";
  static constexpr std::array kSignals = {
      SignalKind{.name = "quality.sharpness", .type = SampleType::kNumber, .range = {0, 1020}},
      SignalKind{.name = "quality.exposure", .type = SampleType::kNumber, .range = {-1, 1}},
      SignalKind{.name = "quality.blocked", .type = SampleType::kTruth, .range = {0, 1}}};
  static constexpr int64_t kLatencyNs = 0;

  struct Options {
    // From one look to the next, at least.
    int64_t every_ns = 2 * kNanosPerSecond;

    static Options Read(ConfigReader& reader);
  };

  QualityDetector(std::string_view camera, const Options& options, SampleSink& sink);

  void OnFormat(const VideoFormat& format, PacketWatch& sizes) override;
  Need need() const override;
  void OnPicture(const Picture& picture) override;

 private:
  const Options options_;
  SampleSink& sink_;
  std::array<SignalSample, 3> samples_;  // as in kSignals, the newest
  int blank_ = 0;                        // pictures in a row
};

}  // namespace gleaner::edge
