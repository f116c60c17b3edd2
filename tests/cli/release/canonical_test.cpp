// Whoever signs and whoever verifies must mean the same bytes: ours and those of a canonicaliser
// that others wrote, of documents that nobody would write.
#include <fmt/format.h>
#include <gmock/gmock.h>

#include <fstream>
#include <random>

#include "common/file.h"
#include "common/tuf/bounds.h"
#include "common/tuf/document.h"
#include "tests/data/paths.h"
#include "tests/data/seed.h"
#include "tests/data/shell.h"
#include "tests/data/temporary_folder.h"

namespace gleaner::tuf {
namespace {

using nlohmann::json;

class Author {
 public:
  explicit Author(uint64_t seed) : random_(seed) {}

  // Some of it so nested, so named and so escaped that it is refused.
  std::string Document() {
    const json value = Value(0);
    return value.dump(Pick(3) == 0 ? 2 : -1, ' ', Pick(2) == 0);
  }

 private:
  size_t Pick(size_t below) { return random_() % below; }

  std::string Text() {
    static const std::vector<std::string> kPieces{
        "a",    "B",  "é",    "漢",       "😀",         "\uffee",      "\ue000", "\"", "\\",
        "\n",   "\t", "\x01", "\x7f",     "/",         "</",          "\u2028", "\r", "10",
        "9",    "-1", "",     " ",        "__proto__", "constructor", "{",      ":",  "\\u00e9",
        "\\\"", "'",  "\b",   "toString", "length",    "\u00a0",      "\ufeff"};
    std::string text;
    for (size_t pieces = Pick(4); pieces > 0; --pieces) text += kPieces[Pick(kPieces.size())];
    return text;
  }

  json Number() {
    static const std::vector<int64_t> kNumbers{0,           1,          -1,         kMaxNumber,
                                               -kMaxNumber, 2147483648, 4294967296, 1000000};
    if (Pick(2) == 0) return kNumbers[Pick(kNumbers.size())];
    return static_cast<int64_t>(random_() % (2 * static_cast<uint64_t>(kMaxNumber))) - kMaxNumber;
  }

  json Value(size_t depth) {
    switch (depth > 6 ? Pick(4) : Pick(7)) {
      case 0:
        return Number();
      case 1:
        return Text();
      case 2:
        return Pick(2) == 0;
      case 3:
        return nullptr;
      case 4: {
        json list = json::array();
        for (size_t i = Pick(5); i > 0; --i) list.push_back(Value(depth + 1));
        return list;
      }
      default: {
        json object = json::object();
        for (size_t i = Pick(6); i > 0; --i) object[Text()] = Value(depth + 1);
        return object;
      }
    }
  }

  std::mt19937_64 random_;
};

TEST(TufCanonical, IsTheSameAsThatOfTufJs) {
  constexpr size_t kDocuments = 5'000;
  const uint64_t seed = Seed(1);
  TemporaryFolder folder;
  Author author(seed);
  json documents = json::array();
  std::vector<std::string> ours;
  size_t refused = 0;
  while (ours.size() < kDocuments) {
    const std::string text = author.Document();
    const auto read = ParseDocument(text, "it");
    if (!read.ok()) {
      // The one thing in these that is refused.
      ASSERT_THAT(std::string(read.status().message()), testing::HasSubstr("sort differently"));
      ++refused;
      continue;
    }
    documents.push_back(text);
    ours.push_back(Canonical(*read));
  }
  EXPECT_LT(refused, kDocuments / 4);
  std::ofstream(folder / "documents") << documents.dump();
  const auto [status, said] =
      Shell(fmt::format("node {}/tests/cli/release/canonical.mjs {} {} 2>&1", SourceDir(),
                        folder / "documents", folder / "canonical"));
  ASSERT_EQ(status, 0) << said << "\n(npm --prefix third_party/npm ci brings what it needs)";
  const json theirs = json::parse(ReadFile(folder / "canonical", 256 << 20).value());
  ASSERT_EQ(theirs.size(), ours.size());
  for (size_t i = 0; i < ours.size(); ++i) {
    ASSERT_EQ(theirs[i].get<std::string>(), ours[i]) << documents[i];
  }
}

}  // namespace
}  // namespace gleaner::tuf
