#include "cloud/frames/pictures.h"

#include <gmock/gmock.h>

#include <filesystem>
#include <fstream>
#include <thread>

#include "cloud/frames/frame_files.h"
#include "cloud/media/frame_times.h"
#include "common/status.h"
#include "frames_testing.h"

namespace gleaner::cloud {
namespace {

using testing::HasSubstr;

class PicturesTest : public FramesRig {
 protected:
  PicturesTest() : clip_(AddClip({})), times_(media::FrameTimes(track_)) {}

  Pictures::Options Options() {
    return {.program = BinDir() + "/gleaner-media",
            .cpu_ns = 20 * kNanosPerSecond,
            .folder = folder_ / "pictures",
            .cache_bytes = 10 << 20};
  }
  // The worker, which says in a file that it ran, and waits for another before it does.
  std::string Counted(const std::string& gate = "") {
    return Impostor("echo x >> " + folder_ / "runs" + "\n" +
                    (gate.empty() ? "" : "while [ ! -e " + gate + " ]; do sleep 0.01; done\n") +
                    "exec " + BinDir() + "/gleaner-media");
  }
  size_t Runs() {
    const auto said = ReadFile(folder_ / "runs", 1 << 20);
    return said.ok() ? said->size() / 2 : 0;
  }
  FrameName Frame(size_t n) { return {.clip = clip_, .camera = "front", .pts = times_.at(n)}; }

  const std::string clip_;
  const std::vector<int64_t> times_;
};

TEST_F(PicturesTest, APictureIsDecodedOnceAndThenFromTheCache) {
  auto options = Options();
  options.program = Counted();
  Pictures pictures(frames_, *blobs_, options);
  const auto first = pictures.Get(Frame(20));
  ASSERT_TRUE(first.ok()) << first.status();
  ASSERT_NE(first->bytes, nullptr);
  EXPECT_TRUE(first->bytes->starts_with("\xff\xd8\xff"));
  const auto second = pictures.Get(Frame(20));
  ASSERT_TRUE(second.ok()) << second.status();
  EXPECT_EQ(second->bytes, nullptr);
  EXPECT_EQ(second->cached.sha256, Sha256::Of(*first->bytes));
  std::string read(second->cached.size, '\0');
  ASSERT_TRUE(ReadAt(second->cached.file->get(), read.data(), read.size(), 0).ok());
  EXPECT_EQ(read, *first->bytes);
  EXPECT_EQ(Runs(), 1u);
  ASSERT_TRUE(pictures.Get(Frame(21)).ok());
  EXPECT_EQ(Runs(), 2u);
  EXPECT_EQ(pictures.counts().decoded, 2u);
  EXPECT_EQ(pictures.counts().cached, 1u);
  EXPECT_GT(pictures.counts().cache_bytes, first->bytes->size());
}

TEST_F(PicturesTest, TheCacheHasNoMoreBytesThanItMayAndForgetsWhatWasAskedForLongestAgo) {
  TemporaryFolder folder;
  const auto cache = PictureCache::Open(folder / "pictures", 1000).value();
  const auto put = [&](const std::string& key, size_t size) {
    EXPECT_TRUE(cache->Put(key, std::string(size, 'x'), {}).ok());
  };
  put("a", 400);
  put("b", 400);
  EXPECT_TRUE(cache->Find("a").has_value());
  put("c", 400);
  EXPECT_FALSE(cache->Find("b").has_value());
  EXPECT_TRUE(cache->Find("a").has_value());
  put("huge", 1001);
  EXPECT_FALSE(cache->Find("huge").has_value());
  EXPECT_TRUE(cache->Find("c").has_value());
  EXPECT_EQ(cache->bytes(), 800u);
  size_t files = 0;
  for (const auto& entry : std::filesystem::directory_iterator(folder / "pictures")) {
    (void)entry;
    ++files;
  }
  EXPECT_EQ(files, 2u);
}

TEST_F(PicturesTest, WhatAnEarlierServerLeftInItsFolderIsNeverServed) {
  const std::string folder = folder_ / "pictures";
  std::filesystem::create_directories(folder);
  std::ofstream(folder + "/1.jpg") << "torn";
  Pictures pictures(frames_, *blobs_, Options());
  EXPECT_TRUE(std::filesystem::is_empty(folder));
  EXPECT_TRUE(pictures.Get(Frame(0)).ok());
}

TEST_F(PicturesTest, WhoAsksForTheSameIsGivenTheSameAndNoMoreAreDecodedThanMay) {
  const std::string gate = folder_ / "gate";
  auto options = Options();
  options.program = Counted(gate);
  options.at_once = 1;
  options.waiting = 3;
  Pictures pictures(frames_, *blobs_, options);
  std::vector<std::jthread> askers;
  std::atomic<int> had = 0, refused = 0;
  const auto ask = [&](size_t n) {
    askers.emplace_back([&, n] {
      const auto picture = pictures.Get(Frame(n));
      had += picture.ok() ? 1 : 0;
      refused += absl::IsResourceExhausted(picture.status()) ? 1 : 0;
    });
  };
  ask(5);
  while (Runs() == 0) std::this_thread::yield();
  // Of six more three may wait.
  for (int i = 0; i < 6; ++i) ask(i % 2 == 0 ? 5 : 40);
  while (refused < 3) std::this_thread::yield();
  EXPECT_EQ(Runs(), 1u);
  std::ofstream(gate) << "open";
  askers.clear();
  EXPECT_EQ(had, 4);
  EXPECT_EQ(refused, 3);
  EXPECT_LE(Runs(), 2u);
}

TEST_F(PicturesTest, AStopEndsWhatIsDecodedAndWhoWaits) {
  auto options = Options();
  options.program = Counted(folder_ / "never");
  options.at_once = 1;
  Pictures pictures(frames_, *blobs_, options);
  absl::Status one, two;
  std::jthread first([&] { one = pictures.Get(Frame(1)).status(); });
  while (Runs() == 0) std::this_thread::yield();
  std::jthread second([&] { two = pictures.Get(Frame(2)).status(); });
  pictures.Stop();
  first.join();
  second.join();
  EXPECT_TRUE(absl::IsCancelled(one)) << one;
  EXPECT_TRUE(absl::IsCancelled(two)) << two;
}

class FrameFilesTest : public PicturesTest {
 protected:
  HttpResponse Get(const std::string& path, const HttpHeaders& headers = {}) {
    HttpRequest request{.method = "GET", .path = path, .headers = headers};
    HttpResponse response;
    files_.Serve(request, response);
    if (response.source) {
      EXPECT_TRUE(response.source->read(0, response.source->length, &response.body).ok());
    }
    return response;
  }
  std::string PathOf(int64_t pts, const std::string& what) {
    return fmt::format("/frames/{}/front/{}/{}", clip_, pts, what);
  }

  Pictures pictures_{frames_, *blobs_, Options()};
  FrameFiles files_{frames_, pictures_, *blobs_};
};

TEST_F(FrameFilesTest, ServesThumbnailAndPictureWithDigestAndRange) {
  Start();
  WaitFor(1);
  const int64_t pts = FramesOf(clip_)[1].id().pts();
  const HttpResponse thumbnail = Get(PathOf(pts, "thumbnail"));
  EXPECT_EQ(thumbnail.status, 200);
  EXPECT_EQ(thumbnail.headers.Get("Content-Type"), "image/jpeg");
  EXPECT_TRUE(thumbnail.body.starts_with("\xff\xd8\xff"));
  EXPECT_TRUE(thumbnail.body.ends_with("\xff\xd9"));
  for (int round = 0; round < 2; ++round) {  // decoded, and from the cache
    const HttpResponse picture = Get(PathOf(pts, "picture"));
    EXPECT_EQ(picture.status, 200);
    EXPECT_GT(picture.body.size(), thumbnail.body.size());
    EXPECT_EQ(picture.headers.Get("ETag"),
              fmt::format("\"{}\"", Hex(AsBytes(Sha256::Of(picture.body)))));
    EXPECT_EQ(Get(PathOf(pts, "picture"), {{"If-None-Match", picture.headers.Get("ETag")}}).status,
              304);
    const HttpResponse part = Get(PathOf(pts, "picture"), {{"Range", "bytes=10-19"}});
    EXPECT_EQ(part.status, 206);
    EXPECT_EQ(part.body, picture.body.substr(10, 10));
  }
}

TEST_F(FrameFilesTest, WhatIsNoFrameIsNotFound) {
  Start();
  WaitFor(1);
  const int64_t pts = FramesOf(clip_)[1].id().pts();
  for (const std::string& path :
       {std::string("/frames/"), std::string("/frames/../../etc/passwd"),
        fmt::format("/frames/{}/front/{}", clip_, pts), PathOf(pts, "pictures"),
        PathOf(pts + 1, "thumbnail"), PathOf(pts + 1, "picture"),
        fmt::format("/frames/{}/front/{}x/picture", clip_, pts),
        fmt::format("/frames/{}/front/99999999999999999999/picture", clip_),
        fmt::format("/frames/{}/FRONT/{}/picture", clip_, pts),
        fmt::format("/frames/00000000000000000000/front/{}/picture", pts)}) {
    EXPECT_EQ(Get(path).status, 404) << path;
  }
}

TEST_F(FrameFilesTest, AVideoThatIsGoneSaysSo) {
  const auto video = frames_.FindVideo(Frame(7)).value();
  ASSERT_TRUE(blobs_->Remove(video.key).ok());
  EXPECT_EQ(Get(PathOf(times_.at(7), "picture")).status, 404);
}

}  // namespace
}  // namespace gleaner::cloud
