// Datasets for people: versions, what they hold, how they differ, their exports.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <string_view>

#include "absl/status/statusor.h"
#include "cloud/database/database.h"
#include "cloud/dataset/dataset_rows.h"
#include "cloud/dataset/exporter.h"
#include "cloud/dataset/freezer.h"
#include "cloud/dataset/parts.h"
#include "cloud/dataset/signed_url.h"
#include "cloud/jobs/jobs.h"
#include "cloud/search/vocabulary.h"
#include "cloud/store/object_store.h"
#include "common/clock.h"
#include "gleaner/v1/dataset.pb.h"

namespace gleaner::cloud {

// A file that can be read from anywhere.
struct StoredFile {
  std::string name, content_type;
  Sha256Digest sha256{};
  PartReader parts;
};

// Thread-safe; blocks. Errors as Database, and NOT_FOUND for a dataset that isn't there.
class Datasets {
 public:
  // All of them must outlive it. `words`: of filters.
  Datasets(Database& database, ObjectStore& objects, Jobs& jobs, Clock& clock,
           const Vocabulary& words)
      : database_(database), objects_(objects), jobs_(jobs), clock_(clock), words_(words) {}

  // The job. `with`: in the same transaction, before. INVALID_ARGUMENT says what is wrong;
  // ALREADY_EXISTS.
  absl::StatusOr<v1::Job> Freeze(const v1::FreezeDatasetRequest& request, std::string by,
                                 const Database::Operation& with);
  absl::StatusOr<v1::ListDatasetsResponse> List(const v1::ListDatasetsRequest& request);
  absl::StatusOr<v1::GetDatasetResponse> Get(const std::string& name);
  absl::StatusOr<v1::DiffDatasetsResponse> Diff(const v1::DiffDatasetsRequest& request);
  absl::StatusOr<v1::VerifyDatasetResponse> Verify(const std::string& name);
  absl::StatusOr<v1::ExportDatasetResponse> Export(const v1::ExportDatasetRequest& request,
                                                   const Database::Operation& with);
  absl::StatusOr<v1::ListExportsResponse> ListExports(const std::string& name);

  // For serving.
  absl::StatusOr<StoredFile> FindList(const std::string& name);
  absl::StatusOr<StoredFile> FindExported(const std::string& name, uint64_t export_number,
                                          const std::string& file);
  // For UrlSigner. NOT_FOUND where nothing was ever signed.
  absl::StatusOr<std::string> UrlKey();

 private:
  absl::StatusOr<UrlSigner> Signer();
  absl::StatusOr<PartReader> OpenList(const std::string& name, VersionRow* row);

  Database& database_;
  ObjectStore& objects_;
  Jobs& jobs_;
  Clock& clock_;
  const Vocabulary& words_;
};

}  // namespace gleaner::cloud
