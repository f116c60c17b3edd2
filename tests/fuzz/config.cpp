// Any configuration file, read with every getter there is.
#include "common/config.h"

#include "tests/fuzz/config_text.h"

namespace gleaner::fuzz {
std::vector<std::string> Seeds() { return {}; }
}  // namespace gleaner::fuzz

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace gleaner;  // NOLINT(google-build-using-namespace)
  auto reader = ConfigReader::Parse(fuzz::AsText(data, size), fuzz::kPath);
  if (!reader.ok()) {
    fuzz::RequireMistakes(reader.status());
    return 0;
  }
  reader->String("text", "");
  const std::string needed = reader->RequiredString("needed");
  const int64_t whole = reader->Int("whole", 7, {-5, 1000});
  REQUIRE(whole >= -5 && whole <= 1000);
  const double number = reader->Number("number", 0.5, {-1, 1e6});
  REQUIRE(number >= -1 && number <= 1e6);
  reader->Bool("truth", false);
  REQUIRE(reader->Bytes("bytes", 1) >= 0);
  REQUIRE(reader->DurationNs("duration", 1) >= 0);
  const int64_t size_bytes = reader->Bytes("size", 4096, {1024, 1 << 20});
  REQUIRE(size_bytes >= 1024 && size_bytes <= 1 << 20);
  const int64_t span_ns = reader->DurationNs("span", 1'000'000, {1000, 1'000'000'000});
  REQUIRE(span_ns >= 1000 && span_ns <= 1'000'000'000);
  reader->Strings("list");
  ConfigReader table = reader->Table("table");
  table.Int("whole", 0);
  table.Table("inner").Bool("truth", true);
  for (ConfigReader& item : reader->Tables("item")) {
    if (item.String("name", "") == "bad") item.Error("name", "must not be bad");
  }

  const absl::Status status = reader->Finish();
  if (!status.ok()) return fuzz::RequireMistakes(status), 0;
  ++fuzz::accepted;
  REQUIRE(!needed.empty());
  return 0;
}
