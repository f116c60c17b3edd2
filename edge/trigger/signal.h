// A signal is a named series of values on the device's monotonic time: what detectors and sensors
// say, and what rules read.
#pragma once

#include <concepts>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

namespace gleaner::edge {

// Of a text; detectors and rules keep to it.
inline constexpr size_t kMaxSampleTextBytes = 256;

enum class SampleType : uint8_t { kNumber, kTruth, kText, kBoxes };

// A labelled part of a picture. Left, top, width and height are fractions of it, 0 to 1.
struct LabelledBox {
  std::string label;
  double score = 1;  // 0 to 1
  double x = 0;
  double y = 0;
  double width = 0;
  double height = 0;

  bool operator==(const LabelledBox&) const = default;
};

// What a signal says at one moment: a number, a truth, a text ("" says that there is none), or a
// set of labelled boxes.
class SampleValue {
 public:
  SampleValue(double number = 0) : value_(number) {}  // NOLINT(google-explicit-constructor)
  template <std::same_as<bool> T>
  SampleValue(T truth) : value_(truth) {}  // NOLINT(google-explicit-constructor)
  SampleValue(std::string text)            // NOLINT(google-explicit-constructor)
      : value_(std::move(text)) {}
  template <std::same_as<const char*> T>
  SampleValue(T text) : value_(std::string(text)) {}  // NOLINT(google-explicit-constructor)
  SampleValue(std::vector<LabelledBox> boxes)         // NOLINT(google-explicit-constructor)
      : value_(std::move(boxes)) {}

  SampleType type() const { return static_cast<SampleType>(value_.index()); }
  // A number; of a truth 0 or 1; NaN of all else.
  double number() const;
  // Empty, unless it is one.
  const std::string& text() const;
  const std::vector<LabelledBox>& boxes() const;

  bool operator==(const SampleValue&) const = default;

 private:
  std::variant<double, bool, std::string, std::vector<LabelledBox>> value_;  // as in SampleType
};

// The value holds from `monotonic_ns` until the next sample of the same signal.
struct SignalSample {
  // Qualified: "camera.<camera>.<signal>", for example "camera.front.motion". A rule may write just
  // "motion", which then means the greatest value over all cameras.
  std::string name;
  // Of the frame that it speaks of, however long it took to find out.
  int64_t monotonic_ns = 0;
  SampleValue value;
  // The value is stale, and the signal without a value, once it has held this long: a camera that
  // was lost in the middle of motion must not hold its rule true. 0: a value never goes stale.
  int64_t valid_ns = 0;
};

// What a signal's values can be, both ends included.
struct ValueRange {
  double min = -std::numeric_limits<double>::infinity();
  double max = std::numeric_limits<double>::infinity();
};

// A signal as all cameras have it.
struct SignalKind {
  std::string_view name;  // short: "motion", "barcode.count"
  SampleType type = SampleType::kNumber;
  ValueRange range;  // of a number
};

// What of a name is the signal's own: "motion" of "camera.front.motion", "weight" of
// "sensor.weight". A name that is neither a camera's nor a sensor's is its own.
std::string_view ShortSignalName(std::string_view name);

// A signal that there is.
struct SignalSource {
  SignalSource(const char* name) : name(name) {}  // NOLINT(google-explicit-constructor)
  SignalSource(std::string name, SampleType type = SampleType::kNumber, int64_t latency_ns = 0)
      : name(std::move(name)), type(type), latency_ns(latency_ns) {}  // NOLINT

  std::string name;  // qualified
  SampleType type = SampleType::kNumber;
  // A sample comes within this of its time. 0: before the next frame does.
  int64_t latency_ns = 0;
};

// Receives samples; per signal in order of time. Not thread-safe unless it says so.
class SampleSink {
 public:
  virtual ~SampleSink() = default;
  virtual void OnSample(const SignalSample& sample) = 0;
  // A camera has come to this time, and what detectors on its thread had to say of it has been
  // said.
  virtual void OnTime(int64_t /*monotonic_ns*/) {}
};

}  // namespace gleaner::edge
