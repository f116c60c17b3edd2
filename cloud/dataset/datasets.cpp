#include "cloud/dataset/datasets.h"

#include <fmt/format.h>

#include <algorithm>

#include "cloud/database/columns.h"
#include "cloud/database/pages.h"
#include "cloud/dataset/card.h"
#include "cloud/search/filter.h"
#include "common/name.h"
#include "common/status.h"

namespace gleaner::cloud {
namespace {

constexpr uint32_t kMaxChanges = 10'000;

void CopyTo(const VersionRow& row, v1::Dataset* dataset) {
  dataset->set_name(row.name);
  dataset->set_schema(row.schema);
  dataset->set_filter(row.filter);
  dataset->set_root(row.root);
  dataset->set_frames(row.frames);
  dataset->set_picture_bytes(row.picture_bytes);
  dataset->set_made_by(row.made_by);
  dataset->set_made_unix_ns(row.made_ns);
}

void CopyTo(const ExportRow& row, const std::string& dataset, const UrlSigner& signer,
            v1::Export* out) {
  out->set_number(row.number);
  out->set_dataset(dataset);
  out->set_format(row.format);
  for (const std::string_view word : kSplitWords) {
    if (("," + row.splits + ",").find(fmt::format(",{},", word)) != std::string::npos) {
      out->add_splits(std::string(word));
    }
  }
  out->set_made_unix_ns(row.made_ns);
  for (const ExportFile& file : row.files) {
    v1::ExportedFile* one = out->add_files();
    one->set_name(file.name);
    one->set_bytes(file.bytes);
    one->set_sha256(file.sha256);
    one->set_url(
        signer.Sign(fmt::format("/datasets/{}/exports/{}/{}", dataset, row.number, file.name)));
    one->set_url_until_unix_s(signer.until_unix_s());
  }
}

// What of a frame differs.
void Compare(const FrozenFrame& a, const FrozenFrame& b, v1::DatasetChange* change) {
  const auto differs = [&](const char* what, bool so) {
    if (so) change->add_what(what);
  };
  const auto boxes = [](const FrozenBox& box) {
    return std::tie(box.class_name, box.x, box.y, box.width, box.height, box.attributes);
  };
  differs("boxes", !std::equal(a.boxes.begin(), a.boxes.end(), b.boxes.begin(), b.boxes.end(),
                               [&](const FrozenBox& one, const FrozenBox& other) {
                                 return boxes(one) == boxes(other);
                               }));
  differs("classes", a.classes != b.classes);
  differs("text", a.text != b.text);
  differs("attributes", a.attributes != b.attributes);
  differs("split", a.split != b.split);
  differs("picture", a.picture_sha256 != b.picture_sha256);
  differs("model", a.model != b.model);
  differs("reviewer", a.reviewer_role != b.reviewer_role || a.label != b.label);
}

// A frozen list, frame by frame.
class Cursor {
 public:
  explicit Cursor(const PartReader& list) : lines_(list) {}
  // The head, too.
  absl::Status Next() {
    std::string line;
    ASSIGN_OR_RETURN(const bool more, lines_.Next(&line));
    if (more && !std::exchange(begun_, true)) return Next();
    if (!more) {
      frame_.reset();
      return absl::OkStatus();
    }
    ASSIGN_OR_RETURN(frame_, FrozenFrame::FromLine(line));
    line_ = std::move(line);
    return absl::OkStatus();
  }
  const std::optional<FrozenFrame>& frame() const { return frame_; }
  const std::string& line() const { return line_; }

 private:
  LineReader lines_;
  bool begun_ = false;
  std::optional<FrozenFrame> frame_;
  std::string line_;
};

}  // namespace

absl::StatusOr<v1::Job> Datasets::Freeze(const v1::FreezeDatasetRequest& request, std::string by,
                                         const Database::Operation& with) {
  if (!IsName(request.name())) {
    return absl::InvalidArgumentError("name: " + NotAName(request.name()));
  }
  if (!IsName(request.schema())) {
    return absl::InvalidArgumentError("schema: " + NotAName(request.schema()));
  }
  FreezeOrder order{.name = request.name(),
                    .schema = request.schema(),
                    .filter = request.filter(),
                    .by = std::move(by),
                    .as_of_ns = clock_.WallNs(),
                    .leave_out_empty = request.leave_out_empty(),
                    .seed = request.seed(),
                    .most = request.most()};
  if (request.least_role() != v1::ROLE_UNSPECIFIED) {
    if (!v1::Role_IsValid(request.least_role())) {
      return absl::InvalidArgumentError("least_role: annotator, operator or admin");
    }
    order.least_role = request.least_role();
  }
  RETURN_IF_ERROR(ParseFilter(order.filter, order.as_of_ns, words_, FilterOf::kFrames).status());
  uint64_t number = 0;
  RETURN_IF_ERROR(database_.Write([&](Sql& sql) -> absl::Status {
    if (HasVersion(sql, order.name)) {
      return absl::AlreadyExistsError(
          fmt::format("there is a dataset {} already, and none ever changes", order.name));
    }
    RETURN_IF_ERROR(with(sql));
    number = AddJob(sql,
                    {.kind = kFreezeJob,
                     .subject = order.name,
                     .share = "datasets",
                     .parameters = order.ToJson()},
                    order.as_of_ns);
    return absl::OkStatus();
  }));
  return jobs_.Get(number);
}

absl::StatusOr<v1::ListDatasetsResponse> Datasets::List(const v1::ListDatasetsRequest& request) {
  const size_t page = PageSize(request.page_size());
  ASSIGN_OR_RETURN(const int64_t before, PageBefore(request.page_token()));
  return database_.Read([&](Sql& sql) -> absl::StatusOr<v1::ListDatasetsResponse> {
    v1::ListDatasetsResponse response;
    const auto rows = ReadVersions(sql, before, page + 1);
    for (size_t i = 0; i < std::min(rows.size(), page); ++i) {
      CopyTo(rows[i], response.add_datasets());
    }
    if (rows.size() > page) response.set_next_page_token(std::to_string(rows[page - 1].number));
    return response;
  });
}

absl::StatusOr<v1::GetDatasetResponse> Datasets::Get(const std::string& name) {
  return database_.Read([&](Sql& sql) -> absl::StatusOr<v1::GetDatasetResponse> {
    ASSIGN_OR_RETURN(const VersionRow row, ReadVersion(sql, name));
    v1::GetDatasetResponse response;
    CopyTo(row, response.mutable_dataset());
    response.set_card_json(row.card);
    response.set_card_text(CardText(row.card));
    return response;
  });
}

absl::StatusOr<PartReader> Datasets::OpenList(const std::string& name, VersionRow* row) {
  return database_.Read([&](Sql& sql) -> absl::StatusOr<PartReader> {
    ASSIGN_OR_RETURN(*row, ReadVersion(sql, name));
    return PartReader(objects_, ReadParts(sql, ListOwner(row->number)));
  });
}

absl::StatusOr<v1::DiffDatasetsResponse> Datasets::Diff(const v1::DiffDatasetsRequest& request) {
  if (request.limit() > kMaxChanges) {
    return absl::InvalidArgumentError(
        fmt::format("limit is {}, must be 0 to {}", request.limit(), kMaxChanges));
  }
  VersionRow row;
  ASSIGN_OR_RETURN(const PartReader from, OpenList(request.from(), &row));
  ASSIGN_OR_RETURN(const PartReader to, OpenList(request.to(), &row));
  v1::DiffDatasetsResponse response;
  Cursor old(from), now(to);
  RETURN_IF_ERROR(old.Next());
  RETURN_IF_ERROR(now.Next());
  const auto note = [&](v1::DatasetChange::Kind kind, const FrozenFrame& frame) {
    if (static_cast<uint32_t>(response.changes_size()) >= request.limit()) {
      return static_cast<v1::DatasetChange*>(nullptr);
    }
    v1::DatasetChange* change = response.add_changes();
    change->set_kind(kind);
    change->mutable_frame()->set_clip(frame.name.clip);
    change->mutable_frame()->set_camera(frame.name.camera);
    change->mutable_frame()->set_pts(frame.name.pts);
    return change;
  };
  while (old.frame() || now.frame()) {
    const bool only_old =
        old.frame() && (!now.frame() || Before(old.frame()->name, now.frame()->name));
    const bool only_now =
        now.frame() && (!old.frame() || Before(now.frame()->name, old.frame()->name));
    if (only_old) {
      response.set_removed(response.removed() + 1);
      note(v1::DatasetChange::KIND_REMOVED, *old.frame());
    } else if (only_now) {
      response.set_added(response.added() + 1);
      note(v1::DatasetChange::KIND_ADDED, *now.frame());
    } else if (old.line() == now.line()) {
      response.set_same(response.same() + 1);
    } else {
      response.set_changed(response.changed() + 1);
      if (auto* change = note(v1::DatasetChange::KIND_CHANGED, *now.frame())) {
        Compare(*old.frame(), *now.frame(), change);
      }
    }
    if (!only_now) RETURN_IF_ERROR(old.Next());
    if (!only_old) RETURN_IF_ERROR(now.Next());
  }
  return response;
}

absl::StatusOr<v1::VerifyDatasetResponse> Datasets::Verify(const std::string& name) {
  VersionRow row;
  ASSIGN_OR_RETURN(const PartReader list, OpenList(name, &row));
  RETURN_IF_ERROR(WalkFrozen(list, row.root, {}, {}));
  v1::VerifyDatasetResponse response;
  response.set_root(row.root);
  response.set_frames(row.frames);
  return response;
}

absl::StatusOr<v1::ExportDatasetResponse> Datasets::Export(const v1::ExportDatasetRequest& request,
                                                           const Database::Operation& with) {
  ASSIGN_OR_RETURN(const ExportFormat* format, FindExportFormat(request.format()));
  ExportOrder order{.dataset = request.name(), .format = request.format(), .splits = {}};
  ASSIGN_OR_RETURN(order.splits, ParseSplits({request.splits().begin(), request.splits().end()}));
  if (format->has_shards()) {
    order.shard_bytes = request.shard_bytes() == 0 ? kShardBytes : request.shard_bytes();
    if (order.shard_bytes < kMinShardBytes || order.shard_bytes > kMaxShardBytes) {
      return absl::InvalidArgumentError(fmt::format("shard_bytes is {}, must be {} to {}",
                                                    order.shard_bytes, kMinShardBytes,
                                                    kMaxShardBytes));
    }
  }
  v1::ExportDatasetResponse response;
  uint64_t job = 0;
  std::optional<ExportRow> made;
  RETURN_IF_ERROR(database_.Write([&](Sql& sql) -> absl::Status {
    ASSIGN_OR_RETURN(const VersionRow row, ReadVersion(sql, order.dataset));
    RETURN_IF_ERROR(with(sql));
    made = FindExport(sql, row.number, order.format, order.Splits(), order.shard_bytes);
    if (made) return absl::OkStatus();
    job = AddJob(sql,
                 {.kind = kExportJob,
                  .subject = order.Subject(),
                  .share = "datasets",
                  .parameters = order.ToJson()},
                 clock_.WallNs());
    return absl::OkStatus();
  }));
  if (made) {
    ASSIGN_OR_RETURN(const UrlSigner signer, Signer());
    CopyTo(*made, order.dataset, signer, response.mutable_export_());
  } else {
    ASSIGN_OR_RETURN(*response.mutable_job(), jobs_.Get(job));
  }
  return response;
}

absl::StatusOr<v1::ListExportsResponse> Datasets::ListExports(const std::string& name) {
  v1::ListExportsResponse response;
  for (const ExportFormat* format : ExportFormats()) {
    v1::ExportFormatSummary* one = response.add_formats();
    one->set_name(std::string(format->name()));
    one->set_about(std::string(format->about()));
  }
  ASSIGN_OR_RETURN(const auto rows,
                   database_.Read([&](Sql& sql) -> absl::StatusOr<std::vector<ExportRow>> {
                     ASSIGN_OR_RETURN(const VersionRow row, ReadVersion(sql, name));
                     return ReadExports(sql, row.number);
                   }));
  if (rows.empty()) return response;
  ASSIGN_OR_RETURN(const UrlSigner signer, Signer());
  for (const ExportRow& row : rows) CopyTo(row, name, signer, response.add_exports());
  return response;
}

absl::StatusOr<StoredFile> Datasets::FindList(const std::string& name) {
  VersionRow row;
  ASSIGN_OR_RETURN(PartReader list, OpenList(name, &row));
  // Its root names its bytes as well as their digest would.
  return StoredFile{.name = name + ".jsonl",
                    .content_type = "application/jsonl",
                    .sha256 = DigestFromHex(row.root),
                    .parts = std::move(list)};
}

absl::StatusOr<StoredFile> Datasets::FindExported(const std::string& name, uint64_t export_number,
                                                  const std::string& file) {
  return database_.Read([&](Sql& sql) -> absl::StatusOr<StoredFile> {
    ASSIGN_OR_RETURN(const VersionRow version, ReadVersion(sql, name));
    const auto row = ReadExport(sql, export_number);
    if (row && row->version == version.number) {
      for (const ExportFile& one : row->files) {
        if (one.name != file) continue;
        return StoredFile{
            .name = one.name,
            .content_type = one.content_type,
            .sha256 = DigestFromHex(one.sha256),
            .parts = PartReader(objects_, ReadParts(sql, FileOwner(export_number, one.name)))};
      }
    }
    return absl::NotFoundError(fmt::format(
        "dataset {} has no such file of an export (any more): ask for the export again", name));
  });
}

absl::StatusOr<std::string> Datasets::UrlKey() {
  return database_.Read([](Sql& sql) -> absl::StatusOr<std::string> {
    std::string key = ReadUrlSecret(sql);
    if (key.empty()) return absl::NotFoundError("nothing was signed yet");
    return key;
  });
}

absl::StatusOr<UrlSigner> Datasets::Signer() {
  auto key = UrlKey();
  if (absl::IsNotFound(key.status())) {
    std::string made;
    RETURN_IF_ERROR(database_.Write([&](Sql& sql) {
      made = MakeUrlSecret(sql);
      return absl::OkStatus();
    }));
    return UrlSigner(made, clock_.WallNs());
  }
  RETURN_IF_ERROR(key.status());
  return UrlSigner(*key, clock_.WallNs());
}

}  // namespace gleaner::cloud
