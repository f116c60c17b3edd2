// A manifest as a device offers it: what CheckOffer lets through is stored, summed up, handed to
// the media worker and shown without another look.
#include <limits>
#include <set>

#include "cloud/ingest/manifest_check.h"
#include "cloud/media/worker_protocol.h"
#include "common/clip_key.h"
#include "common/digest.h"
#include "common/limits.h"
#include "common/name.h"
#include "common/status.h"
#include "tests/fuzz/fuzz.h"
#include "tests/fuzz/quiet_protobuf.h"

namespace gleaner::fuzz {
namespace {

constexpr char kDevice[] = "cart-1";

v1::ClipObject* AddObject(v1::ClipManifest& manifest, v1::ClipObject::Kind kind,
                          const char* content_type, uint64_t size_bytes) {
  v1::ClipObject* object = manifest.add_objects();
  object->set_kind(kind);
  object->set_content_type(content_type);
  object->set_size_bytes(size_bytes);
  object->set_sha256(std::string(32, 's'));
  for (uint64_t i = 0; i < BlockCount(size_bytes); ++i) object->add_block_xxh3(i);
  return object;
}

void RequireWindow(const v1::Window& window) {
  REQUIRE(window.start_monotonic_ns() >= 0);
  REQUIRE(window.end_monotonic_ns() >= window.start_monotonic_ns());
}

void RequireObject(const v1::ClipObject& object) {
  REQUIRE(object.kind() >= v1::ClipObject::KIND_PREVIEW &&
          object.kind() <= v1::ClipObject::KIND_VIDEO);
  REQUIRE(object.size_bytes() >= 1 && object.size_bytes() <= kMaxObjectBytes);
  REQUIRE(object.sha256().size() == sizeof(Sha256Digest));
  REQUIRE(static_cast<uint64_t>(object.block_xxh3_size()) == BlockCount(object.size_bytes()));
}

void RequireVideo(const v1::VideoTrack& video) {
  REQUIRE(IsName(video.camera()) && !video.codec().empty());
  REQUIRE(PictureFits(video.width(), video.height()));
  REQUIRE(video.time_base_numerator() != 0 && video.time_base_denominator() != 0);
  REQUIRE(video.frame_count() >= 1 && video.frame_count() <= kMaxFrames);
  REQUIRE(static_cast<uint32_t>(video.pts_delta_size()) == video.frame_count() - 1);
  REQUIRE(video.ByteSizeLong() <= cloud::media::kMaxTrackBytes);
  // Every frame has a time, later than the one before.
  int64_t pts = video.first_pts();
  for (const uint32_t delta : video.pts_delta()) {
    REQUIRE(delta >= 1 && pts <= std::numeric_limits<int64_t>::max() - delta);
    pts += delta;
  }
}

void RequireSound(const v1::ClipManifest& manifest) {
  REQUIRE(manifest.device() == kDevice);
  REQUIRE(manifest.site().empty() || IsName(manifest.site()));
  REQUIRE(BootIdFromBytes(manifest.key().boot_id()).ok() && manifest.key().sequence() >= 1);
  REQUIRE(IsName(manifest.trigger().rule()) && manifest.trigger().priority() <= kMaxPriority);
  RequireWindow(manifest.requested());
  RequireWindow(manifest.delivered());
  for (const v1::SignalTrace& signal : manifest.trigger().signals()) {
    REQUIRE(signal.value_size() == signal.offset_us_size());
  }
  REQUIRE(manifest.objects_size() >= 1);
  REQUIRE(static_cast<size_t>(manifest.objects_size()) <= kMaxObjects);
  int videos = 0;
  for (const v1::ClipObject& object : manifest.objects()) {
    RequireObject(object);
    videos += object.kind() == v1::ClipObject::KIND_VIDEO ? 1 : 0;
  }
  REQUIRE(videos == manifest.video_size());
  std::set<std::string> cameras;
  for (const v1::VideoTrack& video : manifest.video()) {
    RequireVideo(video);
    REQUIRE(cameras.insert(video.camera()).second);
  }
}

}  // namespace

std::vector<std::string> Seeds() {
  v1::ClipManifest manifest;
  manifest.set_device(kDevice);
  manifest.set_site("store-7");
  manifest.mutable_key()->set_boot_id("0123456789abcdef");
  manifest.mutable_key()->set_sequence(17);
  manifest.mutable_fired_at()->set_monotonic_ns(5'000'000'000);
  manifest.mutable_trigger()->set_rule("hand");
  manifest.mutable_trigger()->set_expression("motion > 0.02");
  manifest.mutable_trigger()->add_firing_monotonic_ns(5'000'000'000);
  v1::SignalTrace* signal = manifest.mutable_trigger()->add_signals();
  signal->set_name("motion");
  signal->add_offset_us(-5);
  signal->add_value(0.5);
  manifest.mutable_delivered()->set_end_monotonic_ns(1'000'000'000);
  AddObject(manifest, v1::ClipObject::KIND_PREVIEW, "image/jpeg", 5000);
  const std::string only_preview = manifest.SerializeAsString();
  AddObject(manifest, v1::ClipObject::KIND_VIDEO, "video/mp4", kBlockBytes + 1);
  v1::VideoTrack* video = manifest.add_video();
  video->set_camera("front");
  video->set_codec("h264");
  video->set_width(1280);
  video->set_height(720);
  video->set_time_base_numerator(1);
  video->set_time_base_denominator(90000);
  video->set_first_pts(90000);
  video->set_frame_count(3);
  video->add_pts_delta(3000);
  video->add_pts_delta(3000);
  return {only_preview, manifest.SerializeAsString()};
}

}  // namespace gleaner::fuzz

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace gleaner;  // NOLINT(google-build-using-namespace)
  const std::string_view bytes = fuzz::AsText(data, size);
  v1::Offer offer;
  offer.set_manifest(std::string(bytes));
  const Sha256Digest digest = Sha256::Of(bytes);
  offer.set_manifest_sha256(std::string(AsBytes(digest)));
  const auto manifest = cloud::CheckOffer(offer, fuzz::kDevice);
  v1::ClipKey key;
  const bool found = cloud::FindKey(bytes, &key);
  REQUIRE(!found || key.boot_id().size() == sizeof(BootId));
  if (!manifest.ok()) {
    REQUIRE(absl::IsInvalidArgument(manifest.status()) ||
            absl::IsPermissionDenied(manifest.status()));
    REQUIRE(fuzz::IsPlain(Message(manifest.status())));
    return 0;
  }
  ++fuzz::accepted;
  fuzz::RequireSound(*manifest);
  // A device writes each field once; of a key that is there twice, FindKey sees the first,
  // and of one that a stranger swelled, nothing.
  if (manifest->SerializeAsString() == bytes && manifest->key().ByteSizeLong() <= 64) {
    REQUIRE(found && key.SerializeAsString() == manifest->key().SerializeAsString());
  }
  return 0;
}
