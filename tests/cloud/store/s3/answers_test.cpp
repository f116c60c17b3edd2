#include "cloud/store/s3/answers.h"

#include <gtest/gtest.h>

namespace gleaner::cloud::s3 {
namespace {

TEST(S3Answers, AListIsReadWithWhatComesAfterIt) {
  const auto page = ParseList(
      "<?xml version=\"1.0\" encoding=\"UTF-8\"?><ListBucketResult xmlns=\"http://s3.example\">"
      "<IsTruncated>true</IsTruncated><NextContinuationToken>n&amp;1</NextContinuationToken>"
      "<Contents><Key>a/1</Key><Size>4294967297</Size></Contents>"
      "<Contents><Key>a/2</Key><Size>0</Size></Contents></ListBucketResult>");
  ASSERT_TRUE(page.ok()) << page.status();
  ASSERT_EQ(page->objects.size(), 2u);
  EXPECT_EQ(page->objects[0].key, "a/1");
  EXPECT_EQ(page->objects[0].size, 4'294'967'297u);
  EXPECT_EQ(page->next, "n&1");
}

TEST(S3Answers, WhatIsNoListIsAnErrorAndNeverAnEmptyOne) {
  for (const char* text :
       {"", "<html>login</html>", "<ListBucketResult><IsTruncated>true</IsTruncated>",
        "<ListBucketResult><IsTruncated>true</IsTruncated></ListBucketResult>", "\x01\x02"}) {
    EXPECT_TRUE(absl::IsDataLoss(ParseList(text).status())) << text;
  }
}

TEST(S3Answers, AnErrorIsReadIfThereIsOneAndCutShort) {
  const ErrorAnswer error = ParseError("<Error><Code>SlowDown</Code><Message>" +
                                       std::string(1'000, 'x') + "</Message></Error>");
  EXPECT_EQ(error.code, "SlowDown");
  EXPECT_LE(error.message.size(), 200u);
  EXPECT_EQ(ParseError("").code, "");
  EXPECT_EQ(ParseError("<Other/>").code, "");
}

TEST(S3Answers, AnUploadWithoutAnIdIsAnError) {
  EXPECT_EQ(*ParseUploadId("<InitiateMultipartUploadResult><UploadId>2~x</UploadId>"
                           "</InitiateMultipartUploadResult>"),
            "2~x");
  EXPECT_TRUE(absl::IsDataLoss(ParseUploadId("<InitiateMultipartUploadResult/>").status()));
}

}  // namespace
}  // namespace gleaner::cloud::s3
