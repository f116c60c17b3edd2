// A thousand random steps of two devices, cuts and restarts included, against a model of the
// contract that fits in a page.
#include <gmock/gmock.h>

#include <map>
#include <random>

#include "tests/cloud/ingest/ingest_testing.h"

namespace gleaner::cloud {
namespace {

struct ModelClip {
  SentClip clip;
  std::vector<uint64_t> durable;  // as promised
  uint64_t lease = 0;             // 0: none on this stream
  bool committed = false;

  bool complete() const {
    for (size_t i = 0; i < durable.size(); ++i) {
      if (durable[i] < clip.objects[i].size()) return false;
    }
    return true;
  }
};

class ModelTest : public IngestTest {
 protected:
  static constexpr const char* kDevices[] = {"cart-1", "cart-2"};

  ModelClip& Any(std::vector<ModelClip>& clips) { return clips[random_() % clips.size()]; }

  void Offer(TestDevice& device, ModelClip& model) {
    const auto answer = device.Ask(OfferOf(model.clip));
    if (model.committed) {
      ASSERT_TRUE(answer.has_receipt()) << answer.ShortDebugString();
      EXPECT_TRUE(answer.receipt().duplicate());
      return;
    }
    ASSERT_TRUE(answer.has_grant()) << answer.ShortDebugString();
    EXPECT_NE(answer.grant().lease(), model.lease);
    model.lease = answer.grant().lease();
    EXPECT_EQ(std::vector<uint64_t>(answer.grant().durable_offset().begin(),
                                    answer.grant().durable_offset().end()),
              model.durable);
  }

  void OfferAnother(TestDevice& device, ModelClip& model) {
    SentClip other = model.clip;
    other.manifest.set_shortfall("another");
    other.Seal();
    const auto answer = device.Ask(OfferOf(other));
    ASSERT_TRUE(answer.has_refusal()) << answer.ShortDebugString();
    EXPECT_EQ(answer.refusal().code(), static_cast<uint32_t>(absl::StatusCode::kAlreadyExists));
  }

  void Chunk(TestDevice& device, ModelClip& model) {
    const auto object = static_cast<uint32_t>(random_() % model.durable.size());
    const uint64_t size = model.clip.objects[object].size();
    const uint64_t block = random_() % BlockCount(size);
    const uint64_t offset = random_() % 3 == 0 || model.durable[object] >= size
                                ? block * kBlockBytes
                                : model.durable[object];
    auto request = ChunkOf(model.clip, model.lease == 0 ? 999'999 : model.lease, object, offset);
    const bool damage = random_() % 5 == 0;
    if (damage) request.mutable_chunk()->mutable_data()->back() ^= 1;
    const auto answer = device.Ask(request);
    const auto refused = [&](absl::StatusCode code) {
      ASSERT_TRUE(answer.has_refusal()) << answer.ShortDebugString();
      EXPECT_EQ(answer.refusal().code(), static_cast<uint32_t>(code));
      if (code != absl::StatusCode::kAborted) {
        EXPECT_EQ(answer.refusal().durable_offset(), model.durable[object]);
      }
    };
    if (model.lease == 0) return refused(absl::StatusCode::kAborted);
    if (offset > model.durable[object]) return refused(absl::StatusCode::kFailedPrecondition);
    if (damage) return refused(absl::StatusCode::kDataLoss);
    if (offset == model.durable[object]) {
      model.durable[object] += request.chunk().data().size();
    }
    if (model.complete()) {
      ASSERT_TRUE(answer.has_receipt()) << answer.ShortDebugString();
      model.committed = true;
      model.lease = 0;
    } else {
      ASSERT_TRUE(answer.has_progress()) << answer.ShortDebugString();
      EXPECT_EQ(answer.progress().durable_offset(), model.durable[object]);
    }
  }

  std::mt19937_64 random_{20261122};
};

TEST_F(ModelTest, AThousandRandomStepsKeepEveryPromise) {
  std::map<std::string, std::vector<ModelClip>> all;
  std::map<std::string, std::unique_ptr<TestDevice>> streams;
  uint64_t next = 1;
  const auto connect = [&](const std::string& name) {
    streams[name] = Connect(name);
    for (ModelClip& model : all[name]) model.lease = 0;
  };
  for (const char* name : kDevices) connect(name);
  for (int step = 0; step < 1000 && !HasFatalFailure(); ++step) {
    SCOPED_TRACE(step);
    const std::string name = kDevices[random_() % 2];
    auto& clips = all[name];
    if (clips.empty() || (clips.size() < 12 && random_() % 12 == 0)) {
      ModelClip model{.clip = MakeClip(name, next++, 1000 + random_() % (3 * kBlockBytes))};
      model.durable.resize(model.clip.objects.size());
      clips.push_back(std::move(model));
    }
    ModelClip& model = Any(clips);
    const uint64_t dice = random_() % 100;
    if (dice < 12) {
      Offer(*streams[name], model);
    } else if (dice < 15 && model.committed) {
      OfferAnother(*streams[name], model);
    } else if (dice < 17) {
      streams[name]->Cut();
      connect(name);
    } else if (dice < 19) {
      connect(name);  // a second stream, while the first still is open
    } else if (dice < 20 && step % 3 == 0) {
      Restart();
      for (const char* each : kDevices) connect(each);
    } else if (!model.committed || random_() % 10 == 0) {
      Chunk(*streams[name], model);
    }
  }
  size_t committed = 0;
  for (auto& [name, clips] : all) {
    connect(name);
    for (ModelClip& model : clips) {
      EXPECT_TRUE(streams[name]->Upload(model.clip).receipt.has_value());
      ExpectWhole(model.clip, name);
      ++committed;
    }
  }
  EXPECT_GT(committed, 15u);
  EXPECT_EQ(catalog_->GetSummary(0)->clips(), committed);
}

}  // namespace
}  // namespace gleaner::cloud
