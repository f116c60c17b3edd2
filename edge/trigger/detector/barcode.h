// "barcode": what a code in view says, as a text ("" for none), and "barcode.count", how many
// different ones were read in the last picture that was looked at.
//
// EAN, UPC, Code 128 and QR codes, and others by name, by ZXing-C++. A product that is carried
// through the picture is where something changes: those parts are read first, each by itself and
// with care, and the whole picture, quickly, only where they show nothing. A picture in which
// nothing has changed isn't read again: what was in view still is.
//
// It is shown what is decoded for motion, which runs beside it, up to four pictures a second, and
// keyframes while nothing moves. Reading takes 2 to 40 ms, so it has a thread of its own
// (off_thread.h). A hand or a blur that hides the code for a moment doesn't end it: see `hold`.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "common/clock.h"
#include "common/config.h"
#include "edge/trigger/detector/changed_parts.h"
#include "edge/trigger/detector/detector.h"

namespace gleaner::edge {

class BarcodeDetector : public Detector {
 public:
  static constexpr std::string_view kName = "barcode";
  static constexpr std::array kSignals = {
      SignalKind{.name = "barcode", .type = SampleType::kText, .range = {}},
      SignalKind{.name = "barcode.count", .type = SampleType::kNumber, .range = {0, 64}}};
  static constexpr int64_t kLatencyNs = 600 * kNanosPerMilli;
  // Without it nothing is decoded but keyframes.
  static constexpr std::string_view kLeansOn = "motion";

  struct Options {
    // From one picture that is read to the next, at least.
    int64_t every_ns = 250 * kNanosPerMilli;
    // How long a text stays after it was read last, while pictures come and don't show it.
    int64_t hold_ns = 500 * kNanosPerMilli;
    // As the configuration names them.
    std::vector<std::string> formats = {"ean-13", "ean-8", "upc-a", "upc-e", "code-128", "qr"};

    static Options Read(ConfigReader& reader);
  };

  BarcodeDetector(std::string_view camera, const Options& options, SampleSink& sink);

  void OnFormat(const VideoFormat& format, PacketWatch& sizes) override;
  Need need() const override;
  void OnPicture(const Picture& picture) override;

 private:
  // The different texts in a picture, those of moving parts first.
  std::vector<std::string> Read(const Picture& picture, const std::vector<PicturePart>& moving);
  void Write(SignalSample& sample, SampleValue value, int64_t monotonic_ns);

  const Options options_;
  const uint32_t formats_;  // ZXing's flags
  SampleSink& sink_;
  ChangedParts changed_;
  std::vector<std::string> texts_;  // of the last picture that was read
  std::string held_;                // the text of `text_`
  int64_t read_ns_ = 0;             // when it was read last
  SignalSample text_;
  SignalSample count_;
};

}  // namespace gleaner::edge
