// WebDataset: tars of bounded size, SPLIT-000000.tar and so on, in which a frame is KEY.jpg
// followed by KEY.json, and index.json with each shard's size, SHA-256 and number of frames. KEY is
// camera/clip-pts and ends before the first dot. A shard ends before the frame with which it would
// be larger than was asked for.
#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "cloud/dataset/export/format.h"
#include "cloud/dataset/export/tar_writer.h"
#include "common/status.h"

namespace gleaner::cloud {
namespace {

using nlohmann::json;

constexpr uint64_t kEndBytes = 1024;

class WebDataset : public ExportFormat {
 public:
  std::string_view name() const override { return "webdataset"; }
  std::string_view about() const override { return "tar shards of bounded size, and index.json"; }
  bool has_shards() const override { return true; }

  absl::Status Write(const ExportSource& source, ExportFiles& files) const override {
    json shards = json::array();
    for (const Split split : source.splits) {
      RETURN_IF_ERROR(WriteSplit(source, split, files, &shards));
    }
    RETURN_IF_ERROR(files.Begin("index.json", "application/json"));
    const json index = {{"dataset", source.name},
                        {"schema", source.head.schema},
                        {"classes", source.head.classes},
                        {"shards", std::move(shards)}};
    return files.Append(index.dump(1) + "\n");
  }

 private:
  static absl::Status WriteSplit(const ExportSource& source, Split split, ExportFiles& files,
                                 json* shards) {
    TarWriter tar(files);
    std::string name;  // of the shard that is open
    uint64_t samples = 0, number = 0;
    const auto close = [&]() -> absl::Status {
      if (name.empty()) return absl::OkStatus();
      RETURN_IF_ERROR(tar.Finish());
      const uint64_t bytes = files.size();
      ASSIGN_OR_RETURN(const std::string sha256, files.End());
      shards->push_back({{"name", name},
                         {"split", SplitWord(split)},
                         {"bytes", bytes},
                         {"sha256", sha256},
                         {"samples", samples}});
      name.clear();
      samples = 0;
      return absl::OkStatus();
    };
    RETURN_IF_ERROR(source.walk([&](const FrozenFrame& frame) -> absl::Status {
      if (frame.split != split) return absl::OkStatus();
      ASSIGN_OR_RETURN(const std::string jpeg, source.picture(frame));
      // The line of the frozen list, as it is.
      const std::string label = frame.ToLine();
      const uint64_t more = TarWriter::SizeOf(jpeg.size()) + TarWriter::SizeOf(label.size());
      if (!name.empty() && files.size() + more + kEndBytes > source.shard_bytes) {
        RETURN_IF_ERROR(close());
      }
      if (name.empty()) {
        name = fmt::format("{}-{:06}.tar", SplitWord(split), number++);
        RETURN_IF_ERROR(files.Begin(name, "application/x-tar"));
      }
      const std::string key =
          fmt::format("{}/{}-{}", frame.name.camera, frame.name.clip, frame.name.pts);
      RETURN_IF_ERROR(tar.Add(key + ".jpg", jpeg));
      RETURN_IF_ERROR(tar.Add(key + ".json", label));
      ++samples;
      return absl::OkStatus();
    }));
    return close();
  }
};

}  // namespace

const ExportFormat& WebDatasetFormat() {
  static const WebDataset format;
  return format;
}

}  // namespace gleaner::cloud
