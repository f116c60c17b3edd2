// Clips with real bytes, and what a device sends of them.
#pragma once

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <random>
#include <string>
#include <string_view>
#include <vector>

#include "common/clip_key.h"
#include "common/digest.h"
#include "common/limits.h"
#include "gleaner/v1/clip.pb.h"
#include "gleaner/v1/ingest.pb.h"

namespace gleaner::cloud {

// A clip as a device has it: manifest and the bytes of its objects.
struct SentClip {
  v1::ClipManifest manifest;
  std::string bytes;  // of the manifest
  std::vector<std::string> objects;

  // After a change to `manifest`.
  void Seal() { bytes = manifest.SerializeAsString(); }
  ClipKey key() const {
    return {*BootIdFromBytes(manifest.key().boot_id()), manifest.key().sequence()};
  }
  uint64_t payload() const {
    uint64_t sum = 0;
    for (const std::string& object : objects) sum += object.size();
    return sum;
  }
};

// A preview of 20 kB and a video of `video_bytes`, made up from the key.
inline SentClip MakeClip(const std::string& device, uint64_t sequence,
                         size_t video_bytes = 2 * kBlockBytes + 1000) {
  SentClip clip;
  v1::ClipManifest& manifest = clip.manifest;
  manifest.set_device(device);
  manifest.set_site("store-7");
  manifest.mutable_key()->set_boot_id(std::string(16, 'b'));
  manifest.mutable_key()->set_sequence(sequence);
  manifest.mutable_fired_at()->set_wall_unix_ns(1'700'000'000'000'000'000);
  manifest.mutable_trigger()->set_rule("motion");
  manifest.mutable_delivered()->set_end_monotonic_ns(1'000'000'000);
  v1::VideoTrack* track = manifest.add_video();
  track->set_camera("front");
  track->set_codec("h264");
  track->set_width(64);
  track->set_height(48);
  track->set_time_base_numerator(1);
  track->set_time_base_denominator(90'000);
  track->set_frame_count(2);
  track->add_pts_delta(3'000);
  std::mt19937_64 random(Xxh3(device) + sequence);
  const auto add = [&](v1::ClipObject::Kind kind, const char* type, size_t size) {
    std::string bytes(size, '\0');
    for (size_t at = 0; at < size; at += sizeof(uint64_t)) {
      const uint64_t word = random();
      std::memcpy(bytes.data() + at, &word, std::min(sizeof word, size - at));
    }
    v1::ClipObject* object = manifest.add_objects();
    object->set_kind(kind);
    object->set_content_type(type);
    object->set_size_bytes(size);
    object->set_sha256(std::string(AsBytes(Sha256::Of(bytes))));
    for (size_t at = 0; at < size; at += kBlockBytes) {
      object->add_block_xxh3(Xxh3(std::string_view(bytes).substr(at, kBlockBytes)));
    }
    clip.objects.push_back(std::move(bytes));
  };
  add(v1::ClipObject::KIND_PREVIEW, "image/jpeg", 20'000);
  add(v1::ClipObject::KIND_VIDEO, "video/mp4", video_bytes);
  clip.Seal();
  return clip;
}

inline v1::UploadRequest OfferOf(const SentClip& clip) {
  v1::UploadRequest request;
  request.mutable_offer()->set_manifest(clip.bytes);
  request.mutable_offer()->set_manifest_sha256(std::string(AsBytes(Sha256::Of(clip.bytes))));
  return request;
}

inline v1::UploadRequest ChunkOf(const SentClip& clip, uint64_t lease, uint32_t object,
                                 uint64_t offset) {
  v1::UploadRequest request;
  v1::Chunk* chunk = request.mutable_chunk();
  chunk->set_lease(lease);
  chunk->set_object(object);
  chunk->set_offset(offset);
  chunk->set_data(clip.objects[object].substr(offset, kBlockBytes));
  chunk->set_xxh3(Xxh3(chunk->data()));
  return request;
}

}  // namespace gleaner::cloud
