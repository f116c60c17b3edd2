// URLs that are a permission.
#include "cloud/dataset/signed_url.h"

#include <gmock/gmock.h>

#include "tests/cloud/dataset/dataset_fixture.h"

namespace gleaner::cloud {
namespace {

TEST_F(DatasetTest, ASignedUrlOpensItsOwnFileForAWhile) {
  rig_.Fill(2, 1);
  ASSERT_TRUE(rig_.Freeze("first").ok());
  const auto made = rig_.Export("first", "coco");
  ASSERT_TRUE(made.ok()) << made.status();
  const std::string url = made->files(0).url();
  const std::string key = rig_.datasets->UrlKey().value();
  const auto check = [&](const std::string& path, const std::string& until, const std::string& by,
                         int64_t later_s) {
    HttpRequest request;
    request.path = path;
    request.query.emplace("until", until);
    request.query.emplace("by", by);
    std::string signed_path;
    return UrlSigner(key, rig_.clock.WallNs() + later_s * kNanosPerSecond)
        .Check(request, &signed_path);
  };
  const std::string path = url.substr(0, url.find('?'));
  const std::string until = std::to_string(made->files(0).url_until_unix_s());
  const std::string by = url.substr(url.find("by=") + 3);
  EXPECT_TRUE(check(path, until, by, 0).ok());
  EXPECT_TRUE(check(path, until, by, kSignedSeconds).ok());
  EXPECT_TRUE(absl::IsPermissionDenied(check(path, until, by, kSignedSeconds + 1)));
  EXPECT_TRUE(absl::IsPermissionDenied(check(path + "x", until, by, 0)));
  EXPECT_TRUE(absl::IsPermissionDenied(check(path, until + "0", by, 0)));
  EXPECT_TRUE(absl::IsPermissionDenied(check(path, until, "", 0)));
}

}  // namespace
}  // namespace gleaner::cloud
