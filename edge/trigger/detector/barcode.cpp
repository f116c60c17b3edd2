#include "edge/trigger/detector/barcode.h"

#define ZX_USE_UTF8 1
#include <ZXing/ReadBarcode.h>
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <utility>

#include "common/log.h"
#include "common/text.h"
#include "edge/trigger/detector/registry.h"

namespace gleaner::edge {
namespace {

using ZXing::BarcodeFormat;
// Debian 13's renames it.
#if __has_include(<ZXing/ReaderOptions.h>)
using ReadOptions = ZXing::ReaderOptions;
#else
using ReadOptions = ZXing::DecodeHints;
#endif

constexpr IntRange kEveryRange = {100 * kNanosPerMilli, 10 * kNanosPerSecond};
constexpr IntRange kHoldRange = {0, 60 * kNanosPerSecond};
// Is written again while it stays, so that it doesn't go stale.
constexpr int64_t kRepeatNs = kNanosPerSecond;
// Keyframes may be as far apart.
constexpr int64_t kValidNs = 12 * kNanosPerSecond;
constexpr size_t kMaxTexts = 64;
// A linear code counts when so many lines through it say the same.
constexpr uint8_t kLeastLines = 3;

struct Format {
  std::string_view name;
  BarcodeFormat format;
};
constexpr std::array kFormats = {
    Format{"ean-13", BarcodeFormat::EAN13},     Format{"ean-8", BarcodeFormat::EAN8},
    Format{"upc-a", BarcodeFormat::UPCA},       Format{"upc-e", BarcodeFormat::UPCE},
    Format{"code-128", BarcodeFormat::Code128}, Format{"code-39", BarcodeFormat::Code39},
    Format{"itf", BarcodeFormat::ITF},          Format{"databar", BarcodeFormat::DataBar},
    Format{"qr", BarcodeFormat::QRCode},        Format{"data-matrix", BarcodeFormat::DataMatrix},
    Format{"pdf417", BarcodeFormat::PDF417},    Format{"aztec", BarcodeFormat::Aztec}};

const Format* FindFormat(std::string_view name) {
  const auto found = std::find_if(kFormats.begin(), kFormats.end(),
                                  [&](const Format& format) { return format.name == name; });
  return found == kFormats.end() ? nullptr : &*found;
}

uint32_t FlagsOf(const std::vector<std::string>& names) {
  uint32_t flags = 0;
  for (const std::string& name : names) {
    if (const Format* format = FindFormat(name)) flags |= static_cast<uint32_t>(format->format);
  }
  return flags;
}

ZXing::BarcodeFormats FormatsOf(uint32_t flags) {
  ZXing::BarcodeFormats formats;
  for (const Format& format : kFormats) {
    if ((flags & static_cast<uint32_t>(format.format)) != 0) formats |= format.format;
  }
  return formats;
}

}  // namespace

BarcodeDetector::Options BarcodeDetector::Options::Read(ConfigReader& reader) {
  Options options;
  options.every_ns = reader.DurationNs("every", options.every_ns, kEveryRange);
  options.hold_ns = reader.DurationNs("hold", options.hold_ns, kHoldRange);
  if (!reader.Has("formats")) return options;
  options.formats = reader.Strings("formats");
  for (const std::string& name : options.formats) {
    if (FindFormat(name) != nullptr) continue;
    std::vector<std::string_view> names;
    for (const Format& format : kFormats) names.push_back(format.name);
    reader.Error("formats", fmt::format("\"{}\" is not one of {}", name, fmt::join(names, ", ")));
  }
  if (options.formats.empty()) reader.Error("formats", "must name one at least");
  return options;
}

BarcodeDetector::BarcodeDetector(std::string_view camera, const Options& options, SampleSink& sink)
    : options_(options), formats_(FlagsOf(options.formats)), sink_(sink) {
  text_.name = SignalName(camera, kSignals[0].name);
  count_.name = SignalName(camera, kSignals[1].name);
  text_.valid_ns = kValidNs;
  count_.valid_ns = kValidNs;
  text_.value = std::string();
}

void BarcodeDetector::OnFormat(const VideoFormat& /*format*/, PacketWatch& /*sizes*/) {
  changed_.Reset();
  texts_.clear();
}

Need BarcodeDetector::need() const {
  return {.pictures = Need::Pictures::kKeyframes, .interval_ns = options_.every_ns, .size = {}};
}

void BarcodeDetector::OnPicture(const Picture& picture) {
  const int64_t now_ns = picture.frame.monotonic_ns;
  const std::vector<PicturePart> moving = changed_.Look(picture.frame.data);
  if (!moving.empty()) texts_ = Read(picture, moving);
  const auto still = std::find(texts_.begin(), texts_.end(), held_);
  if (!texts_.empty()) {
    // Of several the one that is there already, so that two in view don't take turns.
    if (still == texts_.end()) held_ = texts_.front();
    read_ns_ = now_ns;
  } else if (now_ns - read_ns_ >= options_.hold_ns) {
    held_.clear();
  }
  Write(text_, held_, now_ns);
  Write(count_, static_cast<double>(texts_.size()), now_ns);
}

std::vector<std::string> BarcodeDetector::Read(const Picture& picture,
                                               const std::vector<PicturePart>& moving) {
  const LumaPicture& luma = picture.luma;
  std::vector<std::string> texts;
  const auto read = [&](const PicturePart& part, bool carefully) {
    const auto left = static_cast<int>(part.x * luma.width);
    const auto top = static_cast<int>(part.y * luma.height);
    const int width = std::min(luma.width - left, static_cast<int>(part.width * luma.width) + 1);
    const int height = std::min(luma.height - top, static_cast<int>(part.height * luma.height) + 1);
    if (width <= 0 || height <= 0) return;
    const ZXing::ImageView view(luma.row(top) + left, width, height, ZXing::ImageFormat::Lum,
                                luma.stride);
    try {
      const auto result = ZXing::ReadBarcode(view, ReadOptions()
                                                       .setFormats(FormatsOf(formats_))
                                                       .setTryHarder(carefully)
                                                       .setMinLineCount(kLeastLines));
      if (!result.isValid()) return;
      std::string text = Shorten(ValidUtf8(result.text()), kMaxSampleTextBytes);
      if (text.empty() || texts.size() == kMaxTexts) return;
      if (std::find(texts.begin(), texts.end(), text) == texts.end()) {
        texts.push_back(std::move(text));
      }
    } catch (const std::exception& error) {
      LOG_WARN("{}: a picture couldn't be read: {}", text_.name, error.what());
    }
  };
  for (const PicturePart& part : moving) read(part, /*carefully=*/true);
  if (texts.empty()) read({.width = 1, .height = 1}, /*carefully=*/false);
  return texts;
}

void BarcodeDetector::Write(SignalSample& sample, SampleValue value, int64_t monotonic_ns) {
  const bool written = sample.monotonic_ns > 0;
  if (written && sample.value == value && monotonic_ns < sample.monotonic_ns + kRepeatNs) return;
  sample.value = std::move(value);
  sample.monotonic_ns = std::max(sample.monotonic_ns, monotonic_ns);
  sink_.OnSample(sample);
}

}  // namespace gleaner::edge
