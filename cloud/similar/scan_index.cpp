#include "cloud/similar/scan_index.h"

#include <cmath>
#include <numeric>

namespace gleaner::cloud {
namespace {

thread_local size_t last_read_rows = 0;

// Tables for a query: what four axes with these signs add to the sum, in whole steps above the
// least that they can add.
struct Tables {
  std::vector<uint8_t> entries;
  float step = 0, base = 0;
};

void MakeTables(std::span<const float> query, Tables* tables) {
  const size_t groups = query.size() / 4;
  tables->entries.resize(groups * 16);
  float widest = 0, base = 0;
  for (size_t g = 0; g < groups; ++g) {
    const float* v = query.data() + 4 * g;
    const float reach = std::abs(v[0]) + std::abs(v[1]) + std::abs(v[2]) + std::abs(v[3]);
    widest = std::max(widest, 2 * reach);
    base -= reach;
  }
  const auto limit = static_cast<float>(TableEntryLimit(query.size()));
  tables->step = widest / limit;
  tables->base = base;
  const float scale = widest == 0 ? 0 : limit / widest;
  for (size_t g = 0; g < groups; ++g) {
    const float* v = query.data() + 4 * g;
    std::array<float, 16> sums;
    sums[0] = 0;
    for (size_t bit = 0; bit < 4; ++bit) {
      // Above the least: an axis adds its double where its sign is that of the query, or nothing.
      const float with = v[bit] > 0 ? 2 * v[bit] : 0, without = v[bit] > 0 ? 0 : -2 * v[bit];
      const size_t half = size_t{1} << bit;
      for (size_t i = 0; i < half; ++i) {
        sums[half + i] = sums[i] + with;
        sums[i] += without;
      }
    }
    for (size_t i = 0; i < 16; ++i) {
      tables->entries[16 * g + i] = static_cast<uint8_t>(sums[i] * scale + 0.5F);
    }
  }
}

}  // namespace

ScanIndex::ScanIndex(size_t dims, const Kernels& kernels)
    : kernels_(kernels), rotation_(dims), axes_(rotation_.axes()), unit_(Int8Unit(axes_)) {}

void ScanIndex::Add(uint64_t id, std::span<const float> unit) {
  const std::vector<int8_t> row = ToInt8(rotation_(unit));
  Chunk* chunk = nullptr;
  {
    std::unique_lock lock(mutex_);
    if (chunks_.empty() || chunks_.back()->ids.size() == kChunkRows) {
      auto added = std::make_unique<Chunk>();
      added->rows.reserve(kChunkRows * axes_);
      added->ids.reserve(kChunkRows);
      chunks_.push_back(std::move(added));
    }
    chunk = chunks_.back().get();
    chunk->rows.insert(chunk->rows.end(), row.begin(), row.end());
    chunk->ids.push_back(id);
    ++size_;
  }
  if (chunk->ids.size() < kChunkRows) return;
  // Nobody else changes its rows any more, and searches go on meanwhile.
  std::unique_ptr<const Signs> signs = Seal(*chunk);
  std::unique_lock lock(mutex_);
  chunk->signs = std::move(signs);
}

void ScanIndex::Remove(uint64_t id) {
  std::unique_lock lock(mutex_);
  const auto chunk = std::partition_point(chunks_.begin(), chunks_.end(),
                                          [&](const auto& one) { return one->ids.back() < id; });
  if (chunk == chunks_.end()) return;
  const auto& ids = (*chunk)->ids;
  const auto found = std::lower_bound(ids.begin(), ids.end(), id);
  if (found == ids.end() || *found != id) return;
  const auto row = static_cast<size_t>(found - ids.begin());
  if ((*chunk)->removed[row]) return;
  (*chunk)->removed[row] = true;
  --size_;
}

std::unique_ptr<const ScanIndex::Signs> ScanIndex::Seal(const Chunk& chunk) const {
  auto signs = std::make_unique<Signs>();
  std::vector<int32_t> total(axes_);
  for (size_t row = 0; row < kChunkRows; ++row) {
    const int8_t* values = chunk.rows.data() + row * axes_;
    for (size_t i = 0; i < axes_; ++i) total[i] += values[i];
  }
  const float step = std::sqrt(unit_);
  signs->mean.resize(axes_);
  for (size_t i = 0; i < axes_; ++i) {
    signs->mean[i] = step * static_cast<float>(total[i]) / static_cast<float>(kChunkRows);
  }
  signs->codes.resize(kChunkRows * axes_ / 8);
  signs->along.resize(kChunkRows);
  signs->spread.resize(kChunkRows);
  const float root = std::sqrt(static_cast<float>(axes_));
  std::vector<float> residual(axes_);
  for (size_t row = 0; row < kChunkRows; ++row) {
    const int8_t* values = chunk.rows.data() + row * axes_;
    uint8_t* codes =
        signs->codes.data() + row / kBlockRows * kBlockRows * axes_ / 8 + row % kBlockRows;
    float squares = 0, sum = 0, along = 0;
    for (size_t i = 0; i < axes_; ++i) {
      residual[i] = step * static_cast<float>(values[i]) - signs->mean[i];
      squares += residual[i] * residual[i];
      sum += std::abs(residual[i]);
      along += residual[i] * signs->mean[i];
    }
    for (size_t i = 0; i < axes_; i += 8) {
      unsigned byte = 0;
      for (size_t bit = 0; bit < 8; ++bit) byte |= residual[i + bit] > 0 ? 1U << bit : 0;
      codes[i / 8 * kBlockRows] = static_cast<uint8_t>(byte);
    }
    signs->along[row] = along;
    // A residual that is nothing is known exactly.
    signs->spread[row] = sum == 0 ? 0 : squares / sum;
    const float length = std::sqrt(squares);
    const float match = length == 0 ? 1 : sum / (root * length);  // with its own signs; about 0.8
    const float error = std::sqrt(std::max(0.0F, 1 - match * match)) * root /
                        std::sqrt(static_cast<float>(axes_ - 1));
    signs->error = std::max(signs->error, error);
  }
  return signs;
}

Hit ScanIndex::Score(const Chunk& chunk, size_t row, const int8_t* query) const {
  return {chunk.ids[row],
          unit_ * static_cast<float>(kernels_.dot(chunk.rows.data() + row * axes_, query, axes_))};
}

void ScanIndex::SearchRows(const Chunk& chunk, const int8_t* query, Nearest* nearest) const {
  for (size_t row = 0; row < chunk.ids.size(); ++row) {
    if (!chunk.removed[row]) nearest->Add(Score(chunk, row, query));
  }
  last_read_rows += chunk.ids.size();
}

void ScanIndex::SearchSigns(const Chunk& chunk, std::span<const float> rotated, const int8_t* query,
                            Nearest* nearest) const {
  const Signs& signs = *chunk.signs;
  thread_local Tables tables;
  thread_local std::vector<float> beyond;
  beyond.resize(axes_);
  float squares = 0, along = 0;
  for (size_t i = 0; i < axes_; ++i) {
    beyond[i] = rotated[i] - signs.mean[i];
    squares += beyond[i] * beyond[i];
    along += rotated[i] * signs.mean[i];
  }
  MakeTables(beyond, &tables);
  std::array<uint16_t, kChunkRows> sums;
  kernels_.sum(signs.codes.data(), kChunkRows / kBlockRows, axes_, tables.entries.data(),
               sums.data());
  const float base = tables.base + kErrors * signs.error * std::sqrt(squares);
  std::array<uint16_t, kChunkRows> selected;
  const size_t count =
      kernels_.select(sums.data(), signs.along.data(), signs.spread.data(), kChunkRows, tables.step,
                      base, nearest->least() - along, selected.data());
  constexpr size_t kAhead = 8;
  for (size_t i = 0; i < count; ++i) {
    if (i + kAhead < count) {
      const int8_t* ahead = chunk.rows.data() + selected[i + kAhead] * axes_;
      for (size_t at = 0; at < std::min<size_t>(axes_, 512); at += 64) {
        __builtin_prefetch(ahead + at);
      }
    }
    const size_t row = selected[i];
    // The limit may have risen since it was selected.
    const float most = along + signs.along[row] +
                       signs.spread[row] * (tables.step * static_cast<float>(sums[row]) + base);
    if (most < nearest->least() || chunk.removed[row]) continue;
    nearest->Add(Score(chunk, row, query));
    ++last_read_rows;
  }
}

std::vector<Hit> ScanIndex::Search(std::span<const float> unit, size_t count) const {
  const std::vector<float> rotated = rotation_(unit);
  const std::vector<int8_t> query = ToInt8(rotated);
  Nearest nearest(count);
  last_read_rows = 0;
  std::shared_lock lock(mutex_);
  // The newest first: it is the one without signs.
  for (auto chunk = chunks_.rbegin(); chunk != chunks_.rend(); ++chunk) {
    if ((*chunk)->signs != nullptr) {
      SearchSigns(**chunk, rotated, query.data(), &nearest);
    } else {
      SearchRows(**chunk, query.data(), &nearest);
    }
  }
  return nearest.Take();
}

std::vector<Hit> ScanIndex::SearchAmong(std::span<const float> unit,
                                        const std::vector<uint64_t>& ids, size_t count) const {
  const std::vector<int8_t> query = ToInt8(rotation_(unit));
  Nearest nearest(count);
  std::shared_lock lock(mutex_);
  auto chunk = chunks_.begin();
  size_t row = 0;
  for (const uint64_t id : ids) {
    if (chunk != chunks_.end() && (*chunk)->ids.back() < id) {
      chunk = std::partition_point(chunk, chunks_.end(),
                                   [&](const auto& one) { return one->ids.back() < id; });
      row = 0;
    }
    if (chunk == chunks_.end()) break;
    const auto& all = (*chunk)->ids;
    row = static_cast<size_t>(
        std::lower_bound(all.begin() + static_cast<ptrdiff_t>(row), all.end(), id) - all.begin());
    if (all[row] == id && !(*chunk)->removed[row]) nearest.Add(Score(**chunk, row, query.data()));
  }
  return nearest.Take();
}

size_t ScanIndex::size() const {
  std::shared_lock lock(mutex_);
  return size_;
}

uint64_t ScanIndex::bytes() const {
  std::shared_lock lock(mutex_);
  uint64_t bytes = 0;
  for (const auto& chunk : chunks_) {
    bytes += sizeof(Chunk) + kChunkRows * (axes_ + sizeof(uint64_t));
    if (chunk->signs != nullptr) bytes += kChunkRows * (axes_ / 8 + 2 * sizeof(float));
  }
  return bytes;
}

size_t ScanIndex::last_read() { return last_read_rows; }

std::vector<ScanIndex::Row> ScanIndex::RowsAfter(uint64_t id, size_t limit) const {
  std::vector<Row> rows;
  std::shared_lock lock(mutex_);
  auto chunk = std::partition_point(chunks_.begin(), chunks_.end(),
                                    [&](const auto& one) { return one->ids.back() <= id; });
  for (; chunk != chunks_.end() && rows.size() < limit; ++chunk) {
    const auto& ids = (*chunk)->ids;
    auto row = static_cast<size_t>(std::upper_bound(ids.begin(), ids.end(), id) - ids.begin());
    for (; row < ids.size() && rows.size() < limit; ++row) {
      if ((*chunk)->removed[row]) continue;
      const int8_t* axes = (*chunk)->rows.data() + row * axes_;
      rows.push_back({ids[row], {axes, axes + axes_}});
    }
  }
  return rows;
}

void ScanIndex::ForEachId(const std::function<void(uint64_t)>& each) const {
  std::shared_lock lock(mutex_);
  for (const auto& chunk : chunks_) {
    for (size_t row = 0; row < chunk->ids.size(); ++row) {
      if (!chunk->removed[row]) each(chunk->ids[row]);
    }
  }
}

}  // namespace gleaner::cloud
