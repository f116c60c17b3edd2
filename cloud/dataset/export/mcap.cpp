// MCAP: files of bounded size, SPLIT-000000.mcap and so on, in which a clip is whole, and
// index.json. Of each clip of which frames are in the list there are
//
//   /DEVICE/CAMERA/video    foxglove.CompressedVideo (protobuf): one access unit a message, Annex
//                           B, parameter sets before each IDR picture; of cameras with labels
//   /DEVICE/CAMERA/labels   gleaner.Label (JSON): the frozen list's line, at the frame's time
//   /DEVICE/series/NAME     gleaner.Sample (JSON): the clip's sample series
//   metadata "gleaner.clip" which clip, where from, and why a video is left out
//
// Times are the device's wall time at the firing, along its monotonic time from there. A video is
// left out, and told of in index.json, where CompressedVideo can't have it (another codec than
// H.264 and H.265; frames that are shown in another order than they are coded in), and where the
// clip has a frame that looks like one of another split: a video shows them all. A file ends before
// the clip with which, by the sizes of its objects, it would be larger than was asked for.
#include <fmt/format.h>
#include <google/protobuf/descriptor.h>
#include <google/protobuf/descriptor.pb.h>
#include <google/protobuf/io/coded_stream.h>
#include <google/protobuf/io/zero_copy_stream_impl_lite.h>
#include <google/protobuf/timestamp.pb.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "cloud/dataset/export/format.h"
#include "cloud/dataset/export/mcap_writer.h"
#include "common/clock.h"
#include "common/status.h"

namespace gleaner::cloud {
namespace {

using google::protobuf::FieldDescriptorProto;
using google::protobuf::io::CodedOutputStream;
using nlohmann::json;

constexpr std::string_view kLibrary = "gleaner";
constexpr std::string_view kLabelSchema =
    R"({"title":"gleaner.Label","description":"A line of the frozen list","type":"object",)"
    R"("properties":{"boxes":{"type":"array"},"camera":{"type":"string"},"clip":{"type":"string"},)"
    R"("pts":{"type":"integer"},"split":{"type":"string"}}})";
constexpr std::string_view kSampleSchema =
    R"({"title":"gleaner.Sample","type":"object","properties":{"value":{"type":"number"}}})";

// What `protoc --include_imports --descriptor_set_out` makes of foxglove/CompressedVideo.proto:
// Timestamp timestamp = 1, string frame_id = 2, bytes data = 3, string format = 4.
std::string VideoDescriptors() {
  google::protobuf::FileDescriptorSet set;
  google::protobuf::Timestamp::descriptor()->file()->CopyTo(set.add_file());
  google::protobuf::FileDescriptorProto* file = set.add_file();
  file->set_name("foxglove/CompressedVideo.proto");
  file->set_package("foxglove");
  file->set_syntax("proto3");
  file->add_dependency("google/protobuf/timestamp.proto");
  google::protobuf::DescriptorProto* message = file->add_message_type();
  message->set_name("CompressedVideo");
  const auto add = [message](int number, const char* name, const char* json_name,
                             FieldDescriptorProto::Type type) {
    FieldDescriptorProto* field = message->add_field();
    field->set_name(name);
    field->set_json_name(json_name);
    field->set_number(number);
    field->set_label(FieldDescriptorProto::LABEL_OPTIONAL);
    field->set_type(type);
    return field;
  };
  add(1, "timestamp", "timestamp", FieldDescriptorProto::TYPE_MESSAGE)
      ->set_type_name(".google.protobuf.Timestamp");
  add(2, "frame_id", "frameId", FieldDescriptorProto::TYPE_STRING);
  add(3, "data", "data", FieldDescriptorProto::TYPE_BYTES);
  add(4, "format", "format", FieldDescriptorProto::TYPE_STRING);
  return set.SerializeAsString();
}

std::string VideoMessage(std::string_view camera, std::string_view format, const AccessUnit& unit) {
  google::protobuf::Timestamp at;
  at.set_seconds(unit.unix_ns / kNanosPerSecond);
  at.set_nanos(static_cast<int32_t>(unit.unix_ns % kNanosPerSecond));
  std::string message;
  google::protobuf::io::StringOutputStream to(&message);
  CodedOutputStream out(&to);
  const auto field = [&out](uint32_t number, std::string_view bytes) {
    constexpr uint32_t kLengthDelimited = 2;
    out.WriteTag(number << 3 | kLengthDelimited);
    out.WriteVarint32(static_cast<uint32_t>(bytes.size()));
    out.WriteRaw(bytes.data(), static_cast<int>(bytes.size()));
  };
  field(1, at.SerializeAsString());
  field(2, camera);
  field(3, unit.bytes);
  field(4, format);
  out.Trim();
  return message;
}

uint64_t LogTime(int64_t unix_ns) { return static_cast<uint64_t>(std::max<int64_t>(unix_ns, 0)); }

std::string_view FormatOf(const v1::ClipManifest& manifest, std::string_view camera) {
  for (const v1::VideoTrack& track : manifest.video()) {
    if (track.camera() == camera) return track.codec() == "hevc" ? "h265" : "h264";
  }
  return "h264";
}

// The file that is open.
class Recording {
 public:
  explicit Recording(ExportFiles& files) : writer_(files) {}

  absl::Status Begin() { return writer_.Begin(kLibrary); }
  absl::Status EndClip() { return writer_.EndChunk(); }
  absl::Status Finish() { return writer_.Finish(); }
  uint64_t messages() const { return writer_.messages(); }

  absl::Status AddClip(const FrozenFrame& frame, const v1::ClipManifest& manifest) {
    return writer_.AddMetadata(
        "gleaner.clip", {{"clip", frame.name.clip},
                         {"device", manifest.device()},
                         {"site", manifest.site()},
                         {"rule", manifest.trigger().rule()},
                         {"fired_unix_ns", fmt::to_string(manifest.fired_at().wall_unix_ns())},
                         {"split", std::string(SplitWord(frame.split))}});
  }

  absl::Status AddSeries(const v1::ClipManifest& manifest, const v1::SampleSeries& series) {
    const int64_t start = manifest.fired_at().wall_unix_ns() - manifest.fired_at().monotonic_ns() +
                          manifest.delivered().start_monotonic_ns();
    for (const v1::SignalTrace& signal : series.signals()) {
      const int points = std::min(signal.offset_us_size(), signal.value_size());
      if (points == 0) continue;
      ASSIGN_OR_RETURN(const uint16_t schema,
                       writer_.AddSchema("gleaner.Sample", "jsonschema", kSampleSchema));
      ASSIGN_OR_RETURN(
          const uint16_t channel,
          writer_.AddChannel(schema, fmt::format("/{}/series/{}", manifest.device(), signal.name()),
                             "json", {{"unit", signal.unit()}}));
      for (int i = 0; i < points; ++i) {
        RETURN_IF_ERROR(writer_.Write(channel, LogTime(start + signal.offset_us(i) * 1000),
                                      json{{"value", signal.value(i)}}.dump()));
      }
    }
    return absl::OkStatus();
  }

  absl::Status AddVideo(const ClipSource& clip, const std::string& camera) {
    const std::string_view format = FormatOf(clip.manifest, camera);
    std::optional<uint16_t> channel;
    return clip.video(camera, [&](const AccessUnit& unit) -> absl::Status {
      if (!channel) {
        static const std::string descriptors = VideoDescriptors();
        ASSIGN_OR_RETURN(const uint16_t schema,
                         writer_.AddSchema("foxglove.CompressedVideo", "protobuf", descriptors));
        ASSIGN_OR_RETURN(
            channel,
            writer_.AddChannel(schema, fmt::format("/{}/{}/video", clip.manifest.device(), camera),
                               "protobuf", {}));
      }
      return writer_.Write(*channel, LogTime(unit.unix_ns), VideoMessage(camera, format, unit));
    });
  }

  absl::Status AddLabel(const FrozenFrame& frame) {
    ASSIGN_OR_RETURN(const uint16_t schema,
                     writer_.AddSchema("gleaner.Label", "jsonschema", kLabelSchema));
    ASSIGN_OR_RETURN(
        const uint16_t channel,
        writer_.AddChannel(schema, fmt::format("/{}/{}/labels", frame.device, frame.name.camera),
                           "json", {}));
    return writer_.Write(channel, LogTime(frame.taken_ns), frame.ToLine());
  }

 private:
  McapWriter writer_;
};

class Mcap : public ExportFormat {
 public:
  std::string_view name() const override { return "mcap"; }
  std::string_view about() const override {
    return "whole clips: video, sample series and labels, in files of bounded size";
  }
  bool has_shards() const override { return true; }
  bool has_whole_clips() const override { return true; }

  absl::Status Write(const ExportSource& source, ExportFiles& files) const override {
    json shards = json::array(), left_out = json::array();
    for (const Split split : source.splits) {
      RETURN_IF_ERROR(WriteSplit(source, split, files, &shards, &left_out));
    }
    RETURN_IF_ERROR(files.Begin("index.json", "application/json"));
    const json index = {{"dataset", source.name},
                        {"schema", source.head.schema},
                        {"classes", source.head.classes},
                        {"shards", std::move(shards)},
                        {"videos_left_out", std::move(left_out)}};
    return files.Append(index.dump(1) + "\n");
  }

 private:
  static absl::Status WriteSplit(const ExportSource& source, Split split, ExportFiles& files,
                                 json* shards, json* left_out) {
    std::optional<Recording> recording;
    std::string name;
    uint64_t clips = 0, number = 0;
    const auto close = [&]() -> absl::Status {
      if (!recording) return absl::OkStatus();
      RETURN_IF_ERROR(recording->Finish());
      const uint64_t bytes = files.size();
      ASSIGN_OR_RETURN(const std::string sha256, files.End());
      shards->push_back({{"name", name},
                         {"split", SplitWord(split)},
                         {"bytes", bytes},
                         {"sha256", sha256},
                         {"clips", clips},
                         {"messages", recording->messages()}});
      recording.reset();
      clips = 0;
      return absl::OkStatus();
    };
    std::optional<ClipSource> clip;
    FrameName last;
    RETURN_IF_ERROR(source.walk([&](const FrozenFrame& frame) -> absl::Status {
      if (frame.split != split) return absl::OkStatus();
      const bool new_clip = !clip || frame.name.clip != last.clip;
      if (new_clip) {
        ASSIGN_OR_RETURN(clip, source.clip(frame));
        if (recording) RETURN_IF_ERROR(recording->EndClip());
        if (recording && files.size() + clip->bytes > source.shard_bytes) RETURN_IF_ERROR(close());
        if (!recording) {
          name = fmt::format("{}-{:06}.mcap", SplitWord(split), number++);
          RETURN_IF_ERROR(files.Begin(name, "application/x-mcap"));
          recording.emplace(files);
          RETURN_IF_ERROR(recording->Begin());
        }
        ++clips;
        RETURN_IF_ERROR(recording->AddClip(frame, clip->manifest));
        ASSIGN_OR_RETURN(const v1::SampleSeries series, clip->series());
        RETURN_IF_ERROR(recording->AddSeries(clip->manifest, series));
      }
      if (new_clip || frame.name.camera != last.camera) {
        const absl::Status written = recording->AddVideo(*clip, frame.name.camera);
        if (!absl::IsFailedPrecondition(written)) {
          RETURN_IF_ERROR(written);
        } else {
          left_out->push_back({{"clip", frame.name.clip},
                               {"camera", frame.name.camera},
                               {"why", Message(written)}});
        }
      }
      last = frame.name;
      return recording->AddLabel(frame);
    }));
    return close();
  }
};

}  // namespace

const ExportFormat& McapFormat() {
  static const Mcap format;
  return format;
}

}  // namespace gleaner::cloud
