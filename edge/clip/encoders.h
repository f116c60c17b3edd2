// The encoders by name, for the registry in encoder.cpp alone. Each stands in a file of its own.
#pragma once

#include <memory>

#include "absl/status/statusor.h"
#include "edge/clip/encoder.h"

namespace gleaner::edge {

absl::StatusOr<std::unique_ptr<Encoder>> OpenNvenc(const EncoderSettings& settings);
absl::StatusOr<std::unique_ptr<Encoder>> OpenVaapi(const EncoderSettings& settings);
absl::StatusOr<std::unique_ptr<Encoder>> OpenV4l2M2m(const EncoderSettings& settings);
absl::StatusOr<std::unique_ptr<Encoder>> OpenQsv(const EncoderSettings& settings);
absl::StatusOr<std::unique_ptr<Encoder>> OpenOpenH264(const EncoderSettings& settings);
absl::StatusOr<std::unique_ptr<Encoder>> OpenX264(const EncoderSettings& settings);
absl::StatusOr<std::unique_ptr<Encoder>> OpenMpeg4(const EncoderSettings& settings);

}  // namespace gleaner::edge
