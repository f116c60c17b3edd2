#include "cloud/model/worker/pixels.h"

#include <fmt/format.h>
#include <turbojpeg.h>

#include <memory>

#include "common/limits.h"

namespace gleaner::cloud::model {
namespace {

absl::Status Unreadable(std::string_view why) {
  return absl::InvalidArgumentError(fmt::format("the picture can't be read: {}", why));
}

}  // namespace

absl::StatusOr<Pixels> ReadJpeg(std::string_view jpeg, uint32_t width, uint32_t height, bool rgb) {
  const std::unique_ptr<void, decltype(&tjDestroy)> reader(tjInitDecompress(), tjDestroy);
  if (reader == nullptr) return absl::ResourceExhaustedError("no memory for a JPEG reader");
  const auto* bytes = reinterpret_cast<const unsigned char*>(jpeg.data());
  int wide = 0, high = 0, sampling = 0, colours = 0;
  if (tjDecompressHeader3(reader.get(), bytes, jpeg.size(), &wide, &high, &sampling, &colours) !=
      0) {
    return Unreadable(tjGetErrorStr2(reader.get()));
  }
  if (!PictureFits(wide, high)) {
    return Unreadable(fmt::format("it says that it has {}x{} pixels", wide, high));
  }
  int count = 0;
  const tjscalingfactor* factors = tjGetScalingFactors(&count);
  Pixels pixels{.width = wide, .height = high, .bytes = {}};
  for (int i = 0; i < count; ++i) {
    const int w = TJSCALED(wide, factors[i]);
    const int h = TJSCALED(high, factors[i]);
    if (w < pixels.width && w >= static_cast<int>(width) && h >= static_cast<int>(height)) {
      pixels.width = w;
      pixels.height = h;
    }
  }
  pixels.bytes.resize(size_t{3} * static_cast<size_t>(pixels.width) *
                      static_cast<size_t>(pixels.height));
  // A file of a few bytes may say that a scan is repeated without end.
  const int flags = TJFLAG_LIMITSCANS | TJFLAG_STOPONWARNING;
  if (tjDecompress2(reader.get(), bytes, jpeg.size(), pixels.bytes.data(), pixels.width, 0,
                    pixels.height, rgb ? TJPF_RGB : TJPF_BGR, flags) != 0) {
    return Unreadable(tjGetErrorStr2(reader.get()));
  }
  return pixels;
}

}  // namespace gleaner::cloud::model
