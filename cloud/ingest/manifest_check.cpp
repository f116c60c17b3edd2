#include "cloud/ingest/manifest_check.h"

#include <fmt/format.h>
#include <google/protobuf/io/coded_stream.h>
#include <google/protobuf/wire_format_lite.h>

#include <limits>
#include <set>
#include <string>

#include "cloud/ledger/ledger.h"
#include "common/clip_key.h"
#include "common/digest.h"
#include "common/limits.h"
#include "common/name.h"
#include "common/status.h"

namespace gleaner::cloud {
namespace {

// Twice the ranges that a boot may have.
constexpr int kMaxLedgerEntries = 131'072;

absl::Status Bad(std::string_view field, std::string_view what) {
  return absl::InvalidArgumentError(fmt::format("{} {}", field, what));
}

absl::Status CheckCount(std::string_view field, size_t count, size_t max) {
  if (count <= max) return absl::OkStatus();
  return Bad(field, fmt::format("has {} entries, at most {} are allowed", count, max));
}

absl::Status CheckText(std::string_view field, std::string_view text, size_t max = kMaxTextBytes) {
  if (text.size() <= max) return absl::OkStatus();
  return Bad(field, fmt::format("has {} bytes, at most {} are allowed", text.size(), max));
}

absl::Status CheckRange(std::string_view field, uint64_t value, uint64_t min, uint64_t max) {
  if (value >= min && value <= max) return absl::OkStatus();
  return Bad(field, fmt::format("is {}, must be {} to {}", value, min, max));
}

absl::Status CheckName(std::string_view field, std::string_view text) {
  return IsName(text) ? absl::OkStatus() : Bad(field, NotAName(text));
}

absl::Status CheckKey(std::string_view field, const v1::ClipKey& key) {
  if (key.boot_id().size() != 16)
    return Bad(fmt::format("{}.boot_id", field), "must have 16 bytes");
  return CheckRange(fmt::format("{}.sequence", field), key.sequence(), 1, kMaxSequence);
}

absl::Status CheckWindow(std::string_view field, const v1::Window& window) {
  if (window.start_monotonic_ns() < 0 || window.end_monotonic_ns() < window.start_monotonic_ns()) {
    return Bad(field, "must start at 0 or later and not end before it starts");
  }
  return absl::OkStatus();
}

absl::Status CheckSignal(std::string_view field, const v1::SignalTrace& signal) {
  RETURN_IF_ERROR(CheckText(fmt::format("{}.name", field), signal.name(), kMaxSignalNameBytes));
  RETURN_IF_ERROR(CheckText(fmt::format("{}.unit", field), signal.unit(), kMaxSignalNameBytes));
  if (signal.offset_us_size() != signal.value_size()) {
    return Bad(field, "must have as many values as offsets");
  }
  return CheckCount(fmt::format("{}.value", field), static_cast<size_t>(signal.value_size()),
                    kMaxSignalPoints);
}

absl::Status CheckTrigger(const v1::TriggerEvidence& trigger) {
  RETURN_IF_ERROR(CheckName("trigger.rule", trigger.rule()));
  RETURN_IF_ERROR(CheckText("trigger.expression", trigger.expression()));
  RETURN_IF_ERROR(CheckRange("trigger.priority", trigger.priority(), 0, kMaxPriority));
  RETURN_IF_ERROR(CheckCount("trigger.firing_monotonic_ns",
                             static_cast<size_t>(trigger.firing_monotonic_ns_size()), kMaxFirings));
  RETURN_IF_ERROR(
      CheckCount("trigger.signals", static_cast<size_t>(trigger.signals_size()), kMaxSignals));
  for (int i = 0; i < trigger.signals_size(); ++i) {
    RETURN_IF_ERROR(CheckSignal(fmt::format("trigger.signals[{}]", i), trigger.signals(i)));
  }
  return absl::OkStatus();
}

absl::Status CheckVideo(const std::string& field, const v1::VideoTrack& video) {
  RETURN_IF_ERROR(CheckName(field + ".camera", video.camera()));
  if (video.codec().empty()) return Bad(field + ".codec", "is empty");
  RETURN_IF_ERROR(CheckText(field + ".codec", video.codec(), 32));
  RETURN_IF_ERROR(CheckRange(field + ".width", video.width(), 1, kMaxPictureSide));
  RETURN_IF_ERROR(CheckRange(field + ".height", video.height(), 1, kMaxPictureSide));
  if (!PictureFits(video.width(), video.height())) {
    return Bad(field, fmt::format("has {}×{} pixels, at most {} in all are allowed", video.width(),
                                  video.height(), kMaxPicturePixels));
  }
  if (video.rotation_degrees() % 90 != 0 || video.rotation_degrees() >= 360) {
    return Bad(field + ".rotation_degrees", "must be 0, 90, 180 or 270");
  }
  if (video.time_base_numerator() == 0 || video.time_base_denominator() == 0) {
    return Bad(field, "must have a time base above 0");
  }
  RETURN_IF_ERROR(CheckRange(field + ".frame_count", video.frame_count(), 1, kMaxFrames));
  if (static_cast<uint32_t>(video.pts_delta_size()) != video.frame_count() - 1) {
    return Bad(field + ".pts_delta", fmt::format("has {} entries for {} frames",
                                                 video.pts_delta_size(), video.frame_count()));
  }
  int64_t pts = video.first_pts();
  for (const uint32_t delta : video.pts_delta()) {
    if (delta == 0) return Bad(field + ".pts_delta", "holds a 0");
    if (pts > std::numeric_limits<int64_t>::max() - delta) {
      return Bad(field + ".pts_delta", "goes beyond what 64 bits hold");
    }
    pts += delta;
  }
  return CheckText(field + ".encoder", video.encoder());
}

std::string_view ContentType(v1::ClipObject::Kind kind) {
  switch (kind) {
    case v1::ClipObject::KIND_PREVIEW:
      return "image/jpeg";
    case v1::ClipObject::KIND_SAMPLES:
      return "application/x-protobuf";
    case v1::ClipObject::KIND_VIDEO:
      return "video/mp4";
    default:
      return "";
  }
}

absl::Status CheckObject(const std::string& field, const v1::ClipObject& object) {
  const std::string_view type = ContentType(object.kind());
  if (type.empty()) return Bad(field + ".kind", "is not one that this server knows");
  if (object.content_type() != type) {
    return Bad(field + ".content_type", fmt::format("must be \"{}\"", type));
  }
  RETURN_IF_ERROR(CheckRange(field + ".size_bytes", object.size_bytes(), 1, kMaxObjectBytes));
  if (object.sha256().size() != 32) return Bad(field + ".sha256", "must have 32 bytes");
  if (static_cast<uint64_t>(object.block_xxh3_size()) != BlockCount(object.size_bytes())) {
    return Bad(field + ".block_xxh3",
               fmt::format("has {} entries for {} blocks", object.block_xxh3_size(),
                           BlockCount(object.size_bytes())));
  }
  return absl::OkStatus();
}

absl::Status CheckObjects(const v1::ClipManifest& manifest) {
  if (manifest.objects().empty()) return Bad("objects", "is empty");
  RETURN_IF_ERROR(CheckCount("objects", static_cast<size_t>(manifest.objects_size()), kMaxObjects));
  int videos = 0;
  for (int i = 0; i < manifest.objects_size(); ++i) {
    const v1::ClipObject& object = manifest.objects(i);
    RETURN_IF_ERROR(CheckObject(fmt::format("objects[{}]", i), object));
    const bool is_video = object.kind() == v1::ClipObject::KIND_VIDEO;
    videos += is_video ? 1 : 0;
    // Kinds are numbered in upload order; only video may come more than once.
    if (i > 0 && (manifest.objects(i - 1).kind() > object.kind() ||
                  (manifest.objects(i - 1).kind() == object.kind() && !is_video))) {
      return Bad("objects", "must be at most one preview, at most one samples, then video");
    }
  }
  RETURN_IF_ERROR(CheckCount("video", static_cast<size_t>(manifest.video_size()), kMaxCameras));
  if (videos != manifest.video_size()) {
    return Bad("video",
               fmt::format("has {} entries for {} video objects", manifest.video_size(), videos));
  }
  std::set<std::string_view> cameras;
  for (int i = 0; i < manifest.video_size(); ++i) {
    const std::string field = fmt::format("video[{}]", i);
    RETURN_IF_ERROR(CheckVideo(field, manifest.video(i)));
    if (!cameras.insert(manifest.video(i).camera()).second) {
      return Bad(field + ".camera", "is there twice");
    }
  }
  return absl::OkStatus();
}

absl::Status CheckManifest(const v1::ClipManifest& manifest, std::string_view device) {
  RETURN_IF_ERROR(CheckName("device", manifest.device()));
  if (manifest.device() != device) {
    return absl::PermissionDeniedError(fmt::format(
        "the manifest names device \"{}\", the certificate \"{}\"", manifest.device(), device));
  }
  if (!manifest.site().empty()) RETURN_IF_ERROR(CheckName("site", manifest.site()));
  if (manifest.fired_at().wall_uncertainty_ns() < 0) {
    return Bad("fired_at.wall_uncertainty_ns", "is negative");
  }
  RETURN_IF_ERROR(CheckTrigger(manifest.trigger()));
  RETURN_IF_ERROR(CheckWindow("requested", manifest.requested()));
  RETURN_IF_ERROR(CheckWindow("delivered", manifest.delivered()));
  RETURN_IF_ERROR(CheckText("shortfall", manifest.shortfall()));
  RETURN_IF_ERROR(CheckText("model_version", manifest.model_version()));
  RETURN_IF_ERROR(CheckText("policy_version", manifest.policy_version()));
  RETURN_IF_ERROR(CheckText("privacy_mask_version", manifest.privacy_mask_version()));
  RETURN_IF_ERROR(CheckText("software_version", manifest.software_version()));
  return CheckObjects(manifest);
}

absl::Status CheckBoot(const std::string& field, const v1::BootLedger& boot) {
  if (boot.boot_id().size() != 16) return Bad(field + ".boot_id", "must have 16 bytes");
  RETURN_IF_ERROR(CheckRange(field + ".last_sequence", boot.last_sequence(), 0, kMaxSequence));
  RETURN_IF_ERROR(CheckCount(field + ".pending", static_cast<size_t>(boot.pending_size()), 65'536));
  uint64_t previous = 0;
  for (const v1::SequenceRange& range : boot.pending()) {
    if (range.first() <= previous || range.last() < range.first() ||
        range.last() > boot.last_sequence()) {
      return Bad(field + ".pending", "must be ascending, disjoint ranges of 1 to last_sequence");
    }
    previous = range.last();
  }
  for (const v1::Tombstone& tombstone : boot.tombstones()) {
    if (tombstone.key().boot_id() != boot.boot_id()) {
      return Bad(field + ".tombstones", "names another boot_id");
    }
    RETURN_IF_ERROR(CheckRange(field + ".tombstones.key.sequence", tombstone.key().sequence(), 1,
                               boot.last_sequence()));
    if (tombstone.state() < v1::Tombstone::STATE_EVICTED ||
        tombstone.state() > v1::Tombstone::STATE_FAILED) {
      return Bad(field + ".tombstones.state", "is not one that this server knows");
    }
    RETURN_IF_ERROR(CheckText(field + ".tombstones.reason", tombstone.reason(), 256));
    if (!tombstone.rule().empty()) {
      RETURN_IF_ERROR(CheckName(field + ".tombstones.rule", tombstone.rule()));
    }
  }
  return absl::OkStatus();
}

}  // namespace

// Walks over the top level only, so that it works, and costs nothing, for a manifest that breaks
// every bound.
bool FindKey(std::string_view manifest, v1::ClipKey* key) {
  using google::protobuf::internal::WireFormatLite;
  google::protobuf::io::CodedInputStream input(reinterpret_cast<const uint8_t*>(manifest.data()),
                                               static_cast<int>(manifest.size()));
  constexpr uint32_t kKeyTag = WireFormatLite::MakeTag(v1::ClipManifest::kKeyFieldNumber,
                                                       WireFormatLite::WIRETYPE_LENGTH_DELIMITED);
  while (const uint32_t tag = input.ReadTag()) {
    if (tag != kKeyTag) {
      if (!WireFormatLite::SkipField(&input, tag)) return false;
      continue;
    }
    uint32_t length = 0;
    std::string bytes;
    return input.ReadVarint32(&length) && length <= 64 &&
           input.ReadString(&bytes, static_cast<int>(length)) && key->ParseFromString(bytes) &&
           key->boot_id().size() == 16;
  }
  return false;
}

bool HasFewLedgerEntries(google::protobuf::io::ZeroCopyInputStream* report) {
  using google::protobuf::internal::WireFormatLite;
  google::protobuf::io::CodedInputStream input(report);
  constexpr uint32_t kBootsTag = WireFormatLite::MakeTag(v1::ReportLedgerRequest::kBootsFieldNumber,
                                                         WireFormatLite::WIRETYPE_LENGTH_DELIMITED);
  int entries = 0;
  while (const uint32_t tag = input.ReadTag()) {
    if (tag != kBootsTag) {
      if (!WireFormatLite::SkipField(&input, tag)) return true;
      continue;
    }
    int length = 0;
    if (++entries > kMaxLedgerEntries) return false;
    if (!input.ReadVarintSizeAsInt(&length)) return true;
    const auto outer = input.PushLimit(length);
    while (const uint32_t inner = input.ReadTag()) {
      if (++entries > kMaxLedgerEntries) return false;
      if (!WireFormatLite::SkipField(&input, inner)) return true;
    }
    input.PopLimit(outer);
  }
  return true;
}

absl::StatusOr<v1::ClipManifest> CheckOffer(const v1::Offer& offer, std::string_view device) {
  if (offer.manifest().size() > kMaxManifestBytes) {
    return Bad("manifest", fmt::format("has {} bytes, at most {} are allowed",
                                       offer.manifest().size(), kMaxManifestBytes));
  }
  if (offer.manifest_sha256().size() != 32) return Bad("manifest_sha256", "must have 32 bytes");
  v1::ClipManifest manifest;
  if (!manifest.ParseFromString(offer.manifest())) return Bad("manifest", "is no ClipManifest");
  if (AsBytes(Sha256::Of(offer.manifest())) != offer.manifest_sha256()) {
    return Bad("manifest_sha256", "is not the SHA-256 of the manifest");
  }
  RETURN_IF_ERROR(CheckKey("key", manifest.key()));
  RETURN_IF_ERROR(CheckManifest(manifest, device));
  return manifest;
}

absl::Status CheckLedgerReport(const v1::ReportLedgerRequest& report) {
  RETURN_IF_ERROR(CheckCount("boots", static_cast<size_t>(report.boots_size()), 64));
  size_t tombstones = 0;
  std::set<std::string_view> boots;
  for (int i = 0; i < report.boots_size(); ++i) {
    const std::string field = fmt::format("boots[{}]", i);
    RETURN_IF_ERROR(CheckBoot(field, report.boots(i)));
    if (!boots.insert(report.boots(i).boot_id()).second) {
      return Bad(field + ".boot_id", "is there twice");
    }
    tombstones += static_cast<size_t>(report.boots(i).tombstones_size());
  }
  return CheckCount("tombstones", tombstones, 1024);
}

}  // namespace gleaner::cloud
