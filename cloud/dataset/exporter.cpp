#include "cloud/dataset/exporter.h"

#include <fmt/format.h>

#include <algorithm>
#include <memory>
#include <nlohmann/json.hpp>

#include "cloud/database/columns.h"
#include "cloud/dataset/kept_pictures.h"
#include "cloud/dataset/leak_check.h"
#include "cloud/label/schemas.h"
#include "common/crash_point.h"
#include "common/status.h"
#include "common/text.h"

namespace gleaner::cloud {
namespace {

using nlohmann::json;

// A box of 50 bytes in the list is 700 in the wordiest format.
constexpr uint64_t kWordiness = 16;
constexpr uint64_t kFrameBytes = 4096;  // headers and padding of a frame's members of a tar

// Writes into the store, a part of one file in memory.
class StoredFiles : public ExportFiles {
 public:
  StoredFiles(Database& database, ObjectStore& objects, const JobClaim& claim, uint64_t leave_free)
      : database_(database), objects_(objects), claim_(claim), leave_free_(leave_free) {}

  absl::Status Begin(std::string name, std::string content_type) override {
    RETURN_IF_ERROR(End().status());
    if (files.size() == kMaxExportFiles) {
      return absl::FailedPreconditionError(
          fmt::format("it would be more than {} files: ask for larger shards", kMaxExportFiles));
    }
    files.push_back({.name = std::move(name), .content_type = std::move(content_type)});
    writers.push_back(std::make_unique<PartWriter>(
        database_, objects_, AttemptOwner(claim_, writers.size()), leave_free_));
    open_ = true;
    return absl::OkStatus();
  }
  absl::Status Append(std::string_view bytes) override { return writers.back()->Append(bytes); }
  uint64_t size() const override { return writers.empty() ? 0 : writers.back()->size(); }
  absl::StatusOr<std::string> End() override {
    if (!open_) return std::string();
    open_ = false;
    RETURN_IF_ERROR(writers.back()->End());
    files.back().bytes = writers.back()->size();
    files.back().sha256 = HexOf(writers.back()->sha256());
    return files.back().sha256;
  }

  std::vector<ExportFile> files;
  std::vector<std::unique_ptr<PartWriter>> writers;  // of the files

 private:
  Database& database_;
  ObjectStore& objects_;
  const JobClaim claim_;
  const uint64_t leave_free_;
  bool open_ = false;
};

}  // namespace

absl::StatusOr<std::vector<Split>> ParseSplits(const std::vector<std::string>& words) {
  std::array<bool, kSplitWords.size()> wanted{};
  for (const std::string& word : words) {
    const auto found = std::find(kSplitWords.begin(), kSplitWords.end(), word);
    if (found == kSplitWords.end()) {
      return absl::InvalidArgumentError(
          fmt::format("splits: train, validation or test, and not \"{:.40}\"", word));
    }
    wanted[static_cast<size_t>(found - kSplitWords.begin())] = true;
  }
  std::vector<Split> splits;
  for (size_t i = 0; i < wanted.size(); ++i) {
    if (wanted[i] || words.empty()) splits.push_back(static_cast<Split>(i));
  }
  return splits;
}

std::string ExportOrder::Splits() const {
  std::string words;
  for (const Split split : splits)
    words += (words.empty() ? "" : ",") + std::string(SplitWord(split));
  return words;
}

std::string ExportOrder::Subject() const {
  return fmt::format("{} as {} ({}{})", dataset, format, Splits(),
                     shard_bytes == 0 ? "" : fmt::format(", {}", shard_bytes));
}

std::string ExportOrder::ToJson() const {
  return json{
      {"dataset", dataset}, {"format", format}, {"splits", Splits()}, {"shard_bytes", shard_bytes}}
      .dump();
}

absl::StatusOr<ExportOrder> ExportOrder::FromJson(std::string_view text) {
  const json parsed = json::parse(text, nullptr, false);
  try {
    ExportOrder order;
    order.dataset = parsed.at("dataset");
    order.format = parsed.at("format");
    order.shard_bytes = parsed.at("shard_bytes");
    const std::string splits = parsed.at("splits");
    for (size_t i = 0; i < kSplitWords.size(); ++i) {
      if (("," + splits + ",").find("," + std::string(kSplitWords[i]) + ",") != std::string::npos) {
        order.splits.push_back(static_cast<Split>(i));
      }
    }
    return order;
  } catch (const json::exception&) {
    return absl::InvalidArgumentError("the job's parameters are none of this kind");
  }
}

JobKind Exporter::Kind() {
  return {.name = std::string(kExportJob),
          .at_once = 1,
          .run = [this](JobRun& run) { return Run(run); },
          .on_given_up = {}};
}

absl::StatusOr<uint64_t> Exporter::SizeOfClip(const std::string& clip) const {
  auto bytes = clips_.SizeOf(clip);
  if (!absl::IsNotFound(bytes.status())) return bytes;
  return absl::FailedPreconditionError(fmt::format(
      "clip {} is gone, and with it its video: of this dataset there are formats of frames alone",
      clip));
}

absl::Status Exporter::Run(JobRun& run) {
  ASSIGN_OR_RETURN(const ExportOrder order, ExportOrder::FromJson(run.job().parameters()));
  ASSIGN_OR_RETURN(const ExportFormat* format, FindExportFormat(order.format));
  RETURN_IF_ERROR(GiveUpLostParts(database_));
  VersionRow version;
  v1::LabelSchema schema;
  std::vector<Part> parts;
  std::string key;
  RETURN_IF_ERROR(database_.Read([&](Sql& sql) -> absl::Status {
    ASSIGN_OR_RETURN(version, ReadVersion(sql, order.dataset));
    parts = ReadParts(sql, ListOwner(version.number));
    key = ReadSplitKey(sql);
    ASSIGN_OR_RETURN(schema, ReadSchema(sql, version.schema));
    return absl::OkStatus();
  }));
  const PartReader list(objects_, std::move(parts));
  const auto stopped = [&run] { return run.stop().stop_requested(); };
  const auto cancelled = [] { return absl::CancelledError("the export was asked to end"); };

  ExportSource source;
  source.name = version.name;
  source.splits = order.splits;
  source.shard_bytes = order.shard_bytes;
  run.Report(0, "checking the list");
  LeakCheck leaks(database_, key, version.schema);
  uint64_t wanted = 0, clips = 0, object_bytes = 0;
  std::string last_clip;
  const auto is_wanted = [&](Split split) {
    return std::find(order.splits.begin(), order.splits.end(), split) != order.splits.end();
  };
  RETURN_IF_ERROR(WalkFrozen(
      list, version.root,
      [&](const FrozenHead& head) {
        source.head = head;
        return absl::OkStatus();
      },
      [&](FrozenFrame& frame) -> absl::Status {
        if (is_wanted(frame.split)) {
          ++wanted;
          if (!format->has_whole_clips()) {
            object_bytes += frame.picture_bytes;
          } else if (last_clip != frame.name.clip) {
            last_clip = frame.name.clip;
            ++clips;
            ASSIGN_OR_RETURN(const uint64_t bytes, SizeOfClip(last_clip));
            object_bytes += bytes;
          }
        }
        return stopped() ? cancelled() : leaks.Add(frame);
      }));
  if (wanted == 0) {
    return absl::FailedPreconditionError(
        fmt::format("no frame of {} is in {}", version.name, order.Splits()));
  }
  // At most, with its labels and what the format adds. What finds no room must not fill the disk at
  // each attempt, nor wait for ever before all others.
  const uint64_t most = object_bytes + kWordiness * list.size() + kFrameBytes * wanted;
  if (const auto room = objects_.CheckRoom(most, options_.leave_free);
      absl::IsResourceExhausted(room)) {
    return absl::FailedPreconditionError(
        fmt::format("there is no room for an export of {}: {}", HumanBytes(most), Message(room)));
  } else if (!room.ok()) {
    return room;
  }
  uint64_t pictures = 0, opened = 0;
  if (!format->has_whole_frames() && schema.kind() != v1::LabelSchema::KIND_BOXES) {
    return absl::FailedPreconditionError(fmt::format(
        "{} holds boxes alone, and schema {} has none: what it says of whole frames would be lost. "
        "coco, webdataset, mcap and label-studio hold it",
        order.format, version.schema));
  }
  source.walk = [&](const auto& each) {
    return WalkFrozen(list, "", {}, [&](FrozenFrame& frame) {
      if (stopped()) return cancelled();
      return is_wanted(frame.split) ? each(frame) : absl::OkStatus();
    });
  };
  source.picture = [&](const FrozenFrame& frame) {
    if (++pictures % 64 == 0) {
      run.Report(static_cast<double>(pictures) / static_cast<double>(wanted),
                 fmt::format("{} of {} frames", pictures, wanted));
    }
    return ReadKeptPicture(database_, objects_, frame.name, frame.picture_sha256);
  };
  source.clip = [&](const FrozenFrame& frame) {
    run.Report(static_cast<double>(opened) / static_cast<double>(clips),
               fmt::format("{} of {} clips", opened, clips));
    ++opened;
    return clips_.Open(frame, key, version.schema, run.stop());
  };
  source.spool = [this] { return SpoolFile::Make(options_.folder); };

  StoredFiles files(database_, objects_, run.claim(), options_.leave_free);
  RETURN_IF_ERROR(format->Write(source, files));
  RETURN_IF_ERROR(files.End().status());
  GLEANER_CRASH_POINT("dataset.export_stored");
  ExportRow row{.version = version.number,
                .format = order.format,
                .splits = order.Splits(),
                .shard_bytes = order.shard_bytes,
                .made_ns = clock_.WallNs(),
                .files = files.files};
  uint64_t bytes = 0;
  for (const ExportFile& file : row.files) bytes += file.bytes;
  bool taken = false;
  const absl::Status finished =
      run.Finish(fmt::format("{}, {}", Count(row.files.size(), "file"), HumanBytes(bytes)),
                 [&](Sql& sql) -> absl::Status {
                   // Another server may have been faster.
                   taken = !FindExport(sql, row.version, row.format, row.splits, row.shard_bytes);
                   if (!taken) return absl::OkStatus();
                   const uint64_t number = InsertExport(sql, row);
                   for (size_t i = 0; i < row.files.size(); ++i) {
                     files.writers[i]->GiveTo(sql, FileOwner(number, row.files[i].name));
                   }
                   ForgetExports(sql, kKeptExports);
                   return absl::OkStatus();
                 });
  if (finished.ok() && taken) {
    for (const auto& writer : files.writers) writer->Keep();
  }
  return finished;
}

}  // namespace gleaner::cloud
