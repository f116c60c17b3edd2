// A catalog with real clips that the real worker looks at.
#pragma once

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "cloud/frames/frame_rows.h"
#include "cloud/frames/frames.h"
#include "tests/cloud/media/checker_testing.h"

namespace gleaner::cloud {

class FramesRig : public CheckerRig {
 protected:
  FramesRig() : CheckerRig(3) {
    track_.set_first_frame_monotonic_ns(1'000);
    track_.set_last_frame_monotonic_ns(1'000 + 3 * kNanosPerSecond);
  }

  void Start(const std::string& program = "", const media::FrameChoice& choice = {}) {
    CheckerRig::Start({.program = program, .frames = choice, .with_check = &with_check_});
  }
  void CheckAgain(const std::string& id) {
    ASSERT_TRUE(catalog_->database()
                    .Write([&](Sql& sql) {
                      AskForMediaCheck(sql, "cart-1", id, clock_.WallNs());
                      return absl::OkStatus();
                    })
                    .ok());
  }

  struct NewClip {
    std::string device = "cart-1";
    uint64_t sequence = 1;
    std::string site = "store-7";
    std::string video;                             // empty: video_
    std::vector<std::string> cameras = {"front"};  // all show the same
  };
  std::string AddClip(const NewClip& options) {
    const std::string& video = options.video.empty() ? video_ : options.video;
    TestClip clip = MakeTestClip({.device = options.device,
                                  .site = options.site,
                                  .sequence = options.sequence,
                                  .preview = false});
    clip.manifest.mutable_fired_at()->set_monotonic_ns(1'000 + kNanosPerSecond);
    clip.manifest.mutable_trigger()->add_firing_monotonic_ns(1'000 + kNanosPerSecond);
    clip.manifest.clear_video();
    const v1::ClipObject object = clip.manifest.objects(0);
    clip.manifest.clear_objects();
    clip.upload.blobs.clear();
    for (const std::string& camera : options.cameras) {
      v1::VideoTrack* track = clip.manifest.add_video();
      *track = track_;
      track->set_camera(camera);
      v1::ClipObject* added = clip.manifest.add_objects();
      *added = object;
      added->set_size_bytes(video.size());
      added->set_sha256(std::string(AsBytes(Sha256::Of(video))));
      clip.upload.blobs.push_back(Keep(video));
    }
    return Commit(clip);
  }
  std::vector<v1::Frame> FramesOf(const std::string& clip) {
    v1::ListFramesRequest request;
    request.set_clip(clip);
    request.set_page_size(500);
    const auto list = frames_.List(request, {});
    EXPECT_TRUE(list.ok()) << list.status();
    return {list->frames().begin(), list->frames().end()};
  }
  // How many objects nobody names any more.
  size_t Rubbish() { return catalog_->names.FindRubbish("", 1000).value().size(); }

  Frames frames_{catalog_->database()};
  std::vector<WithCheck> with_check_ = {RecordFrames};
};

}  // namespace gleaner::cloud
