// What is quoted in logs and on terminals: whatever it was, it is one line of text that hides
// nothing and drives nothing.
#include "common/printable.h"

#include <google/protobuf/stubs/common.h>

#include "tests/fuzz/fuzz.h"

namespace gleaner::fuzz {

std::vector<std::string> Seeds() {
  return {"clip 7: 320×180 größe カメラ", "a\nb\r\tc\x1b[2J\x7f",
          "\xc2\x9b\xe2\x80\xae\xff\xf4\x8f\xbf\xbf", "\xe0\x80\x8a\xed\xa0\x80\xc0\x8a"};
}

}  // namespace gleaner::fuzz

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace gleaner;  // NOLINT(google-build-using-namespace)
  const std::string_view text = fuzz::AsText(data, size);
  const std::string shown = Printable(text);
  REQUIRE(fuzz::IsPlain(shown));
  REQUIRE(google::protobuf::internal::IsStructurallyValidUTF8(shown.data(),
                                                              static_cast<int>(shown.size())));
  REQUIRE(Printable(shown) == shown);
  REQUIRE(shown.size() >= text.size() || shown.empty());
  if (shown == text) ++fuzz::accepted;
  return 0;
}
