// What `gleaner clips get` leaves on the disk, against a real server side.
#include <fcntl.h>
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/file.h>

#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>

#include "cli/client.h"
#include "cli/commands.h"
#include "cloud/store/blob_place.h"
#include "common/file.h"
#include "google/protobuf/util/json_util.h"
#include "tests/cloud/http/service_testing.h"

namespace gleaner::cli {
namespace {

using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;
using testing::UnorderedElementsAre;

class GetClipsTest : public cloud::ServiceTest {
 protected:
  absl::Status Get(GetClipsOptions options) {
    if (options.directory == ".") options.directory = Out();
    Client client =
        Client::Connect({.url = fmt::format("http://127.0.0.1:{}", http_->port())}).value();
    testing::internal::CaptureStdout();
    testing::internal::CaptureStderr();
    const absl::Status status = GetClips(client, options);
    printed_ = testing::internal::GetCapturedStdout();
    complained_ = testing::internal::GetCapturedStderr();
    return status;
  }
  std::string Out() const { return folder_ / "out"; }
  std::string File(const std::string& id, const std::string& name) const {
    return Out() + "/" + id + "/" + name;
  }
  std::string Content(const std::string& id, const std::string& name) const {
    const auto content = ReadFile(File(id, name), 1 << 22);
    return content.ok() ? *content : content.status().ToString();
  }
  std::vector<std::string> Names(const std::string& id) const {
    std::vector<std::string> names;
    for (const auto& entry : std::filesystem::directory_iterator(Out() + "/" + id)) {
      names.push_back(entry.path().filename());
    }
    return names;
  }
  static void Write(const std::string& path, const std::string& content) {
    std::ofstream(path, std::ios::binary) << content;
  }

  // Commits a clip of several cameras, each with a video of its own.
  std::string AddClipOf(uint64_t sequence, const std::vector<std::string>& cameras) {
    cloud::TestClip clip = cloud::MakeTestClip({.sequence = sequence});
    const v1::VideoTrack track = clip.manifest.video(0);
    clip.manifest.clear_video();
    clip.manifest.clear_objects();
    clip.upload.blobs.clear();
    for (const std::string& camera : cameras) {
      v1::VideoTrack* video = clip.manifest.add_video();
      *video = track;
      video->set_camera(camera);
      const std::string bytes = fmt::format("video {} of {}", clip.manifest.video_size(), camera);
      v1::ClipObject* object = clip.manifest.add_objects();
      object->set_kind(v1::ClipObject::KIND_VIDEO);
      object->set_size_bytes(bytes.size());
      object->set_sha256(std::string(AsBytes(Sha256::Of(bytes))));
      clip.upload.blobs.push_back(Put(bytes));
    }
    clip.upload.manifest = clip.manifest.SerializeAsString();
    clip.upload.manifest_sha256 = Sha256::Of(clip.upload.manifest);
    EXPECT_TRUE(CommitTestClip(*catalog_, clip).ok());
    return ClipId("cart-1", clip.upload.key);
  }
  // One byte of a clip's video turns in the store, or turns back.
  void TurnAByte(const std::string& id) {
    const auto row = catalog_->clips.FindObject(id, v1::ClipObject::KIND_VIDEO, 0);
    const cloud::BlobPlace place = *cloud::PlaceOf(row->key);
    const auto file = OpenFile(folder_ / ("blobs/" + place.segment), O_RDWR);
    char byte = 0;
    ASSERT_TRUE(ReadAt(file->get(), &byte, 1, place.offset + 1234).ok());
    byte = static_cast<char>(~byte);
    ASSERT_TRUE(WriteAt(file->get(), &byte, 1, place.offset + 1234).ok());
  }

  std::string printed_, complained_;
};

TEST_F(GetClipsTest, NamesTheVideosByCameraAndPutsTheManifestBesideThem) {
  Start();
  const std::string id = AddClipOf(1, {"front", "side-door"});
  ASSERT_TRUE(Get({.ids = {id}}).ok());
  EXPECT_THAT(Names(id),
              UnorderedElementsAre("front.mp4", "side-door.mp4", "manifest.pb", "manifest.json"));
  EXPECT_EQ(Content(id, "front.mp4"), "video 1 of front");
  EXPECT_EQ(Content(id, "side-door.mp4"), "video 2 of side-door");
  v1::ClipManifest manifest, from_json;
  ASSERT_TRUE(manifest.ParseFromString(Content(id, "manifest.pb")));
  ASSERT_TRUE(
      google::protobuf::util::JsonStringToMessage(Content(id, "manifest.json"), &from_json).ok());
  EXPECT_EQ(from_json.SerializeAsString(), manifest.SerializeAsString());
  EXPECT_THAT(printed_, HasSubstr(File(id, "front.mp4") + "  16 B\n"));
}

TEST_F(GetClipsTest, AllObjectsHaveTheirBytes) {
  Start();
  const std::string id = AddClip(1);
  ASSERT_TRUE(Get({.ids = {id}}).ok());
  EXPECT_EQ(Content(id, "front.mp4"), video_);
  EXPECT_EQ(Content(id, "preview.jpg"), preview_);
  EXPECT_EQ(Content(id, "manifest.pb"), manifest_);
}

TEST_F(GetClipsTest, DrawsItsProgressOnceAPercentWhereItIsWanted) {
  Start();
  const std::string id = AddClip(1), other = AddClip(2);
  ASSERT_TRUE(Get({.ids = {id}}).ok());
  EXPECT_EQ(complained_, "");
  ASSERT_TRUE(Get({.ids = {id, other}, .progress = true}).ok());
  const std::string last = "clip 2 of 2: front.mp4 100 % of 683.6 KiB";
  EXPECT_THAT(complained_, HasSubstr("\r\033[K" + last));
  EXPECT_EQ(complained_.find(last), complained_.rfind(last)) << "however many pieces it came in";
  EXPECT_THAT(complained_, Not(HasSubstr("clip 1 of 2"))) << "that was there already";
}

TEST_F(GetClipsTest, NoTextOfAManifestBecomesAFilesNameAndTwoOfACameraAreTwoFiles) {
  Start();
  const std::string id = AddClipOf(1, {"../../evil", "front", "front", "front-2", "Front_Door"});
  ASSERT_TRUE(Get({.ids = {id}}).ok());
  EXPECT_THAT(Names(id),
              UnorderedElementsAre("video.mp4", "front.mp4", "front-2.mp4", "front-2-2.mp4",
                                   "video-2.mp4", "manifest.pb", "manifest.json"));
  EXPECT_EQ(Content(id, "front-2.mp4"), "video 3 of front");
  EXPECT_EQ(Content(id, "front-2-2.mp4"), "video 4 of front-2");
}

TEST_F(GetClipsTest, FetchesSeveralByTheirIdsOrByAFilter) {
  Start();
  std::vector<std::string> ids;
  for (uint64_t i = 1; i <= 5; ++i) ids.push_back(AddClip(i, i % 2 == 0 ? "cart-2" : "cart-1"));
  ASSERT_TRUE(Get({.ids = {ids[0], ids[3], ids[0]}}).ok());
  EXPECT_TRUE(std::filesystem::exists(Out() + "/" + ids[0]));
  EXPECT_TRUE(std::filesystem::exists(Out() + "/" + ids[3]));
  EXPECT_FALSE(std::filesystem::exists(Out() + "/" + ids[1]));
  EXPECT_THAT(printed_, HasSubstr("2 clips, 8 files, 1.3 MiB in " + Out()));

  ASSERT_TRUE(Get({.filter = "device:cart-1", .directory = folder_ / "filtered"}).ok());
  for (size_t i = 0; i < ids.size(); ++i) {
    EXPECT_EQ(std::filesystem::exists(folder_ / ("filtered/" + ids[i])), i % 2 == 0) << i;
  }
  ASSERT_TRUE(Get({.filter = "device:cart-1", .limit = 1, .directory = folder_ / "newest"}).ok());
  EXPECT_TRUE(std::filesystem::exists(folder_ / ("newest/" + ids[4])));
  EXPECT_FALSE(std::filesystem::exists(folder_ / ("newest/" + ids[2])));
  EXPECT_TRUE(absl::IsNotFound(Get({.filter = "device:none"})));
  EXPECT_TRUE(absl::IsInvalidArgument(Get({.filter = "device"})));
}

TEST_F(GetClipsTest, WhatIsThereAndRightIsNotFetchedAgain) {
  Start();
  const std::string id = AddClip(1);
  ASSERT_TRUE(Get({.ids = {id}}).ok());
  const auto inode = [&] { return std::filesystem::last_write_time(File(id, "front.mp4")); };
  const auto before = inode();
  TurnAByte(id);  // fetched again it would be wrong
  ASSERT_TRUE(Get({.ids = {id}}).ok());
  EXPECT_EQ(inode(), before);
  EXPECT_THAT(printed_, HasSubstr("front.mp4  683.6 KiB, was there already"));
}

TEST_F(GetClipsTest, NothingIsOverwrittenThatIsSomethingElse) {
  Start();
  const std::string id = AddClip(1);
  std::filesystem::create_directories(Out() + "/" + id);
  for (const char* name : {"manifest.json", "manifest.pb", "preview.jpg", "front.mp4"}) {
    Write(File(id, name), "mine");
    const absl::Status status = Get({.ids = {id}});
    EXPECT_TRUE(absl::IsAlreadyExists(status)) << status;
    EXPECT_THAT(std::string(Message(status)), AllOf(HasSubstr(name), HasSubstr("--force")));
    EXPECT_EQ(Content(id, name), "mine");
    std::filesystem::remove(File(id, name));
  }
  Write(File(id, "front.mp4"), std::string(video_.size(), 'x'));  // of the right length
  EXPECT_TRUE(absl::IsAlreadyExists(Get({.ids = {id}})));
  EXPECT_TRUE(Get({.ids = {id}, .overwrite = true}).ok());
  EXPECT_EQ(Content(id, "front.mp4"), video_);
}

TEST_F(GetClipsTest, GoesOnWhereItWasBrokenOff) {
  Start();
  const std::string id = AddClip(1);
  std::filesystem::create_directories(Out() + "/" + id);
  Write(File(id, "front.mp4.part"), video_.substr(0, 500'000));
  TurnAByte(id);  // in the part that is here already
  ASSERT_TRUE(Get({.ids = {id}}).ok()) << "the rest alone was fetched";
  EXPECT_EQ(Content(id, "front.mp4"), video_);
  EXPECT_FALSE(std::filesystem::exists(File(id, "front.mp4.part")));

  // All of it, but for the name.
  std::filesystem::rename(File(id, "front.mp4"), File(id, "front.mp4.part"));
  ASSERT_TRUE(Get({.ids = {id}}).ok());
  EXPECT_EQ(Content(id, "front.mp4"), video_);
}

TEST_F(GetClipsTest, AWrongBeginningIsFetchedAnew) {
  Start();
  const std::string id = AddClip(1);
  std::filesystem::create_directories(Out() + "/" + id);
  for (const std::string& wrong :
       {std::string(500'000, 'x'), video_ + "more", "x" + video_.substr(1)}) {
    Write(File(id, "front.mp4.part"), wrong);
    ASSERT_TRUE(Get({.ids = {id}}).ok());
    EXPECT_EQ(Content(id, "front.mp4"), video_);
    std::filesystem::remove(File(id, "front.mp4"));
  }
}

TEST_F(GetClipsTest, AChangedObjectIsReportedAndNotKept) {
  Start();
  const std::string id = AddClip(1);
  TurnAByte(id);
  const absl::Status status = Get({.ids = {id}});
  EXPECT_TRUE(absl::IsDataLoss(status)) << status;
  EXPECT_THAT(std::string(Message(status)), AllOf(HasSubstr(id), HasSubstr("another SHA-256")));
  EXPECT_THAT(Names(id), Not(testing::Contains(HasSubstr("front"))));
}

TEST_F(GetClipsTest, OneThatIsDamagedKeepsNoOtherFromBeingFetched) {
  Start();
  const std::string damaged = AddClip(1), sound = AddClip(2);
  TurnAByte(damaged);
  const absl::Status status = Get({.ids = {damaged, sound}});
  EXPECT_TRUE(absl::IsDataLoss(status)) << status;
  EXPECT_EQ(Message(status), "1 of 2 clips could not be fetched");
  EXPECT_THAT(complained_, HasSubstr("clip " + damaged + ": "));
  EXPECT_THAT(printed_, HasSubstr("1 clip, "));
  EXPECT_EQ(Content(sound, "front.mp4"), video_);
}

TEST_F(GetClipsTest, TwoCommandsDoNotWriteIntoOneFile) {
  Start();
  const std::string id = AddClip(1);
  std::filesystem::create_directories(Out() + "/" + id);
  const auto other = OpenFile(File(id, "front.mp4.part"), O_RDWR | O_CREAT);
  ASSERT_EQ(::flock(other->get(), LOCK_EX), 0);
  EXPECT_THAT(std::string(Message(Get({.ids = {id}}))), HasSubstr("by another command"));
}

TEST_F(GetClipsTest, TellsProgramsWhatItHasFetched) {
  Start();
  const std::string damaged = AddClip(1), sound = AddClip(2);
  TurnAByte(damaged);
  EXPECT_FALSE(Get({.ids = {sound, damaged}, .json = true}).ok());
  const auto json = nlohmann::json::parse(printed_);
  ASSERT_EQ(json["clips"].size(), 2u);
  EXPECT_EQ(json["clips"][0]["id"], sound);
  EXPECT_EQ(json["clips"][0]["folder"], Out() + "/" + sound);
  std::vector<std::string> names;
  for (const auto& file : json["clips"][0]["files"]) names.push_back(file["name"]);
  EXPECT_THAT(names, ElementsAre("manifest.pb", "manifest.json", "preview.jpg", "front.mp4"));
  EXPECT_EQ(json["clips"][0]["files"][3]["sizeBytes"], std::to_string(video_.size()));
  EXPECT_FALSE(json["clips"][0].contains("error"));
  EXPECT_EQ(json["clips"][1]["error"]["code"], "data_loss");
  EXPECT_THAT(complained_, IsEmpty());
}

}  // namespace
}  // namespace gleaner::cli
