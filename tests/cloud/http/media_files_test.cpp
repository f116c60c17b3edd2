#include <gmock/gmock.h>

#include "tests/cloud/http/service_testing.h"

namespace gleaner::cloud {
namespace {

using testing::HasSubstr;
using testing::StartsWith;

class MediaFilesTest : public ServiceTest {
 protected:
  MediaFilesTest() {
    Start();
    id_ = AddClip(1);
  }
  httplib::Result Get(const std::string& name, const httplib::Headers& headers = {}) {
    return client_->Get("/media/" + id_ + "/" + name, headers);
  }
  std::string id_;
};

TEST_F(MediaFilesTest, ServesTheExactBytesWithTheirDigest) {
  const auto video = Get("video/0");
  ASSERT_EQ(video->status, 200);
  EXPECT_EQ(video->body, video_);
  EXPECT_EQ(video->get_header_value("ETag"), "\"" + Hex(AsBytes(Sha256::Of(video_))) + "\"");
  EXPECT_THAT(video->get_header_value("Cache-Control"), HasSubstr("immutable"));
  EXPECT_EQ(Get("preview")->body, preview_);
  EXPECT_EQ(Get("manifest")->body, manifest_);
}

TEST_F(MediaFilesTest, NeverBelievesADevicesContentType) {
  EXPECT_EQ(Get("video/0")->get_header_value("Content-Type"), "video/mp4");
  EXPECT_EQ(Get("preview")->get_header_value("Content-Type"), "image/jpeg");
  EXPECT_EQ(Get("preview")->get_header_value("X-Content-Type-Options"), "nosniff");
  EXPECT_EQ(Get("preview")->get_header_value("Content-Security-Policy"),
            "default-src 'none'; sandbox");
}

TEST_F(MediaFilesTest, ServesRanges) {
  struct {
    const char* header;
    size_t offset;
    size_t length;
  } const cases[] = {{"bytes=0-0", 0, 1},
                     {"bytes=262143-262145", 262143, 3},
                     {"bytes=700000-", 700000, 1},
                     {"bytes=-10", 699991, 10},
                     {"bytes=1-99999999", 1, 700000}};
  for (const auto& [header, offset, length] : cases) {
    const auto part = Get("video/0", {{"Range", header}});
    ASSERT_EQ(part->status, 206) << header;
    EXPECT_EQ(part->body, video_.substr(offset, length)) << header;
    EXPECT_EQ(part->get_header_value("Content-Range"),
              fmt::format("bytes {}-{}/700001", offset, offset + length - 1));
    EXPECT_EQ(part->get_header_value("Content-Length"), std::to_string(length));
  }
  const auto beyond = Get("video/0", {{"Range", "bytes=700001-"}});
  EXPECT_EQ(beyond->status, 416);
  EXPECT_EQ(beyond->get_header_value("Content-Range"), "bytes */700001");
  const auto several = Get("video/0", {{"Range", "bytes=0-1,5-6"}});
  EXPECT_EQ(several->status, 200);
  EXPECT_EQ(several->body.size(), video_.size());
}

TEST_F(MediaFilesTest, ARangeOfAnotherVersionGetsTheWhole) {
  const std::string etag = Get("video/0")->get_header_value("ETag");
  EXPECT_EQ(Get("video/0", {{"Range", "bytes=0-9"}, {"If-Range", etag}})->status, 206);
  EXPECT_EQ(Get("video/0", {{"Range", "bytes=0-9"}, {"If-Range", "\"other\""}})->status, 200);
  const auto same = Get("video/0", {{"If-None-Match", "\"x\", " + etag}});
  EXPECT_EQ(same->status, 304);
  EXPECT_EQ(same->body, "");
}

TEST_F(MediaFilesTest, HeadTellsTheSizeAndSendsNothing) {
  const auto head = client_->Head("/media/" + id_ + "/video/0");
  EXPECT_EQ(head->status, 200);
  EXPECT_EQ(head->get_header_value("Content-Length"), "700001");
  EXPECT_EQ(head->get_header_value("Accept-Ranges"), "bytes");
  EXPECT_EQ(head->body, "");
}

TEST_F(MediaFilesTest, DownloadNamesTheFileByTheClip) {
  EXPECT_EQ(Get("video/0?download")->get_header_value("Content-Disposition"),
            "attachment; filename=\"" + id_ + "-video-0.mp4\"");
  EXPECT_EQ(Get("video/0")->get_header_value("Content-Disposition"), "");
}

TEST_F(MediaFilesTest, ServesThumbnailsOnceThereAreSome) {
  EXPECT_EQ(Get("thumbnails/0")->status, 404);
  v1::MediaCheck check;
  check.set_state(v1::MediaCheck::STATE_OK);
  check.set_thumbnails(2);
  ASSERT_TRUE(
      RecordTestCheck(catalog_->database(), id_, check, {Put("first"), Put("second")}).ok());
  EXPECT_EQ(Get("thumbnails/1")->body, "second");
  EXPECT_EQ(Get("thumbnails/1")->get_header_value("Content-Type"), "image/jpeg");
  EXPECT_EQ(Get("thumbnails/2")->status, 404);
}

TEST_F(MediaFilesTest, WhatIsNotThereIs404) {
  for (const std::string& path :
       {"/media/" + id_ + "/video/1", "/media/" + id_ + "/samples", "/media/" + id_ + "/video",
        "/media/" + id_ + "/video/-1", "/media/" + id_ + "/video/99999999999999999999",
        "/media/" + id_ + "/../secret.txt", "/media/" + id_ + "/video/0/x",
        std::string("/media/00000000000000000000/preview"), std::string("/media/xyz/preview"),
        std::string("/media/"), std::string("/media/..%2f..%2fsecret.txt/preview")}) {
    const auto result = client_->Get(path);
    EXPECT_EQ(result->status, 404) << path;
    EXPECT_THAT(result->body, StartsWith("{\"code\":\"not_found\"")) << path;
  }
}

TEST_F(MediaFilesTest, AVanishedObjectCutsTheAnswerInsteadOfFillingIt) {
  const auto row = catalog_->clips.FindObject(id_, v1::ClipObject::KIND_VIDEO, 0);
  ASSERT_TRUE(blobs_->Remove(row->key).ok());
  const auto result = Get("video/0");
  EXPECT_FALSE(result) << "a whole answer of " << result->body.size() << " bytes";
  EXPECT_EQ(Get("preview")->status, 200);
}

}  // namespace
}  // namespace gleaner::cloud
