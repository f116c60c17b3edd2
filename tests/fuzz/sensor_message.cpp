// A datagram of any program on the device that may write to the sensors' socket.
#include "edge/sensor/sensor_message.h"

#include <cmath>

#include "common/log.h"
#include "common/name.h"
#include "edge/sensor/sensor_intake.h"
#include "tests/fuzz/fuzz.h"

namespace gleaner::fuzz {
namespace {

// Samples are of what is configured, finite, and per signal in order of time.
class Sink : public edge::SampleSink {
 public:
  void OnSample(const edge::SignalSample& sample) override {
    REQUIRE(sample.name == "sensor.weight" || sample.name == "event.stop");
    REQUIRE(std::isfinite(sample.value.number()));
    int64_t& last = sample.name == "event.stop" ? stop_ns_ : weight_ns_;
    REQUIRE(sample.monotonic_ns >= last);
    last = sample.monotonic_ns;
  }

 private:
  int64_t weight_ns_ = 0, stop_ns_ = 0;
};

}  // namespace

std::vector<std::string> Seeds() {
  return {"weight 52.31",
          "weight -1e3 @999999999990",
          "stop",
          "stop @999999999999 !3",
          "location 52.5 13.4 @5 !1",
          "weight 1 2 3 4 5 6 7 8\n",
          "weight nan",
          "weight 1 @18446744073709551616",
          "weight 0x10 !-1"};
}

}  // namespace gleaner::fuzz

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace gleaner;  // NOLINT(google-build-using-namespace)
  spdlog::set_level(spdlog::level::off);
  const std::string text(fuzz::AsText(data, size));
  edge::SensorMessage message;
  const bool is_message = edge::ParseSensorMessage(text, &message);
  if (is_message) {
    ++fuzz::accepted;
    REQUIRE(IsName(message.name) && message.count <= edge::kMaxComponents);
    for (size_t i = 0; i < message.count; ++i) REQUIRE(std::isfinite(message.numbers[i]));
    REQUIRE(message.monotonic_ns >= -1);
  }
  FakeClock clock;
  fuzz::Sink sink;
  edge::SensorOptions weight{.name = "weight"}, stop{.name = "stop", .event = true};
  edge::SensorIntake intake({weight, stop}, sink, clock);
  intake.OnMessage(text);
  intake.OnMessage("weight 1");
  REQUIRE(fuzz::IsPlain(intake.problem()));
  REQUIRE(intake.stats()[0].taken >= 1);
  return 0;
}
