#include "cloud/http/byte_range.h"

#include <gtest/gtest.h>

#include <limits>

namespace gleaner::cloud {
namespace {

using Kind = ByteRange::Kind;

void ExpectRange(std::string_view header, uint64_t size, Kind kind, uint64_t offset = 0,
                 uint64_t length = 0) {
  const ByteRange range = ParseRange(header, size);
  EXPECT_EQ(range.kind, kind) << header;
  if (kind == Kind::kPart) {
    EXPECT_EQ(range.offset, offset) << header;
    EXPECT_EQ(range.length, length) << header;
  }
}

TEST(ByteRange, ReadsTheThreeForms) {
  ExpectRange("bytes=0-0", 100, Kind::kPart, 0, 1);
  ExpectRange("bytes=10-19", 100, Kind::kPart, 10, 10);
  ExpectRange("bytes=90-", 100, Kind::kPart, 90, 10);
  ExpectRange("bytes=-5", 100, Kind::kPart, 95, 5);
}

TEST(ByteRange, EndsAtTheEndOfTheFile) {
  ExpectRange("bytes=50-1000", 100, Kind::kPart, 50, 50);
  ExpectRange("bytes=-1000", 100, Kind::kPart, 0, 100);
  ExpectRange("bytes=0-18446744073709551615", 100, Kind::kPart, 0, 100);
}

TEST(ByteRange, BeyondTheEndIsUnsatisfiable) {
  ExpectRange("bytes=100-", 100, Kind::kUnsatisfiable);
  ExpectRange("bytes=100-200", 100, Kind::kUnsatisfiable);
  ExpectRange("bytes=-0", 100, Kind::kUnsatisfiable);
  ExpectRange("bytes=0-", 0, Kind::kUnsatisfiable);
  ExpectRange("bytes=-1", 0, Kind::kUnsatisfiable);
}

TEST(ByteRange, WhatItDoesNotUnderstandMeansTheWhole) {
  for (const char* header : {"", "bytes=", "bytes=-", "bytes=a-b", "items=0-1", "bytes=5-2",
                             "bytes=0-1,5-6", "bytes=99999999999999999999-", "bytes= 1-2"}) {
    ExpectRange(header, 100, Kind::kWhole);
  }
}

}  // namespace
}  // namespace gleaner::cloud
