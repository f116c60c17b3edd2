#include "cloud/similar/vector_index.h"

#include <gmock/gmock.h>

#include <atomic>
#include <numeric>
#include <random>
#include <set>
#include <thread>

#include "cloud/similar/graph_index.h"
#include "cloud/similar/scan_index.h"
#include "tests/cloud/similar/similar_testing.h"

namespace gleaner::cloud {
namespace {

using testing::IsEmpty;
using testing::SizeIs;

using Vectors = std::vector<std::vector<float>>;

Vectors Made(size_t count, size_t dims, uint64_t seed) {
  TestVectors from(dims, 30, 12, seed);
  Vectors vectors;
  for (size_t i = 0; i < count; ++i) vectors.push_back(from.Next());
  return vectors;
}

float Cosine(const std::vector<float>& a, const std::vector<float>& b) {
  return std::inner_product(a.begin(), a.end(), b.begin(), 0.0F);
}

// As whoever asks does: twice as many candidates, put in order exactly.
std::set<uint64_t> TopOf(const std::vector<Hit>& hits, const Vectors& vectors,
                         const std::vector<float>& query, size_t count) {
  std::vector<std::pair<float, uint64_t>> exact;
  for (const Hit& hit : hits) exact.emplace_back(-Cosine(vectors[hit.id - 1], query), hit.id);
  std::sort(exact.begin(), exact.end());
  std::set<uint64_t> top;
  for (size_t i = 0; i < std::min(count, exact.size()); ++i) top.insert(exact[i].second);
  return top;
}

double RecallAt10(const VectorIndex& index, const Vectors& vectors, const Vectors& queries,
                  const std::set<uint64_t>& without = {}) {
  size_t found = 0;
  for (const std::vector<float>& query : queries) {
    std::vector<Hit> all;
    for (size_t i = 0; i < vectors.size(); ++i) {
      if (!without.contains(i + 1)) all.push_back({i + 1, 0});
    }
    const auto expected = TopOf(all, vectors, query, 10);
    const auto got = TopOf(index.Search(query, 30), vectors, query, 10);
    for (const uint64_t id : got) found += expected.contains(id) ? 1 : 0;
  }
  return static_cast<double>(found) / static_cast<double>(10 * queries.size());
}

std::unique_ptr<VectorIndex> Index(bool graph, size_t dims) {
  if (graph) return std::make_unique<GraphIndex>(dims, 1000, GraphIndex::Options{});
  return std::make_unique<ScanIndex>(dims);
}

class VectorIndexTest : public testing::TestWithParam<bool> {
 protected:
  std::unique_ptr<VectorIndex> Filled(const Vectors& vectors) {
    auto index = Index(GetParam(), vectors[0].size());
    for (size_t i = 0; i < vectors.size(); ++i) index->Add(i + 1, vectors[i]);
    return index;
  }
};
INSTANTIATE_TEST_SUITE_P(Of, VectorIndexTest, testing::Bool(),
                         [](const auto& graph) { return graph.param ? "Graph" : "Scan"; });

TEST_P(VectorIndexTest, FindsWhatBruteForceFindsOnSetsOfAnyShape) {
  for (const size_t dims : {3, 64, 100, 256, 1280}) {
    // Of a scan: more than a chunk, and one that isn't full.
    const Vectors vectors = Made(GetParam() ? 1'500 : dims > 256 ? 4'200 : 8'500, dims, dims);
    const auto index = Filled(vectors);
    EXPECT_EQ(index->size(), vectors.size());
    EXPECT_GE(RecallAt10(*index, vectors, Made(20, dims, dims)), 0.95) << dims;
  }
}

TEST_P(VectorIndexTest, SaysTheCosineToAboutAThousandth) {
  const Vectors vectors = Made(GetParam() ? 1'500 : 5'000, 256, 1);
  const auto index = Filled(vectors);
  for (const std::vector<float>& query : Made(5, 256, 1)) {
    const std::vector<Hit> hits = index->Search(query, 20);
    ASSERT_THAT(hits, SizeIs(20));
    for (size_t i = 0; i < hits.size(); ++i) {
      EXPECT_NEAR(hits[i].score, Cosine(vectors[hits[i].id - 1], query), 0.01);
      if (i > 0) EXPECT_LE(hits[i].score, hits[i - 1].score);
    }
  }
}

TEST_P(VectorIndexTest, WhatWasRemovedIsNotFoundAnyMore) {
  const Vectors vectors = Made(GetParam() ? 1'500 : 6'000, 64, 2);
  const auto index = Filled(vectors);
  std::set<uint64_t> removed;
  for (uint64_t id = 1; id <= vectors.size(); id += 3) {
    index->Remove(id);
    removed.insert(id);
  }
  index->Remove(1);        // once more
  index->Remove(999'999);  // never there
  EXPECT_EQ(index->size(), vectors.size() - removed.size());
  for (const std::vector<float>& query : Made(20, 64, 3)) {
    for (const Hit& hit : index->Search(query, 50)) EXPECT_FALSE(removed.contains(hit.id));
  }
  EXPECT_GE(RecallAt10(*index, vectors, Made(20, 64, 3), removed), 0.95);
}

TEST_P(VectorIndexTest, LooksAmongSomeOnly) {
  const Vectors vectors = Made(GetParam() ? 1'500 : 5'000, 64, 4);
  const auto index = Filled(vectors);
  index->Remove(20);
  std::vector<uint64_t> some;
  for (uint64_t id = 10; id <= 6'000; id += 10) some.push_back(id);  // also beyond the last
  const Vectors queries = Made(5, 64, 5);
  for (const std::vector<float>& query : queries) {
    std::vector<Hit> expected;
    for (const uint64_t id : some) {
      if (id <= vectors.size() && id != 20) expected.push_back({id, 0});
    }
    EXPECT_EQ(TopOf(index->SearchAmong(query, some, 30), vectors, query, 10),
              TopOf(expected, vectors, query, 10));
  }
  EXPECT_THAT(index->SearchAmong(queries[0], {}, 10), IsEmpty());
  EXPECT_THAT(index->SearchAmong(queries[0], {7}, 10), SizeIs(1));
}

TEST_P(VectorIndexTest, AnEmptyOneFindsNothingAndASmallOneAllThatItHas) {
  const auto index = Index(GetParam(), 64);
  const Vectors vectors = Made(3, 64, 6);
  EXPECT_THAT(index->Search(vectors[0], 10), IsEmpty());
  for (size_t i = 0; i < vectors.size(); ++i) index->Add(i + 1, vectors[i]);
  EXPECT_THAT(index->Search(vectors[0], 10), SizeIs(3));
  EXPECT_THAT(index->Search(vectors[0], 0), IsEmpty());
  EXPECT_EQ(index->Search(vectors[1], 1)[0].id, 2u);
  EXPECT_GT(index->bytes(), 0u);
}

TEST_P(VectorIndexTest, ThousandsThatAreAllTheSameAreFoundLikeOthers) {
  const Vectors two = Made(2, 64, 7);
  Vectors vectors(GetParam() ? 500 : 4'500, two[0]);
  vectors.push_back(two[1]);
  const auto index = Filled(vectors);
  EXPECT_EQ(index->Search(two[1], 5)[0].id, vectors.size());
  EXPECT_THAT(index->Search(two[0], 50), SizeIs(50));
}

TEST_P(VectorIndexTest, ManyLookWhileOneAddsAndAnotherRemoves) {
  const Vectors vectors = Made(GetParam() ? 2'500 : 6'000, 64, 8);
  const auto index = Index(GetParam(), 64);
  for (size_t i = 0; i < 1'000; ++i) index->Add(i + 1, vectors[i]);
  std::atomic<bool> done = false;
  {
    std::vector<std::jthread> threads;
    for (int t = 0; t < 3; ++t) {
      threads.emplace_back([&, t] {
        std::mt19937 random(static_cast<unsigned>(t));
        do {
          const auto hits = index->Search(vectors[random() % vectors.size()], 10);
          EXPECT_LE(hits.size(), 10u);
          for (const Hit& hit : hits) EXPECT_LE(hit.id, vectors.size());
        } while (!done);
      });
    }
    threads.emplace_back([&] {
      for (uint64_t id = 1; id <= 900; ++id) index->Remove(id);
    });
    for (size_t i = 1'000; i < vectors.size(); ++i) index->Add(i + 1, vectors[i]);
    done = true;
  }
  EXPECT_EQ(index->size(), vectors.size() - 900);
}

TEST(ScanIndexTest, ReadsTheEightBitsOfAFewOnly) {
  const Vectors vectors = Made(20'000, 256, 9);
  ScanIndex index(256);
  for (size_t i = 0; i < vectors.size(); ++i) index.Add(i + 1, vectors[i]);
  size_t read = 0;
  for (const std::vector<float>& query : Made(10, 256, 10)) {
    index.Search(query, 20);
    read += ScanIndex::last_read();
  }
  EXPECT_LT(read / 10, vectors.size() / 2);
}

TEST(KernelsTest, AllProcessorsSayTheSame) {
  std::mt19937 random(11);
  for (const size_t axes : {64, 256, 1280, 4096}) {
    constexpr size_t kBlocks = 3;
    std::vector<int8_t> a(axes), b(axes);
    std::vector<uint8_t> codes(kBlocks * kBlockRows * axes / 8), tables(4 * axes);
    for (size_t i = 0; i < axes; ++i) {
      a[i] = static_cast<int8_t>(static_cast<int>(random() % 255) - 127);
      b[i] = static_cast<int8_t>(static_cast<int>(random() % 255) - 127);
    }
    for (uint8_t& one : codes) one = static_cast<uint8_t>(random());
    for (uint8_t& one : tables) one = static_cast<uint8_t>(random() % (TableEntryLimit(axes) + 1));
    std::vector<float> along(kBlocks * kBlockRows), spread(along.size());
    for (float& one : along) one = static_cast<float>(random() % 1000) / 1000;
    for (float& one : spread) one = static_cast<float>(random() % 1000) / 1000;
    const auto all = [&](const Kernels& kernels) {
      std::vector<uint16_t> sums(kBlocks * kBlockRows), selected(sums.size());
      kernels.sum(codes.data(), kBlocks, axes, tables.data(), sums.data());
      selected.resize(kernels.select(sums.data(), along.data(), spread.data(), sums.size(), 0.001F,
                                     -0.5F, 0.9F, selected.data()));
      return std::tuple(kernels.dot(a.data(), b.data(), axes), sums, selected);
    };
    const auto expected = all(PortableKernels());
    for (const Kernels* kernels : {Avx2Kernels(), Avx512Kernels()}) {
      if (kernels != nullptr) EXPECT_EQ(all(*kernels), expected) << kernels->name << axes;
    }
  }
}

}  // namespace
}  // namespace gleaner::cloud
