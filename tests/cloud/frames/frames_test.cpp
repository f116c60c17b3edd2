#include "cloud/frames/frames.h"

#include <gmock/gmock.h>

#include <algorithm>

#include "cloud/media/frame_times.h"
#include "common/status.h"
#include "frames_testing.h"
#include "tests/cloud/search/all_words.h"

namespace gleaner::cloud {
namespace {

using testing::HasSubstr;

constexpr auto kFiring = v1::Frame::REASON_FIRING;

class FramesTest : public FramesRig {
 protected:
  v1::ListFramesResponse List(const std::string& filter, uint32_t page_size = 500,
                              const std::string& token = "", const std::string& clip = "") {
    v1::ListFramesRequest request;
    request.set_page_size(page_size);
    request.set_page_token(token);
    request.set_clip(clip);
    const auto parsed = ParseFilter(filter, clock_.WallNs(), AllWords(), FilterOf::kFrames);
    EXPECT_TRUE(parsed.ok()) << parsed.status();
    const auto list = frames_.List(request, *parsed);
    EXPECT_TRUE(list.ok()) << list.status();
    return list.ok() ? *list : v1::ListFramesResponse();
  }
};

TEST_F(FramesTest, ACheckedClipHasItsFramesWithReasonsTimesAndMeasures) {
  const std::string clip = AddClip({});
  Start();
  WaitFor(1);
  const auto frames = FramesOf(clip);
  ASSERT_GE(frames.size(), 6u);
  const auto times = media::FrameTimes(track_);
  size_t fired = 0;
  int64_t before = -1;
  for (const v1::Frame& frame : frames) {
    EXPECT_EQ(frame.id().clip(), clip);
    EXPECT_EQ(frame.id().camera(), "front");
    EXPECT_TRUE(std::binary_search(times.begin(), times.end(), frame.id().pts()));
    EXPECT_GT(frame.id().pts(), before);
    before = frame.id().pts();
    EXPECT_GT(frame.reasons_size(), 0);
    EXPECT_EQ(frame.device(), "cart-1");
    EXPECT_EQ(frame.site(), "store-7");
    EXPECT_EQ(frame.width(), 640u);
    EXPECT_EQ(frame.height(), 480u);
    EXPECT_GT(frame.sharpness(), 0);
    EXPECT_NE(frame.phash(), 0u);
    if (frame.reasons(0) != kFiring) continue;
    ++fired;
    EXPECT_NEAR(frame.offset_s(), 1, 0.03);
    EXPECT_NEAR(static_cast<double>(frame.taken_unix_ns() - 1'700'000'000 * kNanosPerSecond), 0,
                0.03 * kNanosPerSecond)
        << "the clip fired then";
  }
  EXPECT_EQ(fired, 1u);
  const auto got =
      frames_.Get({.clip = clip, .camera = "front", .pts = frames[2].id().pts()}).value();
  EXPECT_EQ(got.SerializeAsString(), frames[2].SerializeAsString());
}

TEST_F(FramesTest, EachCameraHasItsOwnFramesAndThumbnailsInOneObject) {
  const std::string clip = AddClip({.cameras = {"front", "rear"}});
  Start();
  WaitFor(1);
  const auto frames = FramesOf(clip);
  std::map<std::string, std::set<ObjectKey>> objects;
  for (const v1::Frame& frame : frames) {
    const auto place = frames_.FindThumbnail(
        {.clip = clip, .camera = frame.id().camera(), .pts = frame.id().pts()});
    ASSERT_TRUE(place.ok()) << place.status();
    objects[frame.id().camera()].insert(place->key);
    std::string bytes;
    ASSERT_TRUE(blobs_->Read(place->key, place->offset, place->size, &bytes).ok());
    EXPECT_TRUE(bytes.starts_with("\xff\xd8\xff") && bytes.ends_with("\xff\xd9"));
  }
  EXPECT_EQ(objects.size(), 2u);
  EXPECT_EQ(objects["front"].size(), 1u);
  EXPECT_NE(objects["front"], objects["rear"]);
  EXPECT_TRUE(catalog_->names.Check().ok()) << catalog_->names.Check();
}

TEST_F(FramesTest, ACheckThatIsRepeatedReplacesThemAndTheirObjects) {
  const std::string clip = AddClip({});
  Start();
  WaitFor(1);
  const auto before = FramesOf(clip);
  const ObjectKey object = frames_.FindThumbnail({clip, "front", before[0].id().pts()}).value().key;
  CheckAgain(clip);
  Start("", {.firings = 1, .peaks = 0, .keyframes = 0, .evenly = 0});
  WaitFor(2);
  const auto after = FramesOf(clip);
  ASSERT_EQ(after.size(), 1u);
  EXPECT_EQ(after[0].reasons(0), kFiring);
  EXPECT_THAT(catalog_->names.FindRubbish("", 1000).value(), testing::Contains(object));
  EXPECT_TRUE(catalog_->names.Check().ok()) << catalog_->names.Check();
  // And with none at all nothing is left of them.
  CheckAgain(clip);
  Start("", {.firings = 0, .peaks = 0, .keyframes = 0, .evenly = 0});
  WaitFor(3);
  EXPECT_TRUE(FramesOf(clip).empty());
  EXPECT_TRUE(catalog_->names.Check().ok()) << catalog_->names.Check();
}

TEST_F(FramesTest, TheSameClipHasTheSameFramesEachTime) {
  const std::string clip = AddClip({});
  Start();
  WaitFor(1);
  const auto before = FramesOf(clip);
  CheckAgain(clip);
  WaitFor(2);
  const auto after = FramesOf(clip);
  ASSERT_EQ(before.size(), after.size());
  for (size_t i = 0; i < before.size(); ++i) {
    EXPECT_EQ(before[i].SerializeAsString(), after[i].SerializeAsString());
  }
}

TEST_F(FramesTest, AClipThatFailsHasNone) {
  const std::string clip = AddClip({.video = video_.substr(0, video_.size() / 2)});
  Start();
  WaitFor(1);
  EXPECT_TRUE(FramesOf(clip).empty());
  EXPECT_EQ(catalog_->clips.Get(clip).value().summary().media().state(),
            v1::MediaCheck::STATE_FAILED);
}

// Its first half of an answer is no answer.
TEST_F(FramesTest, AWorkerThatIsKilledInTheMiddleLeavesNothingHalfNamed) {
  const std::string clip = AddClip({});
  const std::string tries = folder_ / "tries";
  Start(Impostor("echo x >> " + tries + "\nif [ $(wc -l < " + tries + ") -le 2 ]; then\n" +
                 BinDir() + "/gleaner-media | head -c 60000\nkill -KILL $$\nfi\nexec " + BinDir() +
                 "/gleaner-media"));
  WaitFor(1);
  Stop();
  EXPECT_EQ(ReadFile(tries, 100).value(), "x\nx\nx\n");
  EXPECT_GE(FramesOf(clip).size(), 6u);
  EXPECT_EQ(Rubbish(), 0u);
  EXPECT_TRUE(catalog_->names.Check().ok()) << catalog_->names.Check();
  for (const v1::Frame& frame : FramesOf(clip)) {
    EXPECT_TRUE(frames_.FindThumbnail({clip, "front", frame.id().pts()}).ok());
  }
}

TEST_F(FramesTest, AWorkerThatLiesAboutFramesMakesAFailedClipWithoutAny) {
  const std::string clip = AddClip({});
  // A frame (kind 4) that breaks off.
  Start(Impostor("printf '\\x04\\0\\0\\0\\x05\\0\\0\\0short'"));
  WaitFor(1);
  EXPECT_THAT(catalog_->clips.Get(clip).value().summary().media().problem(),
              HasSubstr("a frame breaks off"));
  EXPECT_TRUE(FramesOf(clip).empty());
}

TEST(FramesUpgradeTest, ClipsThatWereCheckedBeforeThereWereFramesAreLookedAtOnceMore) {
  TemporaryFolder folder;
  const std::string path = TestDatabase(folder / "before.db");
  std::vector<RoomTables> before;
  for (const RoomTables& room : AllRooms().tables) {
    if (room.room != "frames") before.push_back(room);
  }
  std::string checked, waiting;
  {
    TestCatalog catalog(Database::Open(path, before).value());
    v1::MediaCheck good;
    good.set_state(v1::MediaCheck::STATE_OK);
    for (uint64_t sequence : {1, 2}) {
      const TestClip clip = MakeTestClip({.sequence = sequence});
      ASSERT_TRUE(CommitTestClip(catalog, clip).ok());
      (sequence == 1 ? checked : waiting) = ClipId("cart-1", clip.upload.key);
    }
    FakeClock clock;
    Jobs jobs(catalog.database(), clock);
    // The first is looked at; the second waits for that.
    const auto claimed = jobs.Claim(kMediaCheck, "cart-1", "me").value();
    ASSERT_EQ(claimed->job.subject(), checked);
    ASSERT_TRUE(jobs.Finish(claimed->claim, "",
                            [&](Sql& sql) { return RecordMediaCheck(sql, checked, good, {}); })
                    .ok());
  }
  TestCatalog catalog(Database::Open(path, AllRooms().tables).value());
  FakeClock clock;
  Jobs jobs(catalog.database(), clock);
  const auto counts = jobs.Count().value();
  ASSERT_EQ(counts.size(), 1u);
  EXPECT_EQ(counts[0].waiting(), 2u);
  EXPECT_EQ(jobs.Claim(kMediaCheck, "cart-1", "me").value()->job.subject(), waiting)
      << "what is new goes first";
  EXPECT_EQ(jobs.Claim(kMediaCheck, "cart-1", "me").value()->job.subject(), checked);
  EXPECT_EQ(catalog.clips.Get(checked).value().summary().media().state(), v1::MediaCheck::STATE_OK)
      << "it stays what it is meanwhile";
}

TEST_F(FramesTest, AListGoesBackFromTheNewestClipPageByPage) {
  const std::string first = AddClip({.sequence = 1});
  const std::string second = AddClip({.sequence = 2, .cameras = {"front", "rear"}});
  Start();
  WaitFor(2);
  std::vector<v1::Frame> expected = FramesOf(second);
  std::reverse(expected.begin(), expected.end());
  auto of_first = FramesOf(first);
  expected.insert(expected.end(), of_first.rbegin(), of_first.rend());
  std::vector<v1::Frame> got;
  std::string token;
  int pages = 0;
  do {
    const auto page = List("", 7, token);
    got.insert(got.end(), page.frames().begin(), page.frames().end());
    token = page.next_page_token();
    ASSERT_LT(++pages, 20);
  } while (!token.empty());
  ASSERT_EQ(got.size(), expected.size());
  for (size_t i = 0; i < got.size(); ++i) {
    EXPECT_EQ(got[i].SerializeAsString(), expected[i].SerializeAsString()) << i;
  }
  // A clip's own, page by page as well.
  got.clear();
  do {
    const auto page = List("", 5, token, second);
    got.insert(got.end(), page.frames().begin(), page.frames().end());
    token = page.next_page_token();
  } while (!token.empty());
  EXPECT_EQ(got.size(), FramesOf(second).size());
  v1::ListFramesRequest wrong;
  for (const char* token_of_nobody : {"x", "1.2", "1.2.3.4", "1..3", "1.2.x"}) {
    wrong.set_page_token(token_of_nobody);
    EXPECT_TRUE(absl::IsInvalidArgument(frames_.List(wrong, {}).status())) << token_of_nobody;
  }
  wrong.clear_page_token();
  wrong.set_clip("00000000000000000000");
  EXPECT_TRUE(absl::IsNotFound(frames_.List(wrong, {}).status()));
}

TEST_F(FramesTest, AFilterFindsFramesOfItsClipsAndOfThatCameraAlone) {
  const std::string one = AddClip({.sequence = 1, .cameras = {"front", "rear"}});
  const std::string other = AddClip({.device = "cart-2", .sequence = 1, .site = "store-8"});
  Start();
  WaitFor(2);
  const auto all = static_cast<int>(FramesOf(one).size() + FramesOf(other).size());
  EXPECT_EQ(List("").frames_size(), all);
  EXPECT_EQ(List("device:cart-2").frames_size(), static_cast<int>(FramesOf(other).size()));
  EXPECT_EQ(List("-site:store-8 media:ok").frames_size(), static_cast<int>(FramesOf(one).size()));
  EXPECT_EQ(List("camera:rear").frames_size(), static_cast<int>(FramesOf(one).size()) / 2);
  EXPECT_EQ(List("-camera:rear").frames_size(), all - static_cast<int>(FramesOf(one).size()) / 2);
  EXPECT_EQ(List("codec:hevc").frames_size(), 0);
  EXPECT_EQ(List("id:" + one.substr(0, 6)).frames_size(), static_cast<int>(FramesOf(one).size()));
}

TEST_F(FramesTest, AFilterFindsFramesByWhatWasMeasuredAndWhyTheyWereChosen) {
  const std::string clip = AddClip({});
  Start();
  WaitFor(1);
  const auto all = FramesOf(clip);
  const auto count = [&](auto holds) {
    return static_cast<int>(std::count_if(all.begin(), all.end(), holds));
  };
  std::vector<double> sharpness;
  for (const v1::Frame& frame : all) sharpness.push_back(frame.sharpness());
  std::sort(sharpness.begin(), sharpness.end());
  const double middle = sharpness[sharpness.size() / 2];
  const int below = count([&](const v1::Frame& frame) { return frame.sharpness() < middle; });
  ASSERT_GT(below, 0);
  const std::string number = fmt::format("{:.6f}", middle);
  EXPECT_EQ(List("sharpness<" + number).frames_size(), below);
  EXPECT_EQ(List("sharpness>=" + number).frames_size(), static_cast<int>(all.size()) - below);
  EXPECT_EQ(List("-sharpness<" + number).frames_size(), static_cast<int>(all.size()) - below);
  EXPECT_EQ(List("sharpness<0 ").frames_size(), 0);
  EXPECT_EQ(List("motion<=1 exposure>0 clipped<=1 blocked<1").frames_size(),
            static_cast<int>(all.size()));
  EXPECT_EQ(List("reason:firing").frames_size(), 1);
  EXPECT_EQ(List("reason:firing,keyframe,evenly").frames_size(), static_cast<int>(all.size()));
  EXPECT_EQ(List("-reason:keyframe").frames_size(), count([](const v1::Frame& frame) {
              return frame.reasons(0) != v1::Frame::REASON_KEYFRAME;
            }));
  const auto every = static_cast<int>(all.size());
  EXPECT_EQ(List("background:unknown").frames_size(), every) << "the camera has just come";
  EXPECT_EQ(List("background:no").frames_size(), 0);
  EXPECT_EQ(List("background:yes").frames_size(), 0);
  EXPECT_EQ(List("-background:yes").frames_size(), every);
  EXPECT_EQ(List("background:yes,unknown device:cart-1").frames_size(), every);
}

TEST_F(FramesTest, WhatIsNotThereIsNamed) {
  const std::string clip = AddClip({});
  Start();
  WaitFor(1);
  const int64_t pts = FramesOf(clip)[0].id().pts();
  EXPECT_THAT(std::string(Message(frames_.Get({"0123", "front", pts}).status())),
              HasSubstr("no clip has the id"));
  EXPECT_THAT(std::string(Message(frames_.Get({clip, "rear", pts}).status())),
              HasSubstr("no frame of camera rear"));
  EXPECT_TRUE(absl::IsNotFound(frames_.FindThumbnail({clip, "front", pts + 1}).status()));
  EXPECT_TRUE(absl::IsNotFound(frames_.FindVideo({clip, "front", pts + 1}).status()));
  const int64_t unchosen = media::FrameTimes(track_).at(3);
  EXPECT_TRUE(absl::IsNotFound(frames_.Get({clip, "front", unchosen}).status()));
  EXPECT_TRUE(frames_.FindVideo({clip, "front", unchosen}).ok()) << "it has a picture all the same";
}

}  // namespace
}  // namespace gleaner::cloud
