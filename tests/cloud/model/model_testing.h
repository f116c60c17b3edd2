// The real model of third_party/models, and pictures of the real footage.
#pragma once

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <string>
#include <vector>

#include "absl/strings/str_split.h"
#include "cloud/model/model_config.h"
#include "common/clock.h"
#include "common/file.h"
#include "tests/data/footage.h"
#include "tests/data/paths.h"
#include "tests/data/shell.h"
#include "tests/data/temporary_folder.h"

namespace gleaner::cloud {

inline std::string ModelsFolder() { return SourceDir() + "/third_party/models"; }
inline std::string RealModel() { return ModelsFolder() + "/made/objectron.onnx"; }

// Before a test that needs the model.
#define NEEDS_MODEL()                                                 \
  if (!std::filesystem::exists(RealModel())) {                        \
    GTEST_SKIP() << RealModel() << " isn't made: ./dev setup models"; \
  }

inline ModelsConfig RealModels() {
  ModelsConfig config{.models = {},
                      .worker = BinDir() + "/gleaner-model",
                      .at_once = 1,
                      .cpu_ns = 60 * kNanosPerSecond,
                      .memory_bytes = 1 << 30};
  ModelConfig model{.name = "objectron",
                    .version = "0.4",
                    .kind = ModelKind::kSsd,
                    .file = RealModel(),
                    .width = 300,
                    .height = 300,
                    .mean = {127.5, 127.5, 127.5},
                    .scale = {1 / 127.5f, 1 / 127.5f, 1 / 127.5f},
                    .embedding = "embedding",
                    .schema = "things",
                    .classes = {{"Box", "box"}, {"Person", "person"}, {"Bottle", "bottle"}}};
  const auto labels = ReadFile(ModelsFolder() + "/made/objectron.labels", 10'000);
  if (labels.ok()) {
    for (const auto line : absl::StrSplit(absl::string_view(*labels), '\n', absl::SkipEmpty())) {
      model.labels.emplace_back(line);
    }
  }
  config.models.push_back(model);
  return config;
}

// So many JPEGs of a film, evenly from its beginning.
inline std::vector<std::string> PicturesOf(const std::string& footage, const std::string& rate,
                                           int count, const std::string& folder) {
  const std::string pattern = folder + "/" + footage + "-%02d.jpg";
  const auto [status, said] =
      Shell(fmt::format("ffmpeg -nostdin -v fatal -y -i '{}' -vf fps={} -frames:v {} -q:v 2 '{}' "
                        "2>&1",
                        Footage(footage), rate, count, pattern));
  EXPECT_EQ(status, 0) << said;
  std::vector<std::string> pictures;
  for (int i = 1; i <= count; ++i) {
    auto bytes = ReadFile(fmt::format("{}/{}-{:02}.jpg", folder, footage, i), 10 << 20);
    EXPECT_TRUE(bytes.ok()) << bytes.status();
    if (bytes.ok()) pictures.push_back(*std::move(bytes));
  }
  return pictures;
}

}  // namespace gleaner::cloud
