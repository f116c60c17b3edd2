#include "cloud/dataset/export/tar_writer.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "common/status.h"

namespace gleaner::cloud {
namespace {

constexpr size_t kBlock = 512;
constexpr size_t kNameBytes = 100, kPrefixBytes = 155;

void Put(std::array<char, kBlock>& header, size_t at, std::string_view text) {
  std::copy(text.begin(), text.end(), header.begin() + static_cast<ptrdiff_t>(at));
}

}  // namespace

absl::Status TarWriter::Add(std::string_view path, std::string_view bytes) {
  RETURN_IF_ERROR(Begin(path, bytes.size()));
  RETURN_IF_ERROR(Append(bytes));
  return End();
}

absl::Status TarWriter::Begin(std::string_view path, uint64_t bytes) {
  // A path that is too long for its field is cut at a slash, and the front goes into another.
  std::string_view prefix;
  if (path.size() > kNameBytes) {
    const size_t slash = path.find('/', path.size() - kNameBytes - 1);
    if (slash == std::string_view::npos || slash > kPrefixBytes) {
      return absl::InternalError(fmt::format("the path {} is too long for a tar", path));
    }
    prefix = path.substr(0, slash);
    path.remove_prefix(slash + 1);
  }
  if (bytes >= 1ULL << 33) return absl::InternalError("a member of a tar has less than 8 GiB");
  std::array<char, kBlock> header{};
  Put(header, 0, path);
  Put(header, 100, "0000644");
  Put(header, 108, "0000000");
  Put(header, 116, "0000000");
  Put(header, 124, fmt::format("{:011o}", bytes));
  Put(header, 136, "00000000000");
  Put(header, 148, "        ");
  header[156] = '0';
  Put(header, 257,
      std::string_view("ustar\0"
                       "00",
                       8));
  Put(header, 345, prefix);
  unsigned sum = 0;
  for (const char c : header) sum += static_cast<unsigned char>(c);
  Put(header, 148, fmt::format("{:06o}", sum));
  header[154] = '\0';
  left_ = size_ = bytes;
  return file_.Append({header.data(), header.size()});
}

absl::Status TarWriter::Append(std::string_view bytes) {
  if (bytes.size() > left_) return absl::InternalError("a member of a tar is longer than was said");
  left_ -= bytes.size();
  return file_.Append(bytes);
}

absl::Status TarWriter::End() {
  if (left_ > 0) return absl::InternalError("a member of a tar is shorter than was said");
  return file_.Append(std::string((kBlock - size_ % kBlock) % kBlock, '\0'));
}

absl::Status TarWriter::Finish() { return file_.Append(std::string(2 * kBlock, '\0')); }

}  // namespace gleaner::cloud
