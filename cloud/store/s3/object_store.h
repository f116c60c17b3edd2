// Objects in a bucket of an S3 store.
//
// Keys, below the bucket's prefix: clips/DEVICE/BOOT/SEQUENCE/PART.NONCE, as
// clips/cart-7/3f2a…/17/video-0.9c41d2…; the boot id in hex. The nonce makes every key one that was
// never used before: what is written down to be removed can't be what somebody puts anew, whichever
// server does either.
//
// What is put is verified by the store, which refuses a body with another SHA-256 than the request
// is signed with; of a body in several parts each part is, and the whole is hashed here on its way.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "cloud/store/object_store.h"
#include "cloud/store/s3/client.h"
#include "cloud/store/upload_staging.h"

namespace gleaner::cloud::s3 {

// Above it an object is sent in parts.
inline constexpr uint64_t kLargestSinglePut = 16 << 20;

struct S3ObjectOptions {
  // A folder of this machine for the nameless copies of OpenCopy, which refuses
  // (RESOURCE_EXHAUSTED) what would leave less than `copy_floor_bytes` free there.
  std::string copies;
  uint64_t copy_floor_bytes = 0;
  // UrlOf gives URLs.
  bool presign = false;
  // How many keys List asks for at once; at most 1000.
  int list_page = 1000;
};

// Thread-safe; blocks. Errors as Client.
class S3ObjectStore : public ObjectStore {
 public:
  // Both must outlive it; `staging` may be null where nothing is taken over.
  S3ObjectStore(Client& client, UploadStaging* staging, S3ObjectOptions options)
      : client_(client), staging_(staging), options_(std::move(options)) {}

  ObjectKey KeyFor(const ObjectName& name, const BlobId& staged) override;
  absl::Status TakeOver(const StagedObject& staged, const ObjectKey& key) override;
  absl::StatusOr<ObjectKey> Put(const ObjectName& name, std::string_view bytes) override;
  absl::Status Read(const ObjectKey& key, uint64_t offset, uint64_t size,
                    std::string* out) override;
  absl::StatusOr<uint64_t> SizeOf(const ObjectKey& key) override;
  absl::StatusOr<Fd> OpenCopy(const ObjectKey& key) override;
  absl::Status Remove(const ObjectKey& key) override;
  absl::Status FindDescriptions(
      const std::function<absl::Status(const ObjectKey& at, std::string_view bytes)>& each)
      override;
  std::optional<std::string> UrlOf(const ObjectKey& key, std::string_view content_type,
                                   std::string_view file_name) override;

  // Puts under a key that the caller chose.
  absl::Status PutAt(const ObjectKey& key, std::string_view bytes, std::string_view content_type);
  // Calls `each` for every object whose key begins with `prefix`, in ascending order; ends with the
  // first error.
  absl::Status List(const std::string& prefix,
                    const std::function<absl::Status(const ObjectKey& key, uint64_t size)>& each);

 private:
  absl::Status PutBody(const ObjectKey& key, std::string_view content_type, const Body& body,
                       const Sha256Digest& sha256);

  Client& client_;
  UploadStaging* const staging_;
  const S3ObjectOptions options_;
};

}  // namespace gleaner::cloud::s3
