#include "cloud/dataset/merkle.h"

namespace gleaner::cloud {
namespace {

Sha256Digest Node(const Sha256Digest& left, const Sha256Digest& right) {
  Sha256 hash;
  hash.Update("\x01");
  hash.Update(AsBytes(left));
  hash.Update(AsBytes(right));
  return hash.Finish();
}

}  // namespace

void Merkle::Add(std::string_view line) {
  Sha256 hash;
  hash.Update("\0", 1);
  hash.Update(line);
  Sha256Digest tree = hash.Finish();
  int height = 0;
  while (!whole_.empty() && whole_.back().first == height) {
    tree = Node(whole_.back().second, tree);
    whole_.pop_back();
    ++height;
  }
  whole_.emplace_back(height, tree);
  ++leaves_;
}

Sha256Digest Merkle::Root() const {
  Sha256Digest tree = whole_.empty() ? Sha256::Of("") : whole_.back().second;
  for (size_t i = whole_.size(); i-- > 1;) tree = Node(whole_[i - 1].second, tree);
  Sha256 hash;
  hash.Update("gleaner.dataset.v1\n");
  for (int shift = 56; shift >= 0; shift -= 8) {
    const auto byte = static_cast<char>(leaves_ >> shift & 0xff);
    hash.Update(&byte, 1);
  }
  hash.Update(AsBytes(tree));
  return hash.Finish();
}

}  // namespace gleaner::cloud
